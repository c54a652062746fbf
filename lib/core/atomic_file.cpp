#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t copied_at_once = std::size_t{1} << 26;
constexpr std::size_t copy_block = std::size_t{1} << 18;

std::string_view hint_for(int error) {
    switch (error) {
        case ENOSPC:
            return "; free some space, or let HF_HOME name a folder on another disk";
        case EDQUOT:
            return "; free some of your quota, or let HF_HOME name a folder on another disk";
        case EROFS:
            return "; let HF_HOME name a folder that can be written";
        case EACCES:
        case EPERM:
            return "; check the owner and mode of the file and its folder";
        case EMFILE:
            return "; raise the limit of open files (ulimit -n)";
        case ENAMETOOLONG:
            return "; a name may have at most 255 bytes";
        case ELOOP:
            return "; a link that stands there is not followed: delete it";
        default:
            return "";
    }
}

std::error_code system_error(int error) { return {error, std::system_category()}; }

[[noreturn]] void fail(std::string_view action, const fs::path& path, int error = errno) {
    throw FileError(action, path, system_error(error));
}

/// Repeats a system call that a signal has interrupted.
template <class Call>
auto retried(Call call) {
    decltype(call()) result;
    do {
        result = call();
    } while (result < 0 && errno == EINTR);
    return result;
}

/// Closes a descriptor whatever happens.
class Closing {
  public:
    explicit Closing(int descriptor) : descriptor_(descriptor) {}
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() { ::close(descriptor_); }

  private:
    int descriptor_;
};

std::string random_suffix() {
    char text[16];
    std::snprintf(text, sizeof text, ".%08x.tmp", static_cast<unsigned>(std::random_device()()));
    return text;
}

PathBeneath temporary_in(const PathBeneath& folder, const PathBeneath& place) {
    return folder / name_with_suffix(place.path().filename().string(), random_suffix());
}

PathBeneath temporary_beside(const PathBeneath& place) { return temporary_in(place.parent_path(), place); }

/// Deletes a temporary file unless it got its final name.
class Removal {
  public:
    explicit Removal(PathBeneath place) : place_(std::move(place)) {}
    Removal(const Removal&) = delete;
    Removal& operator=(const Removal&) = delete;
    ~Removal() {
        if (!place_.empty()) remove_file(place_);
    }
    void dismiss() { place_ = {}; }

  private:
    PathBeneath place_;
};

/// As rename(2).
int rename_at(const PathBeneath& from, const PathBeneath& to) {
    const NameInFolder old_name(from), new_name(to);
    return ::renameat(old_name.folder(), old_name.name(), new_name.folder(), new_name.name());
}

void rename_over(const PathBeneath& from, const PathBeneath& to) {
    if (rename_at(from, to) != 0) fail("write", to.path());
}

/// A rename lasts through a power cut only once the folder is on the disk. Some file systems cannot do that: no error.
void sync_folder_of(const fs::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    const Closing closing(descriptor);
    ::fsync(descriptor);
}

