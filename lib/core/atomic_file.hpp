#pragma once

#include "core/fork.hpp"
#include "core/path_beneath.hpp"

#include <hfhub/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace hfhub {

/// An IoError of the operating system, for code that treats some of its reasons apart (ENOSPC, EROFS, EMFILE, …).
class FileError : public IoError {
  public:
    /// `action` completes "cannot …", for example "write".
    FileError(std::string_view action, std::filesystem::path path, std::error_code code);
    std::filesystem::path path;
    std::error_code code;
};

/// The whole file. Throws FileError, and IoError where it holds more than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit);
/// As read_file; nothing where there is no such file.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path, std::size_t limit);

/// How a file is written that others may be reading.
struct WriteOptions {
    unsigned mode = 0666;  ///< Less the umask, from the first moment on.
    bool sync = false;     ///< Whether content and name are on the disk, not only in its cache, when the call returns.
    /// Where the temporary file is; empty: beside the last one, where an interruption may leave it for all to see.
    PathBeneath temporary_folder{};
};
/// Writes a temporary file on the same file system and renames it into its folder, which must exist: readers see the
/// former content or the new one, never a part, also after a power cut. Throws FileError; then nothing has changed.
void write_file_atomically(const PathBeneath& path, std::string_view bytes, WriteOptions options = {});

/// As write_file_atomically for secrets: nobody but the owner can read the file at any time (0600), nor, once the call
/// returns, enter its folder (0700), which is created where missing. A sticky folder such as /tmp keeps its mode.
void write_secret_file(const std::filesystem::path& path, std::string_view bytes);

/// Moves a file over `to`, which readers see in its former or its new form; copies where `to` is on another file
/// system. Throws FileError; then `from` is still there.
void move_file(const PathBeneath& from, const PathBeneath& to);
/// Copies the content; `to` is as open to others as the umask allows, and appears complete or not at all. Throws
/// FileError.
void copy_file_atomically(const std::filesystem::path& from, const PathBeneath& to);

/// Makes `link` a symbolic link to `target`, written relative to the link's folder; replaces what bears that name. An
/// interruption leaves no other name behind unless something was to be replaced.
/// False, with nothing changed, where the file system or the rights of the process allow no links: then copy or move.
/// Throws FileError on any other failure. `make_link` stands in for symlinkat(2) in tests.
using MakeLink = int (*)(const char* target, int folder, const char* link);
bool try_symlink(const std::filesystem::path& target, const PathBeneath& link, MakeLink make_link = nullptr);

/// `name` with `suffix` behind it, cut (between UTF-8 characters) so that it is a valid name of at most 255 bytes.
std::string name_with_suffix(std::string_view name, std::string_view suffix);

/// Which file it is, whatever its name, and how it looks.
struct FileIdentity {
    std::uint64_t device = 0, inode = 0, size = 0, names = 0;
    std::chrono::system_clock::time_point modified{};
    bool regular = false;

    bool same_file(const FileIdentity& other) const noexcept { return device == other.device && inode == other.inode; }
    bool same_content(const FileIdentity& other) const noexcept {
        return same_file(other) && size == other.size && modified == other.modified;
    }
    /// Whether writing to it changes nothing else.
    bool plain() const noexcept { return regular && names == 1; }
};
/// Of what bears that name, be it a link; nothing where nothing can be seen there.
std::optional<FileIdentity> identity_of(const std::filesystem::path& path) noexcept;
/// As identity_of, of what a link leads to.
std::optional<FileIdentity> identity_behind(const std::filesystem::path& path) noexcept;

/// A file that is being read.
class InputFile {
  public:
    /// Throws FileError.
    explicit InputFile(std::filesystem::path path);
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;
    ~InputFile();

    /// Reads up to the span's size; 0 at the end. Throws FileError.
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

  private:
    friend class OutputFile;
    std::filesystem::path path_;
    int descriptor_ = -1;
};

/// Files of at least so many bytes are synced before they get their name. For many smaller ones a flush of the disk
/// each would be slow: they are settled.
inline constexpr std::uint64_t synced_from = std::uint64_t{1} << 20;

/// A file that is being written, at any offset. Closed without a word by the destructor. Not thread-safe, except that
/// write_at and read_at may run at once from several threads.
class OutputFile {
  public:
    enum class Open : std::uint8_t {
        create_new,  ///< Fails with EEXIST where the file is there.
        existing,    ///< A plain file that is there under no other name; a link is not followed.
        truncate,    ///< Creates the file or empties it.
    };

    OutputFile() = default;
    /// Throws FileError. `mode` is applied less the umask where the file is created.
    OutputFile(PathBeneath place, Open how, unsigned mode = 0666);
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&& other) noexcept;
    ~OutputFile();

    bool is_open() const noexcept { return descriptor_ >= 0; }
    const std::filesystem::path& path() const noexcept { return place_.path(); }
    const PathBeneath& place() const noexcept { return place_; }

    /// Writes all bytes. Throws FileError.
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
    /// Reads up to the span's size; 0 at the end. Throws FileError.
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
    /// Copies up to so many bytes to the same offset, inside the kernel where it can do that; 0 at the source's end.
    /// Throws FileError.
    std::uint64_t copy_at(std::uint64_t offset, const InputFile& source, std::uint64_t bytes);
    /// Throws FileError.
    FileIdentity identity() const;
    std::uint64_t size() const { return identity().size; }
    /// Gives it another name, in place of what bears that. Throws FileError; then it has its former name.
    void move_to(PathBeneath place);
    /// Whether its path still names it: it may have been deleted, moved or replaced.
    bool is_named() const;
    void truncate(std::uint64_t size);
    /// Waits until the content is on the disk. Throws FileError.
    void sync();
    /// Waits until the disk has taken the content: what it is told later, such as the file's name, does not get there
    /// without it. Far cheaper than sync(), which waits until all of it is safe. Throws FileError.
    void settle();
    /// To be called before the file gets its name, with its size: a power cut leaves that with all of the content, or
    /// not at all. Throws FileError.
    void make_whole(std::uint64_t size) { size < synced_from ? settle() : sync(); }
    /// Lets the disk begin with these bytes, so that sync() takes less time. A hint: no effect where that is not to be
    /// had.
    void begin_sync(std::uint64_t offset, std::uint64_t bytes) const noexcept;
    /// Throws FileError where the system reports only now that bytes were lost.
    void close();

  private:
    PathBeneath place_;
    int descriptor_ = -1;
};

/// A copy that is made in steps, so that one may think better of it in between: then nothing has changed.
class FileCopy {
  public:
    /// `temporary` is the name until it is complete; empty: one beside the last one. Throws FileError.
    FileCopy(std::filesystem::path from, PathBeneath to, PathBeneath temporary = {});
    FileCopy(const FileCopy&) = delete;
    FileCopy& operator=(const FileCopy&) = delete;
    ~FileCopy();

    /// Copies up to so many more bytes. False once `to` is complete and has its name. Throws FileError.
    bool step(std::uint64_t bytes);

  private:
    InputFile source_;
    PathBeneath to_;
    OutputFile copy_;
    std::uint64_t position_ = 0;
    bool done_ = false;
    MadeInProcess made_in_;
};

}  // namespace hfhub
