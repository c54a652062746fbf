#include "hub/part_file.hpp"

#include "../core/temporary_folder.hpp"
#include "file_server.hpp"
#include "hub/part_name.hpp"
#include "hub/part_search.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <sys/file.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

using namespace hfhub;
using namespace hfhub::hub;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const std::string content = test::test_bytes(100'000);
const std::string sha = sha256_hex(content);

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

PartContent wanted() { return {sha, content.size()}; }

/// What an interrupted transfer leaves.
void leave(const fs::path& folder, std::size_t size, PartLocks locks = {}) {
    PartFile part(folder, sha, wanted(), true, locks);
    part.append(bytes(content).first(size));
}

/// File systems whose locks are granted to everybody, and such as have none.
PartLocks lying_locks() {
    return {[](int, int) { return 0; }};
}
PartLocks no_locks() {
    return {[](int, int) { return errno = ENOLCK, -1; }};
}

void make_idle(const fs::path& path, std::chrono::seconds age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
}

fs::path soft_lock_of(const PartFile& part) { return part.path().string() + ".soft"; }

/// Fetches the content as a whole.
void complete(PartFile& part, const fs::path& target) {
    part.hash_more(part.unhashed());
    part.append(bytes(content).subspan(part.position()));
    part.verify();
    part.publish(target);
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a part is taken over where its lock binds whoever may have it, or where it is abandoned") {
    const auto may = [](FoundPart part) { return may_take_over(part, 100); };
    CHECK(may({.bytes = 1, .from_this_host = true}));
    CHECK(!may({.bytes = 1, .from_this_host = false}));
    CHECK(!may({.bytes = 1, .idle = 599s}));
    CHECK(may({.bytes = 1, .idle = 600s}));
    CHECK(!may({.bytes = 0, .from_this_host = true}));
    CHECK(may({.bytes = 100, .from_this_host = true}));
    CHECK(!may({.bytes = 101, .from_this_host = true}));
    CHECK(may_take_over({.bytes = 101, .idle = 600s}, std::nullopt));
}

TEST_CASE("a part is deleted only where nobody can be writing to it") {
    CHECK(may_delete({.bytes = 1, .from_this_host = true}));
    CHECK(may_delete({.bytes = 1, .idle = 600s}));
    CHECK(!may_delete({.bytes = 1, .idle = 599s}));
    CHECK(may_delete({.bytes = 0, .from_this_host = true}));
    CHECK(!may_delete({.bytes = 0}));
}

TEST_CASE("a whole part gets its last name") {
    const TemporaryFolder folder;
    {
        PartFile part(folder.path(), sha, wanted());
        part.append(bytes(content));
        part.verify();
        part.publish(folder / sha);
    }
    CHECK(read_file(folder / sha, 1 << 20) == content);
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("an interrupted transfer is gone on with, whoever began it") {
    const TemporaryFolder folder;
    leave(folder.path(), 60'000);
    CHECK(files_in(folder.path()) == 1);
    PartFile part(folder.path(), sha, wanted());
    CHECK(files_in(folder.path()) == 1);
    CHECK(part.position() == 60'000);
    CHECK(part.unhashed() == 60'000);
    part.hash_more(1);
    part.hash_more(100'000);
    CHECK(part.unhashed() == 0);
    part.append(bytes(content).subspan(60'000));
    CHECK_NOTHROW(part.verify());
}

TEST_CASE("a part that is in use is not shared") {
    const TemporaryFolder folder;
    PartFile first(folder.path(), sha, wanted());
    first.append(bytes(content).first(10));
    PartFile second(folder.path(), sha, wanted());
    CHECK(second.position() == 0);
    CHECK(first.path() != second.path());
}

TEST_CASE("a stranger's part is taken over only after it was idle") {
    const TemporaryFolder folder;
    const fs::path theirs = folder / (sha + ".incomplete");
    write_file_atomically(theirs, content.substr(0, 10));
    CHECK(PartFile(folder.path(), sha, wanted()).position() == 0);
    fs::last_write_time(theirs, fs::file_time_type::clock::now() - 11min);
    CHECK(PartFile(folder.path(), sha, wanted()).position() == 10);
}

TEST_CASE("the largest part is taken over, but none that is too large") {
    const TemporaryFolder folder;
    {
        PartFile small(folder.path(), sha, wanted());
        PartFile large(folder.path(), sha, wanted());
        small.append(bytes(content).first(10));
        large.append(bytes(content).first(20));
    }
    CHECK(PartFile(folder.path(), sha, wanted()).position() == 20);
    CHECK(PartFile(folder.path(), sha, {sha, 15}).position() == 10);
    CHECK(PartFile(folder.path(), sha, wanted(), false).position() == 0);
}

TEST_CASE("a part without bytes, or without a hash to check it by, is not kept") {
    const TemporaryFolder folder;
    leave(folder.path(), 0);
    CHECK(files_in(folder.path()) == 0);
    {
        PartFile part(folder.path(), "abc", {"abc", content.size()});
        part.append(bytes(content).first(10));
    }
    CHECK(files_in(folder.path()) == 0);
    {
        PartFile part(folder.path(), sha, wanted());
        part.append(bytes(content).first(10));
        part.discard();
    }
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("what does not match length or hash is refused") {
    const TemporaryFolder folder;
    PartFile part(folder.path(), sha, wanted());
    part.append(bytes(content).first(99'999));
    CHECK_THROWS_WITH_AS(part.verify(), doctest::Contains("99999 bytes instead of 100000"), IntegrityError);
    part.append(bytes("!"));
    CHECK_THROWS_WITH_AS(part.verify(), doctest::Contains(sha.c_str()), IntegrityError);
    part.restart();
    CHECK(part.position() == 0);
    part.append(bytes(content));
    CHECK_NOTHROW(part.verify());
}

TEST_CASE("a damaged part that was taken over is found by the hash") {
    const TemporaryFolder folder;
    leave(folder.path(), 60'000);
    const fs::path left = fs::directory_iterator(folder.path())->path();
    OutputFile(left, OutputFile::Open::existing).write_at(100, bytes("damaged"));
    PartFile part(folder.path(), sha, wanted());
    part.hash_more(60'000);
    part.append(bytes(content).subspan(60'000));
    CHECK_THROWS_AS(part.verify(), IntegrityError);
}

TEST_CASE("git's hash is checked, also where the length becomes known late or never") {
    const std::string git = test::git_sha1_of(content);
    for (const int known : {0, 1, 2}) {
        CAPTURE(known);
        const TemporaryFolder folder;
        PartContent what{git, {}};
        if (known == 2) what.size = content.size();
        PartFile part(folder.path(), git, what);
        if (known == 1) part.set_size(content.size());
        part.append(bytes(content).first(10));
        part.append(bytes(content).subspan(10));
        CHECK_NOTHROW(part.verify());
        part.restart();
        part.append(bytes(content).first(99'999));
        part.append(bytes("!"));
        CHECK_THROWS_AS(part.verify(), IntegrityError);
    }
}

TEST_CASE("hashes are not checked where that was not wanted") {
    const TemporaryFolder folder;
    PartFile part(folder.path(), sha, {sha, 3, false});
    part.append(bytes("abc"));
    CHECK_NOTHROW(part.verify());
    part.append(bytes("d"));
    CHECK_THROWS_AS(part.verify(), IntegrityError);
}

TEST_CASE("a content that cannot fit is refused before it is fetched") {
    const TemporaryFolder folder;
    const std::uint64_t huge = std::uint64_t{1} << 60;
    try {
        PartFile part(folder.path(), sha, {sha, huge});
        FAIL("must throw");
    } catch (const FileError& error) {
        CHECK(error.code == std::errc::no_space_on_device);
    }
    CHECK(files_in(folder.path()) == 0);
    CHECK_NOTHROW(PartFile(folder.path(), sha, {sha, huge, true, false}));
}

TEST_CASE("a planted link, or a second name of another file, is not written to") {
    const TemporaryFolder folder, outside;
    const fs::path profile = outside / "profile";
    write_file_atomically(profile, content.substr(0, 10));
    make_idle(profile, 1h);
    for (const bool hard : {false, true}) {
        for (const std::string& name : {sha + ".incomplete", new_part_name(sha)}) {
            CAPTURE(hard);
            CAPTURE(name);
            if (hard) {
                fs::create_hard_link(profile, folder / name);
            } else {
                fs::create_symlink(profile, folder / name);
            }
            PartFile part(folder.path(), sha, wanted());
            CHECK(part.position() == 0);
            complete(part, folder / "whole");
            CHECK(read_file(profile, 100) == content.substr(0, 10));
            fs::remove(folder / name);
        }
    }
}

TEST_CASE("where locks are granted to everybody, no live part is touched") {
    const TemporaryFolder folder;
    PartFile empty(folder.path(), sha, wanted(), true, lying_locks());
    PartFile begun(folder.path(), sha, wanted(), true, lying_locks());
    begun.append(bytes(content).first(10));
    {
        PartFile other(folder.path(), sha, wanted(), true, lying_locks());
        CHECK(other.position() == 0);
        complete(other, folder / "whole");
    }
    CHECK(fs::exists(empty.path()));
    CHECK(fs::exists(begun.path()));
    CHECK_NOTHROW(complete(empty, folder / "whole"));
    CHECK_NOTHROW(complete(begun, folder / "whole"));
}

TEST_CASE("a part that Python is writing is left alone, also while it is empty") {
    for (const std::size_t size : {0, 10}) {
        const TemporaryFolder folder;
        // Without a lock, and with any digits.
        for (const char* digits : {".00000000", ".ffffffff", ""}) {
            write_file_atomically(folder / (sha + digits + ".incomplete"), content.substr(0, size));
        }
        PartFile part(folder.path(), sha, wanted());
        CHECK(part.position() == 0);
        complete(part, folder / "whole");
        CHECK(files_in(folder.path()) == 4);
    }
}

TEST_CASE("with soft locks a part is taken over under a new name, of which no lock remains") {
    for (const PartLocks locks : {no_locks(), lying_locks()}) {
        const TemporaryFolder folder;
        leave(folder.path(), 60'000, locks);
        REQUIRE(files_in(folder.path()) == 1);
        const fs::path left = fs::directory_iterator(folder.path())->path();
        {
            PartFile part(folder.path(), sha, wanted(), true, locks);
            CHECK(part.position() == 60'000);
            CHECK(part.path() != left);
            CHECK(!fs::exists(left));
            CHECK(fs::exists(soft_lock_of(part)));
            CHECK(files_in(folder.path()) == 2);
            PartFile second(folder.path(), sha, wanted(), true, locks);
            CHECK(second.position() == 0);
            complete(part, folder / "whole");
        }
        CHECK(files_in(folder.path()) == 1);
        CHECK(read_file(folder / "whole", 1 << 20) == content);
    }
}

TEST_CASE("without a descriptor for its lock no part is begun") {
    const TemporaryFolder folder;
    const PartLocks none{[](int, int) { return errno = EMFILE, -1; }};
    CHECK_THROWS_WITH_AS(PartFile(folder.path(), sha, wanted(), true, none), doctest::Contains("ulimit"), FileError);
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("who was thought dead does not write to a part that another has taken over") {
    for (const bool renamed : {false, true}) {
        CAPTURE(renamed);
        const TemporaryFolder folder;
        PartLocks locks = renamed ? lying_locks() : no_locks();
        locks.look_interval = 0ms;
        {
            PartFile part(folder.path(), sha, wanted(), true, locks);
            part.append(bytes(content).first(50'000));
            const fs::path own = part.path();
            if (renamed) {
                fs::rename(own, folder / "theirs");
            } else {
                write_file_atomically(soft_lock_of(part), "1\nelsewhere\n1\n");
            }
            CHECK_THROWS_WITH_AS(part.append(bytes(content).first(10)), doctest::Contains("taken over"), IoError);
            CHECK_THROWS_AS(part.restart(), IoError);
            CHECK_THROWS_AS(part.publish(folder / "whole"), IoError);
            part.discard();
            CHECK(fs::file_size(renamed ? folder / "theirs" : own) == 50'000);
        }
        CHECK(!fs::exists(folder / "whole"));
        CHECK(files_in(folder.path()) == (renamed ? 1 : 2));
    }
}

TEST_CASE("a part that was shortened by somebody is not published") {
    const TemporaryFolder folder;
    PartFile part(folder.path(), sha, wanted());
    part.append(bytes(content));
    fs::resize_file(part.path(), 10);
    CHECK_THROWS_AS(part.verify(), IntegrityError);
}

TEST_CASE("once the content is there, what earlier transfers have left of it goes") {
    const TemporaryFolder folder;
    const auto put = [&](const std::string& name, std::size_t size, std::chrono::seconds age) {
        write_file_atomically(folder / name, content.substr(0, size));
        make_idle(folder / name, age);
        return folder / name;
    };
    const std::vector<fs::path> useless{put(new_part_name(sha), 10, 0s), put(new_part_name(sha), 20, 0s),
                                        put(new_part_name(sha), 0, 0s), put(sha + ".01234567.incomplete", 5, 700s)};
    const std::vector<fs::path> needed{put(sha + ".76543210.incomplete", 5, 0s), put(new_part_name("other"), 10, 700s),
                                       put("mine", 10, 700s)};
    PartFile live(folder.path(), sha, wanted(), false);
    live.append(bytes(content).first(10));
    {
        PartFile part(folder.path(), sha, wanted());
        CHECK(part.position() == 20);
        complete(part, folder / "whole");
    }
    for (const fs::path& path : useless) CHECK(!fs::exists(path));
    for (const fs::path& path : needed) CHECK(fs::exists(path));
    CHECK(fs::exists(live.path()));
    CHECK_NOTHROW(complete(live, folder / "whole"));
}

TEST_CASE("a part that was just made is not deleted as one that was left empty") {
    const TemporaryFolder folder;
    std::atomic<bool> ended = false;
    std::jthread cleaner([&] {
        while (!ended) delete_left_parts(find_left_parts(folder.path(), sha), std::chrono::system_clock::now());
    });
    for (int i = 0; i < 300; ++i) {
        PartFile part(folder.path(), sha, wanted());
        CHECK_NOTHROW(part.keep_alive());
        CHECK(fs::exists(part.path()));
        part.discard();
    }
    ended = true;
}

TEST_CASE("several transfers are not begun where only one of them fits on the disk") {
    const TemporaryFolder folder;
    struct statvfs status{};
    REQUIRE(::statvfs(folder.path().c_str(), &status) == 0);
    const std::uint64_t most = *free_space(status) / 3 * 2;
    {
        PartFile first(folder.path(), sha, {sha, most});
        CHECK_THROWS_WITH_AS(PartFile(folder.path(), "other", {"other", most}), doctest::Contains("for other files"),
                             FileError);
        CHECK_NOTHROW(PartFile(folder.path(), "other", {.etag = "other", .size = most, .check_disk_space = false}));
    }
    CHECK_NOTHROW(PartFile(folder.path(), "other", {"other", most}));
}

TEST_CASE("a claim shrinks as bytes are written, and ends") {
    constexpr std::uint64_t device = 1'000'001;
    {
        SpaceClaim first, second;
        CHECK(first.try_claim(device, 60, 100));
        CHECK(!second.try_claim(device, 41, 100));
        CHECK(second.try_claim(device + 1, 100, 100));
        first.resize(10);
        CHECK(second.try_claim(device, 90, 100));
        CHECK(SpaceClaim::claimed(device) == 100);
        CHECK(!first.try_claim(device, 11, 100));
    }
    CHECK(SpaceClaim::claimed(device) == 0);
}

TEST_CASE("a huge folder is not read for each file that is fetched into it") {
    const TemporaryFolder folder;
    for (int i = 0; i < 1200; ++i) write_file_atomically(folder / std::to_string(i), "");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(unfinished_names(folder.path()).empty());
    write_file_atomically(folder / (sha + ".incomplete"), "by another process");
    const bool still_known = unfinished_names(folder.path()).empty();
    if (std::chrono::steady_clock::now() - begin < 1s) CHECK(still_known);
    leave(folder.path(), 10);
    CHECK(unfinished_names(folder.path()).size() == 2);
    CHECK(PartFile(folder.path(), sha, wanted()).position() == 10);
}

TEST_CASE("a file system that does not tell its size is not taken for full") {
    struct statvfs status{};
    CHECK(!free_space(status));
    status.f_blocks = 10;
    CHECK(free_space(status) == 0);
    status.f_bavail = 3;
    status.f_frsize = 4096;
    CHECK(free_space(status) == 3 * 4096);
}