std::optional<std::string> read_all(const fs::path& path, std::size_t limit, bool may_be_missing) {
    const int descriptor = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (descriptor < 0) {
        if (may_be_missing && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
        fail("open", path);
    }
    const Closing closing(descriptor);
    std::string content;
    ssize_t got = 0;
    do {
        const auto at = content.size();
        content.resize(at + std::clamp<std::size_t>(at, 4096, 1 << 20));
        got = retried([&] { return ::read(descriptor, content.data() + at, content.size() - at); });
        if (got < 0) fail("read", path);
        content.resize(at + static_cast<std::size_t>(got));
    } while (got > 0 && content.size() <= limit);
    if (content.size() > limit) {
        throw IoError("cannot read " + path.string() + ": it holds more than the " + std::to_string(limit) +
                      " bytes that are expected at most");
    }
    return content;
}

int flags_of(OutputFile::Open how) {
    switch (how) {
        case OutputFile::Open::create_new:
            return O_CREAT | O_EXCL;
        case OutputFile::Open::truncate:
            return O_CREAT | O_TRUNC;
        case OutputFile::Open::existing:
            break;
    }
    return O_NOFOLLOW | O_NONBLOCK;
}

std::size_t read_some(int descriptor, const fs::path& path, std::uint64_t offset, std::span<std::byte> bytes) {
    const auto got =
        retried([&] { return ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (got < 0) fail("read", path);
    return static_cast<std::size_t>(got);
}

FileIdentity to_identity(const struct stat& status) {
    const auto since_epoch =
        std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    FileIdentity identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.size = static_cast<std::uint64_t>(status.st_size);
    identity.names = status.st_nlink;
    identity.modified = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
    identity.regular = S_ISREG(status.st_mode);
    return identity;
}

/// Bytes copied inside the kernel; 0 also where it cannot, or says there are none, as some file systems do wrongly.
std::uint64_t copy_in_kernel(int from, int to, std::uint64_t offset, std::uint64_t bytes) {
    auto in = static_cast<off_t>(offset), out = in;
    const auto done = retried([&] { return ::copy_file_range(from, &in, to, &out, bytes, 0); });
    return done < 0 ? 0 : static_cast<std::uint64_t>(done);
}

fs::path absolute_path(const fs::path& path) {
    std::error_code error;
    const auto absolute = fs::absolute(path, error);
    if (error) throw FileError("use", path, error);
    return absolute.lexically_normal();
}

bool links_unsupported(int error) {
    return error == EPERM || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL || error == EACCES;
}

}  // namespace

FileError::FileError(std::string_view action, fs::path path, std::error_code code)
    : IoError("cannot " + std::string(action) + " " + path.string() + ": " + code.message() +
              std::string(hint_for(code.value()))),
      path(std::move(path)),
      code(code) {}

std::string name_with_suffix(std::string_view name, std::string_view suffix) {
    constexpr std::size_t max_name = 255;
    auto size = std::min(name.size(), max_name - suffix.size());
    const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(name[at]) & 0xc0) == 0x80; };
    while (size < name.size() && size > 0 && continues(size)) --size;
    return std::string(name.substr(0, size)).append(suffix);
}

std::string read_file(const fs::path& path, std::size_t limit) { return *read_all(path, limit, false); }

std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t limit) {
    return read_all(path, limit, true);
}

void write_file_atomically(const PathBeneath& path, std::string_view bytes, WriteOptions options) {
    const PathBeneath& folder = options.temporary_folder;
    OutputFile file(folder.empty() ? temporary_beside(path) : temporary_in(folder, path), OutputFile::Open::create_new,
                    options.mode);
    Removal removal(file.place());
    file.write_at(0, std::as_bytes(std::span(bytes)));
    if (options.sync) {
        file.sync();
    } else if (!bytes.empty()) {
        file.settle();
    }
    file.close();
    rename_over(file.place(), path);
    removal.dismiss();
    if (options.sync) sync_folder_of(path.path());
}

void write_secret_file(const fs::path& path, std::string_view bytes) {
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (folder.has_parent_path()) make_directories(folder.parent_path());
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail("create", folder);
    struct stat status{};
    // A folder that others use together keeps its mode; not being its owner is no reason to fail either.
    if (::stat(folder.c_str(), &status) == 0 && (status.st_mode & S_ISVTX) == 0 && (status.st_mode & 077) != 0) {
        (void)!::chmod(folder.c_str(), 0700);
    }
    write_file_atomically(path, bytes, {.mode = 0600, .sync = true});
}

void copy_file_atomically(const fs::path& from, const PathBeneath& to) {
    FileCopy copy(from, to);
    while (copy.step(copied_at_once)) {
    }
}

void move_file(const PathBeneath& from, const PathBeneath& to) {
    if (rename_at(from, to) == 0) return;
    if (errno != EXDEV) fail("move " + from.path().string() + " to", to.path());
    copy_file_atomically(from.path(), to);
    const NameInFolder old_name(from);
    if (::unlinkat(old_name.folder(), old_name.name(), 0) != 0) fail("delete", from.path());
}

bool try_symlink(const fs::path& target, const PathBeneath& link, MakeLink make_link) {
    const auto link_folder = absolute_path(link.path()).parent_path();
    const auto relative = absolute_path(target).lexically_relative(link_folder);
    std::error_code error;
    if (fs::is_symlink(link.path(), error) && fs::read_symlink(link.path(), error) == relative) return true;

    if (!make_link) make_link = ::symlinkat;
    const auto temporary = temporary_beside(link);
    const NameInFolder at(link), temporary_at(temporary);
    if (make_link(relative.c_str(), at.folder(), at.name()) == 0) return true;
    const bool replaces = errno == EEXIST;
    if (!replaces || make_link(relative.c_str(), temporary_at.folder(), temporary_at.name()) != 0) {
        const int reason = errno;
        if (links_unsupported(reason) && ::access(link_folder.c_str(), W_OK) == 0) return false;
        fail("link", link.path(), reason);
    }
    Removal removal(temporary);
    rename_over(temporary, link);
    removal.dismiss();
    return true;
}

