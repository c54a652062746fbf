#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

std::string targets(const MockHub& hub) {
    std::string out;
    for (const Seen& seen : hub.seen()) out += seen.method + " " + seen.target + "\n";
    return out;
}

}  // namespace

TEST_CASE("create_bucket gives the address that the Hub tells") {
    MockHub hub([](const Seen&) { return Answer{.body = R"({"url": "https://huggingface.co/buckets/ann/b"})"}; });
    const BucketUrl url = HfApi(hub.session()).create_bucket("b", {.private_ = true, .region = "eu"});
    CHECK(url.bucket_id == "ann/b");
    CHECK(targets(hub) == "POST /api/buckets/me/b\n");
    CHECK(hub.seen().at(0).body == R"({"private":true,"region":"eu"})");
}

TEST_CASE("a bucket that is there already is given where that is allowed") {
    int status = 409;
    MockHub hub([&](const Seen& seen) {
        if (seen.method == "GET") return Answer{.body = R"({"id": "org/b"})"};
        return Answer{.status = status, .body = R"({"error": "x", "url": "https://huggingface.co/buckets/org/b"})"};
    });
    const HfApi api(hub.session());
    CHECK(api.create_bucket("org/b", {.exist_ok = true}).bucket_id == "org/b");
    CHECK_THROWS_AS(api.create_bucket("org/b"), HfHubHttpError);
    CHECK(hub.seen().size() == 2);
    status = 403;
    CHECK(api.create_bucket("org/b", {.exist_ok = true}).url == "http://hub.test/buckets/org/b");
    CHECK_THROWS_AS(api.create_bucket("org/b"), HfHubHttpError);
}

TEST_CASE("a refusal stays one where the bucket is not there") {
    MockHub hub([](const Seen& seen) { return Answer{.status = seen.method == "GET" ? 404 : 403}; });
    try {
        HfApi(hub.session()).create_bucket("org/b", {.exist_ok = true});
        FAIL("no error");
    } catch (const HfHubHttpError& error) {
        CHECK(error.status() == 403);
    }
}

TEST_CASE("a listing of a bucket gives files and folders, and leaves out what it does not know") {
    MockHub hub([](const Seen&) {
        return Answer{
            .body = R"([{"type": "directory", "path": "d", "uploadedAt": null},)"
                    R"( {"type": "file", "path": "f", "size": 3, "xetHash": "ab", "mtime": "2026-01-02T03:04:05Z"},)"
                    R"( {"type": "symlink", "path": "l"}])"};
    });
    std::vector<BucketEntry> entries;
    for (const BucketEntry& entry :
         HfApi(hub.session()).list_bucket_tree("a/b", {.prefix = "x/y", .recursive = false})) {
        entries.push_back(entry);
    }
    REQUIRE(entries.size() == 2);
    CHECK(std::get<BucketFolder>(entries[0]).path == "d");
    CHECK(std::get<BucketFile>(entries[1]).size == 3);
    CHECK(std::get<BucketFile>(entries[1]).mtime);
    CHECK(targets(hub) == "GET /api/buckets/a/b/tree/x%2Fy?recursive=false\n");
}

TEST_CASE("files are asked for a thousand at a time") {
    MockHub hub(
        [](const Seen&) { return Answer{.body = R"([{"type": "file", "path": "f", "size": 1, "xetHash": "ab"}])"}; });
    const std::vector<std::string> paths(1001, "f");
    CHECK(HfApi(hub.session()).get_bucket_paths_info("a/b", paths).size() == 2);
    CHECK(hub.seen().size() == 2);
    CHECK(hub.seen().at(1).body == R"({"paths":["f"]})");
}

TEST_CASE("a batch of changes is repeated after a transient status, and tells what was not done") {
    int failures = 1;
    MockHub hub([&](const Seen&) {
        if (failures-- > 0) return Answer{.status = 503};
        return Answer{.body = R"({"failed": [{"path": "p", "error": "gone"}]})"};
    });
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.batch_bucket_files("a/b", {.delete_ = "p"}), InvalidArgumentError);
    CHECK(hub.seen().size() == 2);
    api.batch_bucket_files("a/b");
    CHECK(hub.seen().size() == 2);
}

TEST_CASE("delete_bucket forgives what is missing where that is allowed, and move_bucket names both") {
    MockHub hub([](const Seen& seen) {
        if (seen.method == "POST") return Answer{.body = ""};
        return Answer{.status = 404, .headers = {{"x-error-code", "RepoNotFound"}}};
    });
    const HfApi api(hub.session());
    api.delete_bucket("a/b", {.missing_ok = true});
    CHECK_THROWS_AS(api.delete_bucket("a/b"), BucketNotFoundError);
    api.move_bucket("a/b", "a/c");
    CHECK(hub.seen().at(2).body == R"({"fromRepo":"a/b","toRepo":"a/c","type":"bucket"})");
    CHECK_THROWS_AS(api.move_bucket("a/b", "c"), HfValidationError);
    CHECK_THROWS_AS(api.bucket_info("b"), HfValidationError);
    CHECK(hub.seen().size() == 3);
}

TEST_CASE("a file's metadata name its chunks") {
    MockHub hub([](const Seen& seen) {
        if (seen.target.ends_with("plain")) return Answer{};
        return Answer{.headers = {{"x-xet-hash", "ab"},
                                  {"content-length", "12"},
                                  {"x-xet-refresh-route", "https://huggingface.co/api/buckets/a/b/xet-read-token"}}};
    });
    const AsyncHfApi api(hub.session());
    asio::io_context io;
    auto asking = asio::co_spawn(io, api.get_bucket_file_metadata("a/b", "d/f"), asio::use_future);
    io.run();
    const BucketFileMetadata metadata = asking.get();
    CHECK(metadata.size == 12);
    CHECK(metadata.xet_file_data.file_hash == "ab");
    CHECK(metadata.xet_file_data.refresh_route == "http://hub.test/api/buckets/a/b/xet-read-token");
    CHECK(targets(hub) == "HEAD /buckets/a/b/resolve/d%2Ff\n");
    CHECK_THROWS_AS(HfApi(hub.session()).get_bucket_file_metadata("a/b", "plain"), InvalidArgumentError);
}
