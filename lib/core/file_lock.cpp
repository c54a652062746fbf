#include "core/file_lock.hpp"

#include "core/atomic_file.hpp"
#include "core/digest.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_soft_lock = 4096;
constexpr std::size_t max_lock_list = std::size_t{16} << 20;

bool flock_unsupported(int error) {
    return error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP || error == EINVAL;
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// What the numbers of processes are numbers of: containers of one host may have the same name. Empty where unknown.
std::string process_space() {
    char name[64] = {};
    return ::readlink("/proc/self/ns/pid", name, sizeof name - 1) > 0 ? name : "";
}

/// Process, host, its processes, and a number of its own, one a line: also threads of one process tell their locks
/// apart.
std::string new_identity() {
    std::random_device random;
    return std::to_string(::getpid()) + "\n" + host_name() + "\n" + process_space() + "\n" + std::to_string(random()) +
           std::to_string(random()) + "\n";
}

std::string_view take_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

LockHolder parse_identity(std::string_view content) {
    LockHolder holder;
    const std::string_view process = take_line(content);
    std::from_chars(process.data(), process.data() + process.size(), holder.process);
    holder.host = take_line(content);
    holder.process_space = take_line(content);
    return holder;
}

bool is_dead(const LockHolder& holder) {
    return holder.process > 0 && holder.host == host_name() && holder.process_space == process_space() &&
           ::kill(static_cast<pid_t>(holder.process), 0) != 0 && errno == ESRCH;
}

std::chrono::system_clock::time_point modified(const struct stat& status) {
    const auto since_epoch =
        std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

PathBeneath soft_lock_beside(const PathBeneath& lock_file) {
    constexpr std::string_view suffix = ".soft";
    const auto name = lock_file.path().filename().string();
    // A name too long for the suffix is replaced as a whole, since two long names may differ only at their ends.
    const bool fits = name.size() + suffix.size() <= 255;
    return lock_file.with_filename((fits ? name : sha256_hex(name)) + std::string(suffix));
}

PathBeneath with_random_suffix(const PathBeneath& place) {
    const std::string suffix = "." + std::to_string(std::random_device()());
    return place.with_filename(name_with_suffix(place.path().filename().string(), suffix));
}

/// As open(2).
int open_at(const PathBeneath& place, int flags, mode_t mode = 0) {
    const NameInFolder at(place);
    for (;;) {
        const int opened = ::openat(at.folder(), at.name(), flags, mode);
        if (opened >= 0 || errno != EINTR) return opened;
    }
}

bool stamp(const PathBeneath& place) {
    const NameInFolder at(place);
    return ::utimensat(at.folder(), at.name(), nullptr, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_same(const struct stat& a, const struct stat& b) { return a.st_ino == b.st_ino && a.st_dev == b.st_dev; }

bool is_same_file(int a, int b) {
    struct stat one{}, other{};
    return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && is_same(one, other);
}

/// Whether the path still names the open file: a lock on a deleted one binds nobody.
bool is_still_named(int descriptor, const fs::path& path) {
    struct stat open{}, named{};
    return ::fstat(descriptor, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && is_same(open, named);
}

/// Descriptors that hold a lock. A forked child closes its copies: with them the lock would outlive a parent that is
/// killed.
class HeldDescriptors {
  public:
    static void add(int descriptor) {
        const std::lock_guard lock(all().mutex_);
        all().descriptors_.push_back(descriptor);
    }
    static void remove(int descriptor) noexcept {
        const std::lock_guard lock(all().mutex_);
        std::erase(all().descriptors_, descriptor);
    }

  private:
    HeldDescriptors() { on_fork_in_child(close_copies); }
    static HeldDescriptors& all() {
        static auto* const held = new HeldDescriptors;
        return *held;
    }
    static void close_copies() {
        for (const int descriptor : all().descriptors_) ::close(descriptor);
        all().descriptors_.clear();
    }

    ForkSafeMutex mutex_;
    std::vector<int> descriptors_;
};

}  // namespace

std::optional<std::int64_t> flock_holder(std::string_view locks, std::uint64_t device, std::uint64_t inode) {
    char wanted[64];
    const int size = std::snprintf(wanted, sizeof wanted, " %02x:%02x:%llu ", ::major(device), ::minor(device),
                                   static_cast<unsigned long long>(inode));
    const std::string_view file(wanted, static_cast<std::size_t>(size));
    constexpr std::string_view kind = ": FLOCK  ADVISORY  WRITE ";
    while (!locks.empty()) {
        const std::size_t end = std::min(locks.find('\n'), locks.size());
        const std::string_view line = locks.substr(0, end);
        locks.remove_prefix(std::min(end + 1, locks.size()));
        // Those who wait have an arrow behind the colon.
        const std::size_t at = line.find(kind);
        if (at == line.npos || line.find(file) == line.npos) continue;
        std::int64_t process = 0;
        std::from_chars(line.data() + at + kind.size(), line.data() + line.size(), process);
        if (process > 0) return process;
    }
    return std::nullopt;
}

FileLock::FileLock(PathBeneath lock_file, Flock flock, File file)
    : lock_file_(std::move(lock_file)),
      soft_file_(soft_lock_beside(lock_file_)),
      flock_(flock ? flock : ::flock),
      file_(file) {}

bool FileLock::try_lock() {
    if (owns_lock()) return true;
    if (file_ == File::created) make_directories(lock_file_.parent_path());
    for (int tries = 0; tries < 10; ++tries) {
        switch (try_flock()) {
            case Attempt::done:
                return true;
            case Attempt::busy:
                return false;
            case Attempt::unsupported:
                return try_soft_lock();
            case Attempt::replaced:
                break;
        }
    }
    return false;
}

/// Below 0 where a file that should exist does not. A lock file of another user may be readable only, and that is
/// enough for flock.
int FileLock::open_lock_file() const {
    const bool existing = file_ == File::existing;
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int descriptor = open_at(lock_file_, flags | O_RDWR | (existing ? 0 : O_CREAT), 0664);
    if (descriptor < 0 && errno == EACCES) {
        descriptor = open_at(lock_file_, flags | O_RDONLY);
        // Where there is no file, making one was what is not allowed.
        if (descriptor < 0 && errno == ENOENT && !existing) errno = EACCES;
    }
    if (descriptor < 0) {
        if (existing && (errno == ENOENT || errno == ELOOP)) return -1;
        throw FileError("lock", path(), {errno, std::system_category()});
    }
    struct stat status{};
    const int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
    if (error == 0 && S_ISREG(status.st_mode) && (!existing || status.st_nlink == 1)) return descriptor;
    ::close(descriptor);
    if (existing) return -1;
    throw FileError("lock", path(), {error == 0 ? EOPNOTSUPP : error, std::system_category()});
}

FileLock::Attempt FileLock::try_flock() {
    const int descriptor = open_lock_file();
    if (descriptor < 0) return Attempt::busy;
    int error = 0;
    do {
        error = flock_(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    } while (error == EINTR);

    if (error == 0 && is_granted_again(descriptor)) {
        ::close(descriptor);
        return Attempt::unsupported;
    }
    if (error == 0 && is_still_named(descriptor, path())) {
        // Others that wait tell by it since when.
        if (file_ == File::created) (void)::futimens(descriptor, nullptr);
        HeldDescriptors::add(descriptor);
        descriptor_ = descriptor;
        taken_in_ = MadeInProcess();
        state_ = State::flock;
        return Attempt::done;
    }
    ::close(descriptor);
    if (error == 0) return Attempt::replaced;
    if (error == EWOULDBLOCK) return Attempt::busy;
    if (flock_unsupported(error)) return Attempt::unsupported;
    throw FileError("lock", path(), {error, std::system_category()});
}

/// Whether the lock that `held` has is given to another one, too.
bool FileLock::is_granted_again(int held) const {
    int descriptor = -1;
    try {
        descriptor = open_at(lock_file_, O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_RDONLY);
    } catch (const IoError&) {
        // Its folder has gone: so has the name of what is held, which is looked at next.
    }
    if (descriptor < 0) return false;
    const bool granted = is_same_file(held, descriptor) && flock_(descriptor, LOCK_EX | LOCK_NB) == 0;
    ::close(descriptor);
    return granted;
}

bool FileLock::try_soft_lock() {
    auto identity = new_identity();
    for (int tries = 0; tries < 2; ++tries) {
        const int descriptor = open_at(soft_file_, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0664);
        if (descriptor >= 0) {
            const auto written = ::write(descriptor, identity.data(), identity.size());
            const int error = errno;
            ::close(descriptor);
            if (written != static_cast<ssize_t>(identity.size())) {
                remove_file(soft_file_);
                throw FileError("lock", soft_file_.path(), {written < 0 ? error : ENOSPC, std::system_category()});
            }
            identity_ = std::move(identity);
            taken_in_ = MadeInProcess();
            state_ = State::soft;
            return true;
        }
        if (errno != EEXIST) throw FileError("lock", soft_file_.path(), {errno, std::system_category()});
        if (!break_if_stale()) return false;
    }
    return false;
}

/// Takes away the lock of a holder that is gone. It is renamed first and looked at again: between the look and the
/// rename somebody else may have taken it over, and a lock that is alive is put back.
bool FileLock::break_if_stale() {
    struct stat status{};
    if (::stat(soft_file_.path().c_str(), &status) != 0) return true;  // just released
    const auto content = read_file_if_exists(soft_file_.path(), max_soft_lock);
    if (!content) return true;
    if (!is_dead(parse_identity(*content)) && file_system_time() - modified(status) <= stale_after) return false;

    const auto aside = with_random_suffix(soft_file_);
    const NameInFolder at(soft_file_), aside_at(aside);
    if (::renameat(at.folder(), at.name(), aside_at.folder(), aside_at.name()) != 0) return true;
    const bool same = read_file_if_exists(aside.path(), max_soft_lock) == content;
    if (!same) (void)!::linkat(aside_at.folder(), aside_at.name(), at.folder(), at.name(), 0);
    remove_file(aside);
    return same;
}

/// "Now" by the clock that also stamps the files: a server's may differ from ours by more than a lock's life. Asked of
/// a file of its own, since the age of the one that is locked may say something, too.
std::chrono::system_clock::time_point FileLock::file_system_time() const {
    auto now = std::chrono::system_clock::now();
    const auto fresh = with_random_suffix(soft_file_);
    const int descriptor = open_at(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return now;
    struct stat status{};
    if (::fstat(descriptor, &status) == 0) now = modified(status);
    ::close(descriptor);
    remove_file(fresh);
    return now;
}

void FileLock::unlock() noexcept {
    const auto state = std::exchange(state_, State::open);
    if (!taken_in_.is_this()) return;
    if (state == State::flock) {
        HeldDescriptors::remove(descriptor_);
        // Explicitly, since a child that was just forked may still hold the same open file.
        flock_(descriptor_, LOCK_UN);
        ::close(std::exchange(descriptor_, -1));
    } else if (state == State::soft) {
        try {
            if (read_file_if_exists(soft_file_.path(), max_soft_lock) == identity_) remove_file(soft_file_);
        } catch (const std::exception&) {
            // What cannot be read goes stale by itself.
        }
    }
}

bool FileLock::refresh() noexcept {
    if (state_ != State::soft || !taken_in_.is_this()) return owns_lock();
    try {
        const bool own = read_file_if_exists(soft_file_.path(), max_soft_lock) == identity_;
        if (own && stamp(soft_file_)) return true;
        if (own) return true;  // not allowed to stamp it: others see its age, but it is still ours
    } catch (const std::exception&) {
        return true;  // the file system fails for now; that is no proof of a loss
    }
    state_ = State::open;
    return false;
}

std::optional<LockHolder> FileLock::holder() const {
    struct stat status{};
    LockHolder holder;
    if (::stat(soft_file_.path().c_str(), &status) == 0) {
        const auto content = read_file_if_exists(soft_file_.path(), max_soft_lock);
        if (!content) return std::nullopt;
        holder = parse_identity(*content);
    } else {
        if (::stat(path().c_str(), &status) != 0) return std::nullopt;
        const auto locks = read_file_if_exists("/proc/locks", max_lock_list);
        const auto process = flock_holder(locks.value_or(""), status.st_dev, status.st_ino);
        if (!process) return std::nullopt;
        holder.process = *process;
        holder.host = host_name();
    }
    const auto age = std::chrono::system_clock::now() - modified(status);
    holder.age = std::max(std::chrono::duration_cast<std::chrono::seconds>(age), std::chrono::seconds(0));
    return holder;
}

}  // namespace hfhub
