#include "hub/part_file.hpp"

#include "../core/temporary_folder.hpp"
#include "file_server.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <chrono>

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
void leave(const fs::path& folder, std::size_t size) {
    PartFile part(folder, sha, wanted());
    part.append(bytes(content).first(size));
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a part is taken over where its lock excludes, or where it is abandoned") {
    const auto may = [](FoundPart part) { return may_take_over(part, 100); };
    CHECK(may({.bytes = 1, .lock_excludes = true, .from_this_host = true}));
    CHECK(!may({.bytes = 1, .lock_excludes = true, .from_this_host = false}));
    CHECK(!may({.bytes = 1, .lock_excludes = false, .from_this_host = true}));
    CHECK(!may({.bytes = 1, .idle = 599s}));
    CHECK(may({.bytes = 1, .idle = 600s}));
    CHECK(!may({.bytes = 0, .lock_excludes = true, .from_this_host = true}));
    CHECK(may({.bytes = 100, .lock_excludes = true, .from_this_host = true}));
    CHECK(!may({.bytes = 101, .lock_excludes = true, .from_this_host = true}));
    CHECK(may_take_over({.bytes = 101, .idle = 600s}, std::nullopt));
}

TEST_CASE("parts are named as Python names its own") {
    const std::string name = new_part_name("e");
    CHECK(name.size() == std::string("e.01234567.incomplete").size());
    CHECK(read_part_name(name, "e").matches);
    CHECK(read_part_name(name, "e").from_this_host);
    CHECK(read_part_name("e.incomplete", "e").matches);
    CHECK(!read_part_name("e.incomplete", "e").from_this_host);
    for (const char* other : {"e", "f.01234567.incomplete", "e.0123456.incomplete", "e.0123456x.incomplete",
                              "e.01234567.incomplete.soft", "ee.01234567.incomplete", "e.01234567", ".incomplete"}) {
        CAPTURE(other);
        CHECK(!read_part_name(other, "e").matches);
    }
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
