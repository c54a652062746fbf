#include "core/atomic_file.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

using namespace hfhub;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// Sets the umask while it lives.
class Umask {
  public:
    explicit Umask(mode_t mask) : former_(::umask(mask)) {}
    ~Umask() { ::umask(former_); }

  private:
    mode_t former_;
};

std::size_t entries_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

int code_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const FileError& error) {
        return error.code.value();
    }
    return 0;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("a file written atomically has the content and mode, and leaves nothing else behind") {
    const TemporaryFolder folder;
    const Umask mask(022);
    write_file_atomically(folder / "f", "one");
    CHECK(read_file(folder / "f", 100) == "one");
    CHECK(mode_of(folder / "f") == 0644);
    write_file_atomically(folder / "f", "", {.mode = 0600, .sync = true});
    CHECK(read_file(folder / "f", 100).empty());
    CHECK(mode_of(folder / "f") == 0600);
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("readers of a file that is being replaced never see a part of it") {
    const TemporaryFolder folder;
    const std::string a(300'000, 'a'), b(10, 'b');
    write_file_atomically(folder / "f", a);
    std::atomic<bool> done = false;
    std::thread writer([&] {
        for (int i = 0; i < 100; ++i) write_file_atomically(folder / "f", i % 2 ? a : b);
        done = true;
    });
    int torn = 0;
    do {
        const auto content = read_file(folder / "f", 1'000'000);
        if (content != a && content != b) ++torn;
    } while (!done);
    writer.join();
    CHECK(torn == 0);
}

TEST_CASE("a failed write changes nothing and cleans up") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "d" / "inside");
    CHECK(code_of([&] { write_file_atomically(folder / "d", "x"); }) == EISDIR);
    CHECK(entries_in(folder.path()) == 1);
    CHECK(code_of([&] { write_file_atomically(folder / "missing" / "f", "x"); }) == ENOENT);
}

TEST_CASE("a full disk is an error that says what to do") {
    const TemporaryFolder folder;
    OutputFile full("/dev/full", OutputFile::Open::truncate);
    try {
        full.write_at(0, bytes_of("x"));
        FAIL("written");
    } catch (const FileError& error) {
        CHECK(error.code.value() == ENOSPC);
        CHECK(error.type() == "IoError");
        CHECK(std::string(error.what()) ==
              "cannot write /dev/full: No space left on device; free some space, or let HF_HOME name a folder on "
              "another disk");
    }
}

