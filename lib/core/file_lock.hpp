#pragma once

#include "core/fork.hpp"
#include "core/path_beneath.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// Who holds a lock, as far as that can be told.
struct LockHolder {
    std::int64_t process = 0;
    std::string host;
    std::string process_space;    ///< Of that host, in which the number counts.
    std::chrono::seconds age{0};  ///< Since its last sign of life.
};

/// The process that holds flock on that file, by the text of /proc/locks; nothing where none does. No I/O.
std::optional<std::int64_t> flock_holder(std::string_view locks, std::uint64_t device, std::uint64_t inode);

/// An advisory lock among processes and threads, in the manner and place of Python's filelock: flock on a file that
/// stays when the lock is released. Where the file system has no flock, or grants it to everyone, a file beside it that
/// only one can create takes its place (a soft lock): it names its holder, and is taken over once that process is gone
/// or has given no sign of life for 60 s. Waiting is the caller's: nothing here blocks. Locks may lie (a network file
/// system may keep them within each host), so they save work but nothing may rely on them to keep data whole. Not
/// thread-safe; one object per user of the lock.
class FileLock {
  public:
    static constexpr std::chrono::seconds stale_after{60};

    /// Stands in for flock(2) in tests.
    using Flock = int (*)(int descriptor, int operation);

    enum class File : std::uint8_t {
        created,   ///< Where it is missing (0664 less the umask), with the folders above it.
        existing,  ///< A file that holds something else than a lock: it must be there, plain, under no other name.
    };

    explicit FileLock(PathBeneath lock_file, Flock flock = nullptr, File file = File::created);
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock() { unlock(); }

    /// True where this object now holds the lock, or did already; false where another one does, or where a file that
    /// should exist does not. Links are not followed. Throws FileError where neither form of lock can be made.
    bool try_lock();
    /// No effect where it is not held, nor in a child that was forked while its parent held it.
    void unlock() noexcept;
    /// Gives a sign of life; needed for soft locks only, no effect on others. False where the lock was lost: another
    /// process has judged this one dead.
    bool refresh() noexcept;

    bool owns_lock() const noexcept { return state_ != State::open && taken_in_.is_this(); }
    bool is_soft() const noexcept { return state_ == State::soft; }
    /// As far as it can be told: of flock by the kernel's list of locks, which has those of this machine only.
    std::optional<LockHolder> holder() const;
    const std::filesystem::path& path() const noexcept { return lock_file_.path(); }

  private:
    enum class State : std::uint8_t { open, flock, soft };
    enum class Attempt : std::uint8_t { done, busy, unsupported, replaced };
    Attempt try_flock();
    int open_lock_file() const;
    bool is_granted_again(int held) const;
    bool try_soft_lock();
    bool break_if_stale();
    std::chrono::system_clock::time_point file_system_time() const;

    PathBeneath lock_file_;
    PathBeneath soft_file_;
    Flock flock_;
    File file_;
    State state_ = State::open;
    int descriptor_ = -1;
    MadeInProcess taken_in_;
    std::string identity_;  ///< What this object wrote into the soft lock.
};

}  // namespace hfhub
