// Loaded before a program by LD_PRELOAD: its calls to files below a folder fail as a disk or a file system might.
//   FAIL_BELOW=FOLDER   the calls that count: those whose file lies below it
//   FAIL_AT=N           the Nth of them fails, with
//   FAIL_ERRNO=NUMBER   this error; 0: it moves one byte only, if it moves bytes
//   FAIL_ON=1           so do all that change something after it
//   FAIL_LOG=FILE       a line "CALL PATH" for each that counts
//   FAIL_FLOCK=NUMBER   flock fails with this error; 0: it is granted to everybody
//   FAIL_STATVFS=1      the file system does not tell its size
#undef _FILE_OFFSET_BITS  // each call is defined in both of its forms

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long number(const char* name, long otherwise) {
    const char* value = std::getenv(name);
    return value && *value ? std::atol(value) : otherwise;
}

struct Plan {
    const char* below = std::getenv("FAIL_BELOW");
    long at = number("FAIL_AT", 0);
    int error = static_cast<int>(number("FAIL_ERRNO", EIO));
    bool on = number("FAIL_ON", 0) != 0;
    long flock = number("FAIL_FLOCK", -1);
    bool no_statvfs = number("FAIL_STATVFS", 0) != 0;
    int log = -1;
    std::atomic<long> calls{0};

    Plan() {
        const char* file = std::getenv("FAIL_LOG");
        if (file)
            log = static_cast<int>(
                ::syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    }
    static Plan& get() {
        static Plan plan;
        return plan;
    }
};

enum class Verdict { pass, fail, one_byte };
enum class Kind { reads, changes };

Verdict judge(const char* call, const char* path, Kind kind) {
    Plan& plan = Plan::get();
    if (!plan.below || !path || std::strncmp(path, plan.below, std::strlen(plan.below)) != 0) return Verdict::pass;
    const long now = ++plan.calls;
    if (plan.log >= 0) {
        char line[5000];
        const int size = std::snprintf(line, sizeof line, "%s %s\n", call, path);
        (void)!::syscall(SYS_write, plan.log, line, size);
    }
    const bool fails = plan.at > 0 && (now == plan.at || (plan.on && now > plan.at && kind == Kind::changes));
    if (!fails) return Verdict::pass;
    if (plan.error == 0) return Verdict::one_byte;
    errno = plan.error;
    return Verdict::fail;
}

Verdict judge(const char* call, int descriptor, Kind kind) {
    if (!Plan::get().below) return Verdict::pass;
    const int before = errno;
    char link[64], path[4096] = {};
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const auto got = ::syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = before;
    return got < 0 ? Verdict::pass : judge(call, path, kind);
}

/// A name in an open folder.
struct Place {
    int folder;
    const char* name;
};

Verdict judge(const char* call, Place place, Kind kind) {
    if (place.folder == AT_FDCWD || place.name[0] == '/') return judge(call, place.name, kind);
    const int before = errno;
    char link[64], path[8192] = {};
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", place.folder);
    const auto got = ::syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path / 2);
    errno = before;
    if (got < 0) return Verdict::pass;
    std::snprintf(path + got, sizeof path - static_cast<size_t>(got), "/%s", place.name);
    return judge(call, path, kind);
}