TEST_CASE("the temporary file of the longest possible name has a possible name") {
    const TemporaryFolder folder;
    const std::string longest(255, 'n');
    write_file_atomically(folder / longest, "x");
    CHECK(read_file(folder / longest, 10) == "x");
    CHECK(code_of([&] { write_file_atomically(folder / (longest + "n"), "x"); }) == ENAMETOOLONG);
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("names are cut between characters") {
    CHECK(name_with_suffix("abc", ".tmp") == "abc.tmp");
    std::string accents;
    for (int i = 0; i < 127; ++i) accents += "\xc3\xa9";  // 254 bytes
    const auto cut = name_with_suffix(accents, ".tmp");
    CHECK(cut == accents.substr(0, 250) + ".tmp");
    CHECK(name_with_suffix("x" + accents, ".tmp") == "x" + accents.substr(0, 250) + ".tmp");
    CHECK(name_with_suffix("xy" + accents, ".tmp") == "xy" + accents.substr(0, 248) + ".tmp");
}

TEST_CASE("reading a missing file is an error or nothing, as asked") {
    const TemporaryFolder folder;
    CHECK(code_of([&] { read_file(folder / "no", 10); }) == ENOENT);
    CHECK(!read_file_if_exists(folder / "no", 10));
    write_file_atomically(folder / "f", "x");
    CHECK(!read_file_if_exists(folder / "f" / "below", 10));
    CHECK(read_file_if_exists(folder / "f", 10) == "x");
    CHECK(code_of([&] { read_file_if_exists(folder.path(), 10); }) == EISDIR);
}

TEST_CASE("a file above the limit is refused") {
    const TemporaryFolder folder;
    write_file_atomically(folder / "f", std::string(10'000, 'x'));
    CHECK(read_file(folder / "f", 10'000).size() == 10'000);
    CHECK_THROWS_AS(read_file(folder / "f", 9'999), IoError);
    CHECK_THROWS_AS(read_file("/dev/zero", 1000), IoError);
}

TEST_CASE("secrets are readable by their owner only, from the start and again") {
    const TemporaryFolder folder;
    const Umask mask(0);
    const auto path = folder / "a" / "b" / "token";
    write_secret_file(path, "secret");
    CHECK(read_file(path, 100) == "secret");
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(folder / "a" / "b") == 0700);
    fs::permissions(path, fs::perms(0644));
    fs::permissions(folder / "a" / "b", fs::perms(0755));
    write_secret_file(path, "new");
    CHECK(read_file(path, 100) == "new");
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(folder / "a" / "b") == 0700);
}

TEST_CASE("a secret in a folder for all leaves that folder as it is") {
    const TemporaryFolder folder;
    REQUIRE(::chmod(folder.path().c_str(), 01777) == 0);
    write_secret_file(folder / "token", "secret");
    CHECK(mode_of(folder.path()) == 01777);
    CHECK(mode_of(folder / "token") == 0600);
}

TEST_CASE("folders are created with those above them, once or again") {
    const TemporaryFolder folder;
    make_directories(folder / "a" / "b");
    make_directories(folder / "a" / "b");
    CHECK(fs::is_directory(folder / "a" / "b"));
    write_file_atomically(folder / "f", "x");
    CHECK(code_of([&] { make_directories(folder / "f"); }) == ENOTDIR);
    CHECK(code_of([&] { make_directories(folder / "f" / "d"); }) == ENOTDIR);
}

TEST_CASE("moving replaces the destination") {
    const TemporaryFolder folder;
    write_file_atomically(folder / "from", "new");
    write_file_atomically(folder / "to", "old");
    move_file(folder / "from", folder / "to");
    CHECK(read_file(folder / "to", 10) == "new");
    CHECK(!fs::exists(folder / "from"));
    CHECK(code_of([&] { move_file(folder / "from", folder / "to"); }) == ENOENT);
}

TEST_CASE("moving to another file system copies") {
    const TemporaryFolder folder;
    const TemporaryFolder other("/dev/shm");
    struct stat here{}, there{};
    REQUIRE(::stat(folder.path().c_str(), &here) == 0);
    REQUIRE(::stat(other.path().c_str(), &there) == 0);
    if (here.st_dev == there.st_dev) return;  // only one file system on this machine
    const std::string content(3'000'000, 'x');
    write_file_atomically(folder / "from", content);
    move_file(folder / "from", other / "to");
    CHECK(read_file(other / "to", 4'000'000) == content);
    CHECK(!fs::exists(folder / "from"));
    CHECK(entries_in(other.path()) == 1);
}

TEST_CASE("a copy is as open to others as the umask allows, whatever its source, and a failed one leaves nothing") {
    const TemporaryFolder folder;
    const Umask mask(002);
    write_file_atomically(folder / "from", "x", {.mode = 0400});
    copy_file_atomically(folder / "from", folder / "to");
    CHECK(read_file(folder / "to", 10) == "x");
    CHECK(mode_of(folder / "to") == 0664);
    CHECK(code_of([&] { copy_file_atomically(folder / "no", folder / "to2"); }) == ENOENT);
    CHECK(entries_in(folder.path()) == 2);
}

TEST_CASE("a copy is made in steps, and not at all where it is given up") {
    const TemporaryFolder folder;
    const std::string content(1'000'000, 'x');
    write_file_atomically(folder / "from", content);
    write_file_atomically(folder / "to", "former");
    {
        FileCopy given_up(folder / "from", folder / "to");
        CHECK(given_up.step(600'000));
        CHECK(entries_in(folder.path()) == 3);
    }
    CHECK(entries_in(folder.path()) == 2);
    CHECK(read_file(folder / "to", 100) == "former");
    FileCopy copy(folder / "from", folder / "to");
    CHECK(copy.step(600'000));
    CHECK(read_file(folder / "to", 100) == "former");
    while (copy.step(600'000)) {
    }
    CHECK(read_file(folder / "to", 2'000'000) == content);
    CHECK(entries_in(folder.path()) == 2);
}

TEST_CASE("what the kernel cannot copy is read and written") {
    const TemporaryFolder folder;
    // These have no size, and cannot be copied from.
    copy_file_atomically("/proc/self/status", folder / "to");
    CHECK(read_file(folder / "to", 1 << 20).starts_with("Name:"));
    CHECK(code_of([&] { copy_file_atomically(folder.path(), folder / "to2"); }) == EISDIR);
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("links are relative and replace what is there") {
    const TemporaryFolder folder;
    make_directories(folder / "blobs");
    make_directories(folder / "snapshots" / "c" / "sub");
    write_file_atomically(folder / "blobs" / "x", "content");
    const auto link = folder / "snapshots" / "c" / "sub" / "f";
    CHECK(try_symlink(folder / "blobs" / "x", link));
    CHECK(fs::read_symlink(link) == "../../../blobs/x");
    CHECK(read_file(link, 100) == "content");
    CHECK(try_symlink(folder / "blobs" / "x", link));
    CHECK(try_symlink(folder / "blobs" / "y", link));
    CHECK(fs::read_symlink(link) == "../../../blobs/y");
    fs::remove(link);
    write_file_atomically(link, "plain");
    CHECK(try_symlink(folder / "blobs" / "x", link));
    CHECK(fs::is_symlink(link));
    CHECK(entries_in(link.parent_path()) == 1);
    CHECK(code_of([&] { try_symlink(folder / "blobs" / "x", folder / "missing" / "f"); }) == ENOENT);
}

TEST_CASE("a new link has its name from the first moment on") {
    const TemporaryFolder folder;
    static std::vector<std::string> made;
    made.clear();
    const MakeLink note = [](const char* target, int at, const char* link) {
        made.emplace_back(link);
        return ::symlinkat(target, at, link);
    };
    CHECK(try_symlink(folder / "x", folder / "link", note));
    CHECK(made == std::vector<std::string>{folder / "link"});
}

TEST_CASE("a temporary file may be in another folder") {
    const TemporaryFolder folder;
    make_directories(folder / "refs");
    make_directories(folder / "refs/dir");
    CHECK_THROWS_AS(write_file_atomically(folder / "refs/dir", "x", {.temporary_folder = folder / "missing"}),
                    FileError);
    write_file_atomically(folder / "refs/main", "commit", {.temporary_folder = folder.path()});
    CHECK(read_file(folder / "refs/main", 100) == "commit");
    CHECK(entries_in(folder / "refs") == 2);
    CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("a file system without links is told from other failures") {
    const TemporaryFolder folder;
    for (const MakeLink refuse : {+[](const char*, int, const char*) { return errno = EPERM, -1; },
                                  +[](const char*, int, const char*) { return errno = ENOSYS, -1; },
                                  +[](const char*, int, const char*) { return errno = EOPNOTSUPP, -1; }}) {
        CHECK(!try_symlink(folder / "x", folder / "link", refuse));
    }
    const MakeLink full = [](const char*, int, const char*) { return errno = ENOSPC, -1; };
    CHECK(code_of([&] { try_symlink(folder / "x", folder / "link", full); }) == ENOSPC);
    CHECK(entries_in(folder.path()) == 0);
}

TEST_CASE("output files are written at any offset and read back") {
    const TemporaryFolder folder;
    OutputFile file(folder / "part", OutputFile::Open::create_new);
    CHECK(file.is_open());
    file.write_at(4, bytes_of("efgh"));
    file.write_at(0, bytes_of("abcd"));
    CHECK(file.size() == 8);
    std::array<std::byte, 16> buffer{};
    CHECK(file.read_at(2, buffer) == 6);
    CHECK(static_cast<char>(buffer[0]) == 'c');
    CHECK(file.read_at(8, buffer) == 0);
    file.truncate(3);
    file.sync();
    file.close();
    CHECK(!file.is_open());
    file.close();
    CHECK(read_file(folder / "part", 100) == "abc");
}

TEST_CASE("output files are created anew, opened or emptied") {
    const TemporaryFolder folder;
    write_file_atomically(folder / "part", "abc");
    CHECK(code_of([&] { OutputFile(folder / "part", OutputFile::Open::create_new); }) == EEXIST);
    CHECK(OutputFile(folder / "part", OutputFile::Open::existing).size() == 3);
    CHECK(OutputFile(folder / "part", OutputFile::Open::truncate).size() == 0);
    CHECK(code_of([&] { OutputFile(folder / "no", OutputFile::Open::existing); }) == ENOENT);
    CHECK(code_of([&] { OutputFile(folder.path(), OutputFile::Open::existing); }) == EISDIR);
}

TEST_CASE("a file that is written on is no link, no pipe, and has no second name") {
    const TemporaryFolder folder;
    write_file_atomically(folder / "other", "abc");
    fs::create_symlink("other", folder / "link");
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    const auto open = [&](const char* name) {
        return code_of([&] { OutputFile(folder / name, OutputFile::Open::existing); });
    };
    CHECK(open("link") == ELOOP);
    CHECK(open("pipe") == EPERM);
    fs::create_hard_link(folder / "other", folder / "second name");
    CHECK(open("other") == EPERM);
    CHECK(::fcntl(lowest_free, F_GETFD) == -1);
}

TEST_CASE("a file that is open knows whether it has its name") {
    const TemporaryFolder folder;
    OutputFile file(folder / "a", OutputFile::Open::create_new);
    CHECK(file.is_named());
    file.move_to(folder / "b");
    CHECK(file.path() == folder / "b");
    CHECK(file.is_named());
    write_file_atomically(folder / "b", "");
    CHECK(!file.is_named());
    fs::remove(folder / "b");
    CHECK(!file.is_named());
}

TEST_CASE("output files move, are closed with their owner, and are not inherited by programs") {
    const TemporaryFolder folder;
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    {
        OutputFile a(folder / "a", OutputFile::Open::create_new);
        CHECK((::fcntl(lowest_free, F_GETFD) & FD_CLOEXEC) != 0);
        OutputFile b(std::move(a));
        CHECK(!a.is_open());
        OutputFile c;
        c = std::move(b);
        c.write_at(0, bytes_of("x"));
        CHECK(c.path() == folder / "a");
    }
    CHECK(::fcntl(lowest_free, F_GETFD) == -1);
}