std::optional<FileIdentity> identity_of(const fs::path& path) noexcept {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return to_identity(status);
}

std::optional<FileIdentity> identity_behind(const fs::path& path) noexcept {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return to_identity(status);
}

InputFile::InputFile(fs::path path) : path_(std::move(path)) {
    descriptor_ = retried([&] { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC); });
    if (descriptor_ < 0) fail("open", path_);
}

InputFile::~InputFile() { ::close(descriptor_); }

std::size_t InputFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
    return read_some(descriptor_, path_, offset, bytes);
}

OutputFile::OutputFile(PathBeneath place, Open how, unsigned mode) : place_(std::move(place)) {
    const int flags = O_RDWR | O_CLOEXEC | flags_of(how);
    const NameInFolder at(place_);
    descriptor_ = retried([&] { return ::openat(at.folder(), at.name(), flags, mode); });
    if (descriptor_ < 0) fail(how == Open::existing ? "open" : "create", path());
    struct stat status{};
    if (how != Open::existing || (::fstat(descriptor_, &status) == 0 && to_identity(status).plain())) return;
    ::close(std::exchange(descriptor_, -1));
    fail("write", path(), EPERM);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : place_(std::move(other.place_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
    std::swap(place_, other.place_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto done =
            retried([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        if (done < 0) fail("write", path());
        offset += static_cast<std::uint64_t>(done);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

std::size_t OutputFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
    return read_some(descriptor_, path(), offset, bytes);
}

std::uint64_t OutputFile::copy_at(std::uint64_t offset, const InputFile& source, std::uint64_t bytes) {
    const std::uint64_t copied = copy_in_kernel(source.descriptor_, descriptor_, offset, bytes);
    if (copied > 0) return copied;
    std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, copy_block)));
    const std::size_t got = source.read_at(offset, block);
    write_at(offset, std::span(block).first(got));
    return got;
}

FileIdentity OutputFile::identity() const {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) fail("examine", path());
    return to_identity(status);
}

void OutputFile::move_to(PathBeneath place) {
    rename_over(place_, place);
    place_ = std::move(place);
}

bool OutputFile::is_named() const {
    const auto named = identity_of(path());
    return named && named->same_file(identity());
}

void OutputFile::truncate(std::uint64_t size) {
    if (retried([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) fail("resize", path());
}

void OutputFile::sync() {
    if (retried([&] { return ::fdatasync(descriptor_); }) != 0) fail("write", path());
}

void OutputFile::settle() {
#ifdef SYNC_FILE_RANGE_WRITE
    constexpr unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (retried([&] { return ::sync_file_range(descriptor_, 0, 0, all); }) == 0) return;
    if (errno == EIO || errno == ENOSPC || errno == EDQUOT) fail("write", path());
#endif
    sync();
}

void OutputFile::begin_sync([[maybe_unused]] std::uint64_t offset,
                            [[maybe_unused]] std::uint64_t bytes) const noexcept {
#ifdef SYNC_FILE_RANGE_WRITE
    const auto from = static_cast<off_t>(offset), length = static_cast<off_t>(bytes);
    (void)::sync_file_range(descriptor_, from, length, SYNC_FILE_RANGE_WRITE);
#endif
}

void OutputFile::close() {
    const int descriptor = std::exchange(descriptor_, -1);
    // After EINTR the descriptor is closed on Linux: a second close could hit another file's.
    if (descriptor >= 0 && ::close(descriptor) != 0 && errno != EINTR) fail("write", path());
}

FileCopy::FileCopy(fs::path from, PathBeneath to, PathBeneath temporary)
    : source_(std::move(from)),
      to_(std::move(to)),
      copy_(temporary.empty() ? temporary_beside(to_) : std::move(temporary), OutputFile::Open::create_new) {}

FileCopy::~FileCopy() {
    if (!done_ && made_in_.is_this()) remove_file(copy_.place());
}

bool FileCopy::step(std::uint64_t bytes) {
    while (bytes > 0) {
        const std::uint64_t copied = copy_.copy_at(position_, source_, bytes);
        if (copied == 0) {
            copy_.make_whole(position_);
            copy_.close();
            move_file(copy_.place(), to_);
            done_ = true;
            return false;
        }
        position_ += copied;
        bytes -= copied;
    }
    return true;
}

}  // namespace hfhub
