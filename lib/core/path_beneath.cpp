#include "core/path_beneath.hpp"

#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

#include <cerrno>
#include <exception>
#include <stdexcept>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

constexpr int folder_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

/// A look-up that passes ".." fails with EAGAIN while anybody renames folders anywhere.
constexpr int most_lookups = 1000;

[[noreturn]] void fail(std::string_view action, const fs::path& path, int error) {
    throw FileError(action, path, {error, std::system_category()});
}

int open_folder(int above, const fs::path& name, int flags) noexcept {
    for (;;) {
        const int opened = ::openat(above, name.c_str(), flags);
        if (opened >= 0 || errno != EINTR) return opened;
    }
}

/// Empty for the root itself.
fs::path relative_path(const PathBeneath& place) {
    fs::path relative = place.path().lexically_relative(place.root());
    if (relative.empty() || *relative.begin() == "..") {
        throw std::logic_error(place.path().string() + " is not below " + place.root().string());
    }
    return relative == "." ? fs::path() : relative;
}

/// The first link among the folders below the root, to be named in a message; empty where it has gone meanwhile.
fs::path first_link(const fs::path& root, const fs::path& relative) {
    fs::path at = root;
    std::error_code error;
    for (const fs::path& part : relative) {
        at /= part;
        if (fs::is_symlink(at, error)) return at;
    }
    return {};
}

[[noreturn]] void refuse_link(const PathBeneath& place, const fs::path& relative) {
    const fs::path link = first_link(place.root(), relative);
    throw IoError("cannot write in " + place.path().parent_path().string() + ": " +
                  (link.empty() ? "a link on the way to it" : "the link " + link.string()) +
                  " is not followed, since it leads out of " + place.root().string() +
                  " or is not relative; delete it, or put a folder in its place");
}

/// The folder of what is beneath the root, open.
int open_parent(const PathBeneath& place) {
    const fs::path relative = relative_path(place).parent_path();
    const int root = open_folder(AT_FDCWD, place.root(), folder_flags);
    if (root < 0) fail("open", place.root(), errno);
    if (relative.empty()) return root;
    const int folder = open_folder_beneath(root, relative);
    const int error = errno;
    ::close(root);
    if (folder >= 0) return folder;
    if (error == EXDEV || error == ELOOP) refuse_link(place, relative);
    fail("open", place.path().parent_path(), error);
}

bool is_link(int folder, const char* name) noexcept {
    struct stat status{};
    return ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

bool is_folder(const NameInFolder& at) noexcept {
    struct stat status{};
    return ::fstatat(at.folder(), at.name(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

NameInFolder::NameInFolder(const PathBeneath& place)
    : folder_(place.is_bounded() ? open_parent(place) : AT_FDCWD),
      name_(place.is_bounded() ? place.path().filename() : place.path()) {}

NameInFolder::~NameInFolder() {
    if (folder_ >= 0) ::close(folder_);
}

int open_folder_beneath(int folder, const fs::path& relative) noexcept {
#ifdef SYS_openat2
    open_how how{};
    how.flags = folder_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    for (int lookups = 0; lookups < most_lookups; ++lookups) {
        const long opened = ::syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how);
        if (opened >= 0) return static_cast<int>(opened);
        // Filters of system calls answer EPERM to what they do not know.
        if (errno == ENOSYS || errno == EPERM) return open_folder_by_steps(folder, relative);
        if (errno != EAGAIN && errno != EINTR) return -1;
    }
    return -1;
#else
    return open_folder_by_steps(folder, relative);
#endif
}

int open_folder_by_steps(int folder, const fs::path& relative) noexcept {
    int at = -1;
    for (const fs::path& part : relative) {
        const int above = at < 0 ? folder : at;
        const bool upwards = part == "..";
        int next = upwards ? -1 : open_folder(above, part, folder_flags | O_NOFOLLOW);
        const int error = upwards ? EXDEV : errno == ENOTDIR && is_link(above, part.c_str()) ? ELOOP : errno;
        if (at >= 0) ::close(at);
        at = next;
        if (at < 0) {
            errno = error;
            return -1;
        }
    }
    return at;
}

void make_directories(const PathBeneath& place) {
    const fs::path& path = place.path();
    if (!place.is_bounded() || relative_path(place).empty()) {
        if (path.empty()) return;
        std::error_code error;
        fs::create_directories(path, error);
        if (error) throw FileError("create", path, error);
        return;
    }
    try {
        const NameInFolder inside(place / ".");
        return;
    } catch (const FileError& error) {
        if (error.code != std::errc::no_such_file_or_directory) throw FileError("create", path, error.code);
    }
    make_directories(place.parent_path());
    const NameInFolder at(place);
    if (::mkdirat(at.folder(), at.name(), 0777) == 0 || (errno == EEXIST && is_folder(at))) return;
    if (errno == EEXIST && is_link(at.folder(), at.name())) refuse_link(place, relative_path(place));
    fail("create", path, errno == EEXIST ? ENOTDIR : errno);
}

void remove_file(const PathBeneath& place) noexcept {
    try {
        const NameInFolder at(place);
        ::unlinkat(at.folder(), at.name(), 0);
    } catch (const std::exception&) {
        // As said: no error.
    }
}

}  // namespace hfhub
