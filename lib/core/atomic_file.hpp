#pragma once

#include <hfhub/error.hpp>

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
};
/// Writes a temporary file in the same folder, which must exist, and renames it: readers see the former content or the
/// new one, never a part. Throws FileError; then nothing has changed.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes, WriteOptions options = {});

/// As write_file_atomically for secrets: nobody but the owner can read the file at any time (0600), nor, once the call
/// returns, enter its folder (0700), which is created where missing. A sticky folder such as /tmp keeps its mode.
void write_secret_file(const std::filesystem::path& path, std::string_view bytes);

/// Creates the folder and those above it; no error where it is there. Throws FileError.
void make_directories(const std::filesystem::path& path);

/// Moves a file over `to`, which readers see in its former or its new form; copies where `to` is on another file
/// system. Throws FileError; then `from` is still there.
void move_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// Copies content and mode; `to` appears complete or not at all. Throws FileError.
void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes `link` a symbolic link to `target`, written relative to the link's folder; replaces what bears that name.
/// False, with nothing changed, where the file system or the rights of the process allow no links: then copy or move.
/// Throws FileError on any other failure. `make_link` stands in for symlink(2) in tests.
using MakeLink = int (*)(const char* target, const char* link);
bool try_symlink(const std::filesystem::path& target, const std::filesystem::path& link, MakeLink make_link = nullptr);

/// `name` with `suffix` behind it, cut (between UTF-8 characters) so that it is a valid name of at most 255 bytes.
std::string name_with_suffix(std::string_view name, std::string_view suffix);

/// A file that is being written, at any offset. Closed without a word by the destructor. Not thread-safe, except that
/// write_at and read_at may run at once from several threads.
class OutputFile {
  public:
    enum class Open : std::uint8_t {
        create_new,  ///< Fails with EEXIST where the file is there.
        keep,        ///< Creates the file or keeps its content.
        truncate,    ///< Creates the file or empties it.
    };

    OutputFile() = default;
    /// Throws FileError. `mode` is applied less the umask where the file is created.
    OutputFile(std::filesystem::path path, Open how, unsigned mode = 0666);
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&& other) noexcept;
    ~OutputFile();

    bool is_open() const noexcept { return descriptor_ >= 0; }
    const std::filesystem::path& path() const noexcept { return path_; }

    /// Writes all bytes. Throws FileError.
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
    /// Reads up to the span's size; 0 at the end. Throws FileError.
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
    std::uint64_t size() const;
    void truncate(std::uint64_t size);
    /// Waits until the content is on the disk. Throws FileError.
    void sync();
    /// Throws FileError where the system reports only now that bytes were lost.
    void close();

  private:
    std::filesystem::path path_;
    int descriptor_ = -1;
};

}  // namespace hfhub
