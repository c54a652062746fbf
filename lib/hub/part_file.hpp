#pragma once

// A file that is being fetched, under a temporary name beside its last one. It blocks: all but the constructor's
// answers belong on a worker.
//
// Part files are private while they are in use: the user holds a lock on the file itself. What an interrupted transfer
// has left is taken over by the next one of the same content. As a lock may bind one machine only, a part is taken over
// where whoever might hold it is on this one, or where nobody has written to it for a while; and it gets a new name
// first, which only one can do, and by which a writer that was thought dead learns that it has lost the part. Whatever
// happens, the hash of the whole content decides.

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/file_lock.hpp"
#include "core/fork.hpp"
#include "hub/space_claim.hpp"

#include <sys/statvfs.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// What is known about a part that somebody has left, and whose lock was to be had.
struct FoundPart {
    std::uint64_t bytes = 0;
    bool from_this_host = false;   ///< By its name.
    std::chrono::seconds idle{0};  ///< Since it was written to.
};
/// Whether it may be gone on with, for a content of that size.
bool may_take_over(const FoundPart& part, std::optional<std::uint64_t> size) noexcept;
/// Whether it may be deleted, once nobody needs it.
bool may_delete(const FoundPart& part) noexcept;

/// Bytes that may still be written there; nothing where the file system does not tell.
std::optional<std::uint64_t> free_space(const struct statvfs& status) noexcept;

/// What is fetched, and how it is checked.
struct PartContent {
    std::string etag;                   ///< SHA-256 or git's SHA-1 are checked; others are not.
    std::optional<std::uint64_t> size;  ///< Where known.
    bool verify_hash = true;
    bool check_disk_space = true;
};

/// How the locks of a part are used; other values are for tests.
struct PartLocks {
    FileLock::Flock flock = nullptr;
    /// Of signs of life, and of looks whether the part is still ours.
    std::chrono::milliseconds look_interval{15'000};
};

/// An unfinished file that somebody has left.
struct LeftPart {
    PathBeneath place;
    bool from_this_host = false;
    std::uint64_t bytes = 0;
};
/// Of one content, largest first.
std::vector<LeftPart> find_left_parts(const PathBeneath& folder, std::string_view stem);
/// Deletes those that nobody is writing to.
void delete_left_parts(const std::vector<LeftPart>& parts, std::chrono::system_clock::time_point now,
                       PartLocks locks = {}) noexcept;

class PartFile {
  public:
    /// Takes over a part of the same content, or makes one; `resume` false never takes over. Throws FileError, also
    /// where the content does not fit on the disk.
    PartFile(const PathBeneath& folder, std::string_view stem, PartContent content, bool resume = true,
             PartLocks locks = {});
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;
    /// Deletes the file, unless it has a value for a later transfer.
    ~PartFile();

    /// Bytes in place.
    std::uint64_t position() const noexcept { return position_; }
    const std::filesystem::path& path() const noexcept { return file_.path(); }
    const PartContent& content() const noexcept { return content_; }

    /// Whether the hash of the whole will tell if it is right.
    bool is_checked_by_hash() const noexcept;

    /// Bytes that were taken over but are not hashed yet.
    std::uint64_t unhashed() const noexcept { return position_ - hashed_; }
    /// Hashes up to that many of them.
    void hash_more(std::uint64_t bytes);

    /// To be said before the first byte, where the size was not known before.
    void set_size(std::uint64_t size);
    /// Writes and hashes; everything before must be hashed. Throws FileError, and as keep_alive().
    void append(std::span<const std::byte> bytes);
    /// Back to the first byte. Throws IoError where another process has taken the part over.
    void restart();
    /// Throws IntegrityError where length or hash are not what they should be.
    void verify();
    /// Gives the file its last name, which a power cut leaves with all of the content or not at all, and deletes what
    /// earlier transfers of the content have left. Throws FileError, and IoError where another process has taken the
    /// part over.
    void publish(const PathBeneath& target);
    /// The destructor will delete it, or not.
    void discard() noexcept { keep_ = false; }

    /// A lock that is to be kept alive as long as bytes come.
    void guard(std::shared_ptr<FileLock> lock) { guard_ = std::move(lock); }
    /// A sign of life for the locks; called by append as often as it is needed. Throws IoError where another process
    /// has judged this one dead, and taken the part over.
    void keep_alive();

  private:
    void make(const PathBeneath& folder, std::string_view stem);
    void take_over();
    bool try_take_over(const LeftPart& left);
    std::chrono::system_clock::time_point file_system_time() const;
    void require_ownership();
    void leave() noexcept;
    void start_hash();
    std::uint64_t missing() const noexcept;
    void check_space(const std::filesystem::path& folder);

    PartContent content_;
    PartLocks locks_;
    OutputFile file_;
    std::unique_ptr<FileLock> lock_;
    std::shared_ptr<FileLock> guard_;
    std::vector<LeftPart> left_;  ///< Other parts of the content.
    SpaceClaim claim_;
    Hasher hasher_;
    std::uint64_t position_ = 0, hashed_ = 0, sync_begun_ = 0;
    bool keep_ = true, published_ = false, lost_ = false;
    MadeInProcess made_in_;
    std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now(), alive_ = made_;
    std::chrono::system_clock::time_point made_at_{};  ///< By the file system's clock.
};

}  // namespace hfhub::hub
