#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::hub;

TEST_CASE("repo ids are a name, with or without a namespace") {
    for (const char* good : {"gpt2", "alice/my-model", "a/b.c_d-e", "0/1", "älice/möbel_1.0"})
        CHECK_NOTHROW(validate_repo_id(good));
    const std::string longest(96, 'x');
    CHECK_NOTHROW(validate_repo_id(longest + "/" + longest));
    std::string umlauts;
    for (int i = 0; i < 96; ++i) umlauts += "ä";
    CHECK_NOTHROW(validate_repo_id(umlauts));
    CHECK_THROWS_AS(validate_repo_id(umlauts + "ä"), HfValidationError);
    CHECK_THROWS_AS(validate_repo_id("a\xff"), HfValidationError);
    for (const std::string bad : {"", "/", "a/", "/a", "a/b/c", "a b", "a/-b", "a/b-", ".a", "a.", "a--b", "a..b",
                                  "a/b.git", "a\nb", "a/b?c", "a%2Fb", "a\\b"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(validate_repo_id(bad), HfValidationError);
    }
    CHECK_THROWS_AS(validate_repo_id(longest + "x"), HfValidationError);
    CHECK_THROWS_AS(validate_repo_id(std::string("a\0b", 3)), HfValidationError);
}

TEST_CASE("paths encode the revision whole, and names but not their slashes") {
    CHECK(repo_api_path("", "alice/m") == "/api/models/alice/m");
    CHECK(repo_api_path("kernel", "gpt2") == "/api/kernels/gpt2");
    CHECK(repo_api_path("dataset", "a/b", "refs/pr/1") == "/api/datasets/a/b/revision/refs%2Fpr%2F1");
    CHECK(resolve_path("space", "a/b", "feat/ä", "d ir/x#?.txt") ==
          "/spaces/a/b/resolve/feat%2F%C3%A4/d%20ir/x%23%3F.txt");
    CHECK(resolve_path("model", "gpt2", "", "f") == "/gpt2/resolve/main/f");
    CHECK_THROWS_AS(repo_api_path("bucket", "a/b"), InvalidArgumentError);
    CHECK_THROWS_AS(repo_api_path("model", "a/../b"), HfValidationError);
    CHECK_THROWS_AS(resolve_path("model", "a/../b", "main", "f"), HfValidationError);
}

TEST_CASE("the address of a repository tells its type and id") {
    const RepoUrl url = parse_repo_url("http://hub.test/hf/datasets/acme/corpus", "http://hub.test/hf");
    CHECK(url.repo_type == "dataset");
    CHECK(url.repo_id == "acme/corpus");
    CHECK(url.namespace_ == "acme");
    CHECK(url.repo_name == "corpus");
    CHECK(parse_repo_url("http://hub.test/gpt2/", "http://hub.test").repo_id == "gpt2");
    CHECK(make_repo_url("http://hub.test", "space", "a/b").url == "http://hub.test/spaces/a/b");
}

TEST_CASE("an address at the Hub's default host is turned to the endpoint") {
    CHECK(parse_repo_url("https://huggingface.co/a/b", "http://mirror.test").url == "http://mirror.test/a/b");
    CHECK(parse_repo_url("https://huggingface.co/hf/a/b", "https://huggingface.co/hf").repo_id == "a/b");
}

TEST_CASE("a server may name itself by the other scheme or without its port") {
    const auto id = [](const char* url, const char* endpoint) { return parse_repo_url(url, endpoint).repo_id; };
    CHECK(id("https://hub.corp/a/b", "http://hub.corp") == "a/b");
    CHECK(id("http://hub.corp/a/b", "https://hub.corp") == "a/b");
    CHECK(id("https://hub.corp/a/b", "http://hub.corp:8080") == "a/b");
    CHECK(id("http://hub.corp:8080/a/b", "https://hub.corp") == "a/b");
    CHECK(id("HTTPS://HUB.corp/hf/datasets/a/b?x#y", "http://hub.corp/hf") == "a/b");
    CHECK(parse_repo_url("https://hub.corp/a/b", "http://hub.corp").url == "https://hub.corp/a/b");
    for (const char* bad : {"http://hub.corp:81/a/b", "https://other.corp/a/b", "https://hub.corp:8443/a/b"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_repo_url(bad, "http://hub.corp:8080"), JsonError);
    }
    CHECK_THROWS_AS(parse_repo_url("https://hub.corp/a/b", "http://hub.corp/hf"), JsonError);
}

TEST_CASE("what is no address of a repository below the endpoint is refused") {
    for (const char* bad : {"http://other.test/a/b", "http://hub.test", "http://hub.test/", "http://hub.test.evil/a/b",
                            "http://hub.test/a/b/c", ""}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_repo_url(bad, "http://hub.test"), JsonError);
    }
}
