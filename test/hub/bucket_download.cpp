#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

#include <fstream>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace fs = std::filesystem;

namespace {

/// A bucket with an empty file and one of 5 bytes.
Answer bucket(const Seen& seen) {
    if (seen.target.ends_with("/paths-info")) {
        return {.body = R"([{"type": "file", "path": "empty", "size": 0, "xetHash": "a"},)"
                        R"( {"type": "file", "path": "d/full", "size": 5, "xetHash": "b"}])"};
    }
    return {.body = "bytes", .headers = {{"content-length", "5"}}};
}

std::size_t files_in(const fs::path& folder) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) count += entry.is_regular_file();
    return count;
}

}  // namespace

TEST_CASE("files of a bucket come to where they are wanted, without a request for those that are empty") {
    MockHub hub(bucket);
    const TemporaryFolder folder;
    const std::string empty = (folder / "x/empty").string(), full = (folder / "x/y/full").string();
    const std::vector<BucketDownload> files = {{"empty", empty}, {"d/full", full}, {"gone", full}};
    HfApi(hub.session(), {.token = "hf_x"}).download_bucket_files("a/b", files);
    CHECK(read_file(empty, 10).empty());
    CHECK(read_file(full, 10) == "bytes");
    CHECK(files_in(folder.path()) == 2);
    REQUIRE(hub.seen().size() == 2);
    CHECK(hub.seen()[0].body == R"({"paths":["empty","d/full","gone"]})");
    CHECK(hub.seen()[1].target == "/buckets/a/b/resolve/d%2Ffull");
    CHECK(hub.seen()[1].authorization == "Bearer hf_x");
}

TEST_CASE("missing files of a bucket are an error where that is wanted, before any is fetched") {
    MockHub hub(bucket);
    const TemporaryFolder folder;
    const std::string path = (folder / "f").string();
    const std::vector<BucketDownload> files = {{"d/full", path}, {"gone", path}, {"lost", path}};
    try {
        HfApi(hub.session()).download_bucket_files("a/b", files, {.raise_on_missing_files = true});
        FAIL("no error");
    } catch (const RemoteEntryNotFoundError& error) {
        CHECK(std::string(error.what()).find("gone, lost") != std::string::npos);
    }
    CHECK(hub.seen().size() == 1);
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("a file whose size is known is not asked for, and one of another length is no file") {
    MockHub hub(bucket);
    const TemporaryFolder folder;
    const std::string path = (folder / "f").string();
    const HfApi api(hub.session());
    const std::vector<BucketDownload> right = {{"d/full", path, 5}}, wrong = {{"d/full", path, 6}};
    api.download_bucket_files("a/b", right);
    CHECK(hub.seen().size() == 1);
    CHECK_THROWS(api.download_bucket_files("a/b", wrong));
    CHECK(read_file(path, 10) == "bytes");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("what stands in the way of a bucket's file stays") {
    MockHub hub(bucket);
    const TemporaryFolder folder;
    fs::create_directory(folder / "have");
    std::ofstream(folder / "have/x") << "x";
    const std::string path = (folder / "have").string();
    const HfApi api(hub.session());
    for (const std::vector<BucketDownload>& files :
         {std::vector<BucketDownload>{{"empty", path, 0}}, std::vector<BucketDownload>{{"d/full", path, 5}}}) {
        CHECK_THROWS_AS(api.download_bucket_files("a/b", files), IoError);
    }
    CHECK(files_in(folder.path()) == 1);
    CHECK_NOTHROW(api.download_bucket_files("a/b", {}));
}
