#include "hub/bucket_id.hpp"

#include <hfhub/error.hpp>

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace hfhub;

namespace {

constexpr std::string_view endpoint = "https://hub.test";

}  // namespace

TEST_CASE("a bucket is named plainly, by a URI or by its web address") {
    for (const char* name : {"ann/b.1", "hf://buckets/ann/b.1", "https://hub.test/buckets/ann/b.1",
                             "https://huggingface.co/buckets/ann/b.1"}) {
        CAPTURE(name);
        CHECK(hub::bucket_id(name, endpoint) == "ann/b.1");
        CHECK(hub::new_bucket_id(name, endpoint) == "ann/b.1");
    }
    CHECK(hub::new_bucket_id("b", endpoint) == "me/b");
    CHECK(hub::new_bucket_id("hf://buckets/b", endpoint) == "me/b");
    CHECK(hub::bucket_api_path("ann/b.1") == "/api/buckets/ann/b.1");
}

TEST_CASE("other names of buckets are refused") {
    for (const char* name : {"", "b", "a/b/c", "a/", "/b", "a/--b", "a/../b", "hf://datasets/a/b", "hf://buckets/a/b/c",
                             "https://other.test/buckets/a/b", "a/b?x=1"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(hub::bucket_id(name, endpoint), HfValidationError);
    }
    CHECK_THROWS_AS(hub::new_bucket_id("", endpoint), HfValidationError);
    CHECK_THROWS_AS(hub::new_bucket_id("hf://models/b", endpoint), HfValidationError);
}

TEST_CASE("a bucket's address tells its name") {
    const BucketUrl url = hub::parse_bucket_url("https://huggingface.co/buckets/ann/b", endpoint);
    CHECK(url.url == "https://huggingface.co/buckets/ann/b");
    CHECK(url.endpoint == endpoint);
    CHECK(url.namespace_ == "ann");
    CHECK(url.bucket_id == "ann/b");
    CHECK(url.uri.type == "bucket");
    CHECK(url.uri.id == "ann/b");
    CHECK(hub::make_bucket_url("ann/b", endpoint).url == "https://hub.test/buckets/ann/b");
    for (const char* wrong : {"", "https://h/ann/b", "https://h/buckets/b", "https://h/buckets/a/b/c",
                              "https://h/buckets//b", "https://h/buckets/a/"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(hub::parse_bucket_url(wrong, endpoint), JsonError);
    }
}

TEST_CASE("changes are sent a thousand at a time, copies before deletions") {
    CHECK(hub::batch_bodies({}).empty());
    const std::vector<BucketCopy> copies = {{"dataset", "a/d", "00", "new \"x\""}};
    CHECK(hub::batch_bodies({.copy = copies, .delete_ = "old"}) ==
          std::vector<std::string>{
              R"({"type":"copyFile","path":"new \"x\"","xetHash":"00","sourceRepoType":"dataset","sourceRepoId":"a/d"})"
              "\n"
              R"({"type":"deleteFile","path":"old"})"
              "\n"});
    const std::vector<std::string> many(2001, "p");
    const std::vector<std::string> bodies = hub::batch_bodies({.delete_ = many});
    REQUIRE(bodies.size() == 3);
    CHECK(std::count(bodies[1].begin(), bodies[1].end(), '\n') == 1000);
    CHECK(std::count(bodies[2].begin(), bodies[2].end(), '\n') == 1);
}

TEST_CASE("an answer that names changes which were not made is an error") {
    hub::require_all_done(json::parse(R"({"success": true, "failed": []})"));
    hub::require_all_done(json::parse("{}"));
    try {
        hub::require_all_done(json::parse(R"({"failed": [{"path": "a\u001bb", "error": "no such file"}, {}]})"));
        FAIL("no error");
    } catch (const InvalidArgumentError& error) {
        CHECK(std::string(error.what()) ==
              "the Hub has not made 2 of the changes to the bucket, such as that of 'a?b': no such file");
    }
}
