#include "core/file_lock.hpp"

#include "core/atomic_file.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

using namespace hfhub;
namespace fs = std::filesystem;

namespace {

template <int Error>
int refuse(int, int) {
    return errno = Error, -1;
}
constexpr FileLock::Flock no_flock = refuse<ENOSYS>;
constexpr FileLock::Flock lying_flock = [](int, int) { return 0; };

/// In which the numbers of processes count here.
std::string own_process_space() { return fs::read_symlink("/proc/self/ns/pid").string(); }

void make_older(const fs::path& path, std::chrono::seconds age) {
    timespec times[2] = {};
    times[0].tv_sec = times[1].tv_sec = ::time(nullptr) - age.count();
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::string own_host() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

/// Id of a process that has ended and was waited for.
pid_t dead_process() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    return child;
}

/// Exit status of a child that runs the function.
template <class F>
int in_child(F function) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(function());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

std::size_t entries_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("only one holds a lock, and its file stays") {
    const TemporaryFolder folder;
    const auto path = folder / "locks" / "repo" / "etag.lock";
    FileLock a(path), b(path);
    CHECK(a.try_lock());
    CHECK(a.try_lock());
    CHECK(a.owns_lock());
    CHECK(!a.is_soft());
    CHECK(!b.try_lock());
    CHECK(!b.owns_lock());
    a.unlock();
    a.unlock();
    CHECK(fs::exists(path));
    CHECK(b.try_lock());
    CHECK(entries_in(path.parent_path()) == 1);
}

TEST_CASE("a lock ends with its object and with its process") {
    const TemporaryFolder folder;
    const auto path = folder / "l";
    {
        CHECK(FileLock(path).try_lock());
    }
    FileLock lock(path);
    CHECK(lock.try_lock());
    lock.unlock();
    CHECK(in_child([&] {
              static FileLock leaked(path);
              return leaked.try_lock() ? 7 : 1;
          }) == 7);
    CHECK(lock.try_lock());
}

TEST_CASE("another process sees the lock") {
    const TemporaryFolder folder;
    const auto path = folder / "l";
    FileLock lock(path);
    REQUIRE(lock.try_lock());
    CHECK(in_child([&] { return FileLock(path).try_lock() ? 1 : 7; }) == 7);
}

TEST_CASE("a forked child does not release its parent's lock") {
    const TemporaryFolder folder;
    for (const auto flock : {FileLock::Flock(::flock), no_flock}) {
        FileLock lock(folder / "l", flock);
        REQUIRE(lock.try_lock());
        CHECK(in_child([&] { return lock.unlock(), 7; }) == 7);
        FileLock other(folder / "l", flock);
        CHECK(!other.try_lock());
    }
}

TEST_CASE("lock files are open to the group as far as the umask allows") {
    const TemporaryFolder folder;
    const auto former = ::umask(002);
    FileLock lock(folder / "l");
    CHECK(lock.try_lock());
    ::umask(former);
    struct stat status{};
    REQUIRE(::stat((folder / "l").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0664);
}

TEST_CASE("a lock on a deleted file is not taken for the lock") {
    const TemporaryFolder folder;
    const auto path = folder / "l";
    FileLock a(path);
    REQUIRE(a.try_lock());
    fs::remove(path);
    FileLock b(path), c(path);
    CHECK(b.try_lock());
    CHECK(!c.try_lock());
}

TEST_CASE("file systems without flock, or whose flock everybody gets, get a soft lock") {
    const TemporaryFolder folder;
    for (const FileLock::Flock flock :
         {FileLock::Flock(refuse<ENOSYS>), FileLock::Flock(refuse<ENOLCK>), FileLock::Flock(refuse<EOPNOTSUPP>),
          FileLock::Flock(refuse<EINVAL>), lying_flock}) {
        FileLock a(folder / "l", flock), b(folder / "l", flock);
        CHECK(a.try_lock());
        CHECK(a.is_soft());
        CHECK(a.refresh());
        CHECK(!b.try_lock());
        const auto holder = b.holder();
        REQUIRE(holder);
        CHECK(holder->process == ::getpid());
        CHECK(holder->host == own_host());
        CHECK(holder->age < std::chrono::seconds(30));
        a.unlock();
        CHECK(!b.holder());
        CHECK(b.try_lock());
    }
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("other failures of flock are errors") {
    const TemporaryFolder folder;
    FileLock lock(folder / "l", refuse<EIO>);
    CHECK_THROWS_AS(lock.try_lock(), FileError);
    write_file_atomically(folder / "file", "");
    FileLock below_a_file(folder / "file" / "l");
    CHECK_THROWS_AS(below_a_file.try_lock(), FileError);
}

TEST_CASE("where no lock file may be made, that is the reason that is told") {
    const TemporaryFolder folder;
    fs::permissions(folder.path(), fs::perms(0555));
    const int status = in_child([&] {
        if (::geteuid() == 0 && ::seteuid(65534) != 0) return 2;
        try {
            FileLock(folder / "l").try_lock();
        } catch (const FileError& error) {
            return std::string_view(error.what()).find("Permission denied") == std::string_view::npos ? 3 : 0;
        }
        return 1;
    });
    CHECK(status == 0);
    fs::permissions(folder.path(), fs::perms(0755));
}

TEST_CASE("a soft lock is taken over once its process is dead") {
    const TemporaryFolder folder;
    const auto soft = folder / "l.soft";
    write_file_atomically(soft,
                          std::to_string(dead_process()) + "\n" + own_host() + "\n" + own_process_space() + "\n1\n");
    FileLock lock(folder / "l", no_flock);
    CHECK(lock.try_lock());
    CHECK(lock.holder()->process == ::getpid());
    lock.unlock();
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("a process of another host, or of another container with its name, is not judged by its number") {
    const TemporaryFolder folder;
    const std::string process = std::to_string(dead_process()) + "\n";
    FileLock lock(folder / "l", no_flock);
    write_file_atomically(folder / "l.soft", process + "elsewhere\n" + own_process_space() + "\n1\n");
    CHECK(!lock.try_lock());
    CHECK(lock.holder()->host == "elsewhere");
    write_file_atomically(folder / "l.soft", process + own_host() + "\npid:[1]\n1\n");
    CHECK(!lock.try_lock());
}

TEST_CASE("a soft lock is taken over after a minute without a sign of life") {
    const TemporaryFolder folder;
    const auto soft = folder / "l.soft";
    write_file_atomically(soft, "1\nelsewhere\n1\n");
    FileLock lock(folder / "l", no_flock);
    make_older(soft, std::chrono::seconds(50));
    CHECK(!lock.try_lock());
    make_older(soft, std::chrono::seconds(70));
    CHECK(lock.try_lock());
}

TEST_CASE("a holder that is still writing its name is not disturbed") {
    const TemporaryFolder folder;
    write_file_atomically(folder / "l.soft", "");
    FileLock lock(folder / "l", no_flock);
    CHECK(!lock.try_lock());
}

TEST_CASE("refreshing keeps a soft lock alive, and tells when it was lost") {
    const TemporaryFolder folder;
    const auto soft = folder / "l.soft";
    FileLock a(folder / "l", no_flock), b(folder / "l", no_flock);
    REQUIRE(a.try_lock());
    make_older(soft, std::chrono::seconds(70));
    CHECK(a.refresh());
    CHECK(!b.try_lock());
    make_older(soft, std::chrono::seconds(70));
    CHECK(b.try_lock());
    CHECK(!a.refresh());
    CHECK(!a.owns_lock());
    a.unlock();
    FileLock c(folder / "l", no_flock);
    CHECK(!c.try_lock());
}

TEST_CASE("a lock file that is a link or no file is refused, and leads nowhere") {
    const TemporaryFolder folder;
    fs::create_symlink(folder / "created by nobody", folder / "l");
    CHECK_THROWS_WITH_AS(FileLock(folder / "l").try_lock(), doctest::Contains("delete it"), FileError);
    CHECK(!fs::exists(folder / "created by nobody"));
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK_THROWS_AS(FileLock(folder / "pipe").try_lock(), FileError);
}

TEST_CASE("the lock on a file that holds something else needs that file, and leaves it as it is") {
    const TemporaryFolder folder;
    const auto try_lock = [](const fs::path& path, FileLock::Flock flock = nullptr) {
        return FileLock(path, flock, FileLock::File::existing).try_lock();
    };
    CHECK(!try_lock(folder / "sub" / "no"));
    CHECK(entries_in(folder.path()) == 0);
    write_file_atomically(folder / "part", "x");
    CHECK(try_lock(folder / "part"));
    fs::create_symlink("part", folder / "link");
    CHECK(!try_lock(folder / "link"));
    make_older(folder / "part", std::chrono::hours(1));
    const auto age = fs::last_write_time(folder / "part");
    write_file_atomically(folder / "part.soft", "1\nelsewhere\n1\n");
    CHECK(!try_lock(folder / "part", no_flock));
    CHECK(fs::last_write_time(folder / "part") == age);
    CHECK(entries_in(folder.path()) == 3);
    fs::create_hard_link(folder / "part", folder / "second name");
    CHECK(!try_lock(folder / "part"));
}

TEST_CASE("long names that differ only at the end have soft locks of their own") {
    const TemporaryFolder folder;
    const std::string stem(254, 'n');
    FileLock a(folder / (stem + "a"), no_flock), b(folder / (stem + "b"), no_flock), c(folder / (stem + "a"), no_flock);
    CHECK(a.try_lock());
    CHECK(b.try_lock());
    CHECK(!c.try_lock());
}

TEST_CASE("the kernel's list tells who holds flock") {
    const std::string_view locks =
        "1: FLOCK  ADVISORY  WRITE 17 fe:00:4711 0 EOF\n"
        "2: POSIX  ADVISORY  WRITE 18 fe:00:4712 0 EOF\n"
        "3: FLOCK  ADVISORY  WRITE 19 fe:01:4712 0 EOF\n"
        "3: -> FLOCK  ADVISORY  WRITE 20 fe:00:4713 0 EOF\n"
        "4: FLOCK  ADVISORY  WRITE 21 fe:00:4713 0 EOF\n";
    const std::uint64_t device = makedev(0xfe, 0);
    CHECK(flock_holder(locks, device, 4711) == 17);
    CHECK(!flock_holder(locks, device, 4712));
    CHECK(flock_holder(locks, device, 4713) == 21);
    CHECK(!flock_holder(locks, device, 471));
    CHECK(!flock_holder("", device, 4711));
}

TEST_CASE("who waits for a lock can say whom for, and since when") {
    const TemporaryFolder folder;
    FileLock lock(folder / "l"), other(folder / "l");
    REQUIRE(lock.try_lock());
    CHECK(!other.try_lock());
    const auto holder = other.holder();
    // Some file systems have another device number in the kernel's list.
    if (!holder) return;
    CHECK(holder->process == ::getpid());
    CHECK(!holder->host.empty());
    CHECK(holder->age < std::chrono::minutes(10));
    lock.unlock();
    CHECK(!other.holder());
}

TEST_CASE("threads that contend exclude each other") {
    const TemporaryFolder folder;
    for (const auto flock : {FileLock::Flock(::flock), no_flock, lying_flock}) {
        std::atomic<int> inside = 0, overlaps = 0, entries = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                FileLock lock(folder / "l", flock);
                for (int entered = 0; entered < 50;) {
                    if (!lock.try_lock()) {
                        std::this_thread::yield();
                        continue;
                    }
                    if (++inside != 1) ++overlaps;
                    ++entries;
                    --inside;
                    lock.unlock();
                    ++entered;
                }
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(overlaps == 0);
        CHECK(entries == 200);
    }
}
