#include "hub/local_folder.hpp"

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace hfhub;
using namespace hfhub::hub;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& path, std::string_view text) {
    make_directories(path.parent_path());
    write_file_atomically(path, text);
}

}  // namespace

TEST_CASE("metadata is three lines, read with blanks and Windows line ends") {
    const auto metadata = parse_local_metadata(" c0 \r\ne1\r\n1712656091.123\r\n");
    REQUIRE(metadata);
    CHECK(metadata->commit_hash == "c0");
    CHECK(metadata->etag == "e1");
    CHECK(metadata->timestamp == doctest::Approx(1712656091.123));
    CHECK(format_local_metadata(*metadata) == "c0\ne1\n1712656091.123000\n");
    for (const char* time :
         {"", "x", "12 x", "nan", "-nan", "nan(0)", "inf", "-inf", "-1", "1e300", "1e999", "253402300800"}) {
        CAPTURE(time);
        CHECK(!parse_local_metadata(std::string("c0\ne1\n") + time + "\n"));
    }
    for (const char* text : {"", "c0\n", "c0\ne1\n", "c0\ne1"}) CHECK(!parse_local_metadata(text));
}

TEST_CASE("paths are those of huggingface_hub") {
    const LocalPaths paths("/d", "a/b.txt");
    CHECK(paths.file.path() == "/d/a/b.txt");
    CHECK(paths.metadata.path() == "/d/.cache/huggingface/download/a/b.txt.metadata");
    CHECK(paths.lock.path() == "/d/.cache/huggingface/download/a/b.txt.lock");
    CHECK(paths.part_folder().path() == "/d/.cache/huggingface/download/a");
    // base64.urlsafe_b64encode(hashlib.sha1(b"b.txt.metadata").digest())
    CHECK(paths.part_stem("e") == "_uyS0o2qDePd8qnKbWnxUl4enPU=.e");
}

TEST_CASE("the longest possible name of a file leaves room for what is remembered of it") {
    for (const std::size_t length : {246, 247, 250, 251, 255}) {
        CAPTURE(length);
        const LocalPaths paths("/d", "sub/" + std::string(length, 'n'));
        CHECK(paths.file.path().filename().string().size() == length);
        for (const fs::path& kept : {paths.metadata.path(), paths.lock.path()}) {
            CHECK(kept.filename().string().size() <= 255);
            CHECK(kept.parent_path() == "/d/.cache/huggingface/download/sub");
        }
        const LocalPaths other("/d", "sub/" + std::string(length - 1, 'n') + "m");
        CHECK(paths.metadata.path() != other.metadata.path());
        CHECK(paths.lock.path() != other.lock.path());
    }
}

TEST_CASE("metadata counts only as long as the file is as old") {
    const TemporaryFolder folder;
    const LocalPaths paths(folder.path(), "f");
    prepare_local_folder(paths);
    CHECK(!read_local_metadata(paths));
    write_local_metadata(paths, "c", "e");
    CHECK(!read_local_metadata(paths));  // no file
    put(paths.file.path(), "x");
    REQUIRE(read_local_metadata(paths));
    CHECK(read_local_metadata(paths)->etag == "e");
    fs::last_write_time(paths.file.path(), fs::last_write_time(paths.file.path()) + std::chrono::seconds(10));
    CHECK(!read_local_metadata(paths));
}

TEST_CASE("damaged metadata counts as none, and stays: somebody may be writing it") {
    const TemporaryFolder folder;
    const LocalPaths paths(folder.path(), "f");
    put(paths.file.path(), "x");
    for (const std::string& damaged : {std::string(), std::string("c\ne\n"), std::string(5000, 'x')}) {
        put(paths.metadata.path(), damaged);
        CHECK(!read_local_metadata(paths));
        CHECK(read_file(paths.metadata.path(), 10'000) == damaged);
    }
    write_local_metadata(paths, "c", "e");
    CHECK(read_local_metadata(paths));
    forget_local_metadata(paths);
    CHECK(!read_local_metadata(paths));
    fs::create_directory(paths.metadata.path());
    CHECK(!read_local_metadata(paths));
}

TEST_CASE("a folder is marked for git and for backup tools, once") {
    const TemporaryFolder folder;
    const LocalPaths paths(folder.path(), "sub/f");
    prepare_local_folder(paths);
    const fs::path own = folder / ".cache/huggingface";
    CHECK(read_file(own / ".gitignore", 10) == "*");
    CHECK(fs::exists(own / "CACHEDIR.TAG"));
    CHECK(fs::is_directory(folder / "sub"));
    put(own / ".gitignore", "mine");
    prepare_local_folder(paths);
    CHECK(read_file(own / ".gitignore", 10) == "mine");
}

TEST_CASE("a planted link cannot lead a file, or what is remembered of it, out of the folder") {
    const TemporaryFolder folder, outside;
    fs::create_directory_symlink(outside.path(), folder / "planted");
    CHECK_THROWS_AS(prepare_local_folder(LocalPaths(folder.path(), "planted/f")), IoError);
    CHECK_THROWS_AS(prepare_local_folder(LocalPaths(folder.path(), "planted/new/f")), IoError);
    CHECK_NOTHROW(prepare_local_folder(LocalPaths(folder.path(), "f")));
    fs::create_directories(folder / "real");
    fs::create_directory_symlink("real", folder / "inside");
    CHECK_NOTHROW(prepare_local_folder(LocalPaths(folder.path(), "inside/f")));
    fs::remove_all(folder / ".cache");
    fs::create_directories(folder / ".cache");
    fs::create_directory_symlink(outside.path(), folder / ".cache/huggingface");
    CHECK_THROWS_AS(prepare_local_folder(LocalPaths(folder.path(), "f")), IoError);
    const LocalPaths paths(folder.path(), "f");
    CHECK_THROWS_AS(write_local_metadata(paths, "c", "e"), IoError);
    fs::create_directories(outside / "download");
    write_file_atomically(outside / "download/f.metadata", "precious");
    forget_local_metadata(paths);
    CHECK(fs::exists(outside / "download/f.metadata"));
    CHECK(std::distance(fs::directory_iterator(outside.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("the folder itself may be reached by a link") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "real");
    fs::create_directory_symlink("real", folder / "link");
    CHECK_NOTHROW(prepare_local_folder(LocalPaths(folder / "link", "a/f")));
    CHECK_NOTHROW(prepare_local_folder(LocalPaths(folder / "link/new/", "a/f")));
}