template <class Function>
Function real(Function, const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

#define REAL(name) static const auto next = real(&name, #name)
#define FAILS(where, kind) (judge(__func__, where, kind) == Verdict::fail)

#define OPENS(name)                                                                       \
    int name(const char* path, int flags, ...) {                                          \
        REAL(name);                                                                       \
        va_list rest;                                                                     \
        va_start(rest, flags);                                                            \
        const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;        \
        va_end(rest);                                                                     \
        if (FAILS(path, (flags & O_CREAT) != 0 ? Kind::changes : Kind::reads)) return -1; \
        return next(path, flags, mode);                                                   \
    }
#define OPENS_AT(name)                                                                     \
    int name(int folder, const char* path, int flags, ...) {                               \
        REAL(name);                                                                        \
        va_list rest;                                                                      \
        va_start(rest, flags);                                                             \
        const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;         \
        va_end(rest);                                                                      \
        const Place place{folder, path};                                                   \
        if (FAILS(place, (flags & O_CREAT) != 0 ? Kind::changes : Kind::reads)) return -1; \
        return next(folder, path, flags, mode);                                            \
    }
#define MOVES(result, name, kind, bytes, declared, passed)            \
    result name declared {                                            \
        REAL(name);                                                   \
        const Verdict verdict = judge(#name, descriptor, kind);       \
        if (verdict == Verdict::fail) return -1;                      \
        if (verdict == Verdict::one_byte && (bytes) > 1) (bytes) = 1; \
        return next passed;                                           \
    }
#define CHANGES(name, where, declared, passed)      \
    int name declared {                             \
        REAL(name);                                 \
        if (FAILS(where, Kind::changes)) return -1; \
        return next passed;                         \
    }

extern "C" {

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
MOVES(ssize_t, write, Kind::changes, size, (int descriptor, const void* bytes, size_t size), (descriptor, bytes, size))
MOVES(ssize_t, pwrite, Kind::changes, size, (int descriptor, const void* bytes, size_t size, off_t at),
      (descriptor, bytes, size, at))
MOVES(ssize_t, pwrite64, Kind::changes, size, (int descriptor, const void* bytes, size_t size, off64_t at),
      (descriptor, bytes, size, at))
MOVES(ssize_t, read, Kind::reads, size, (int descriptor, void* bytes, size_t size), (descriptor, bytes, size))
MOVES(ssize_t, pread, Kind::reads, size, (int descriptor, void* bytes, size_t size, off_t at),
      (descriptor, bytes, size, at))
MOVES(ssize_t, pread64, Kind::reads, size, (int descriptor, void* bytes, size_t size, off64_t at),
      (descriptor, bytes, size, at))
MOVES(ssize_t, copy_file_range, Kind::changes, size,
      (int from, off64_t* in, int descriptor, off64_t* out, size_t size, unsigned flags),
      (from, in, descriptor, out, size, flags))
CHANGES(ftruncate, descriptor, (int descriptor, off_t size), (descriptor, size))
CHANGES(ftruncate64, descriptor, (int descriptor, off64_t size), (descriptor, size))
CHANGES(fsync, descriptor, (int descriptor), (descriptor))
CHANGES(fdatasync, descriptor, (int descriptor), (descriptor))
CHANGES(sync_file_range, descriptor, (int descriptor, off64_t from, off64_t length, unsigned flags),
        (descriptor, from, length, flags))
CHANGES(rename, to, (const char* from, const char* to), (from, to))
CHANGES(link, to, (const char* from, const char* to), (from, to))
CHANGES(symlink, path, (const char* target, const char* path), (target, path))
CHANGES(mkdir, path, (const char* path, mode_t mode), (path, mode))
CHANGES(unlink, path, (const char* path), (path))
CHANGES(renameat, (Place{folder, to}), (int from_folder, const char* from, int folder, const char* to),
        (from_folder, from, folder, to))
CHANGES(linkat, (Place{folder, to}), (int from_folder, const char* from, int folder, const char* to, int flags),
        (from_folder, from, folder, to, flags))
CHANGES(symlinkat, (Place{folder, path}), (const char* target, int folder, const char* path), (target, folder, path))
CHANGES(mkdirat, (Place{folder, path}), (int folder, const char* path, mode_t mode), (folder, path, mode))
CHANGES(unlinkat, (Place{folder, path}), (int folder, const char* path, int flags), (folder, path, flags))
CHANGES(futimens, descriptor, (int descriptor, const timespec times[2]), (descriptor, times))

int fstat(int descriptor, struct stat* status) {
    REAL(fstat);
    if (FAILS(descriptor, Kind::reads)) return -1;
    return next(descriptor, status);
}

int fstat64(int descriptor, struct stat64* status) {
    REAL(fstat64);
    if (FAILS(descriptor, Kind::reads)) return -1;
    return next(descriptor, status);
}

int close(int descriptor) {
    REAL(close);
    // The descriptor is closed also where an error is reported.
    const bool fails = FAILS(descriptor, Kind::changes);
    const int error = errno;
    const int result = next(descriptor);
    if (!fails) return result;
    errno = error;
    return -1;
}

int flock(int descriptor, int operation) {
    REAL(flock);
    const long error = Plan::get().flock;
    if (error < 0) return FAILS(descriptor, Kind::changes) ? -1 : next(descriptor, operation);
    errno = static_cast<int>(error);
    return error == 0 ? 0 : -1;
}

int statvfs(const char* path, struct statvfs* status) {
    REAL(statvfs);
    const int result = next(path, status);
    if (Plan::get().no_statvfs) *status = {};
    return result;
}

int statvfs64(const char* path, struct statvfs64* status) {
    REAL(statvfs64);
    const int result = next(path, status);
    if (Plan::get().no_statvfs) *status = {};
    return result;
}

}  // extern "C"
