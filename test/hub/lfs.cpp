#include "hub/lfs.hpp"

#include "core/json.hpp"
#include "support/loop.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;
using hfhub::test::message;
using hfhub::test::outcome;

namespace {

json::value parsed(std::string_view text) { return parse_json(text, "the test"); }

LfsAction action(std::map<std::string, std::string> header) { return {"http://hub.test/complete", std::move(header)}; }

}  // namespace

TEST_CASE("the batch request offers both transfers and names the branch as it is") {
    LfsObject object{"00ff", "a.bin", Content(), {}};
    object.info.size = 5;
    const json::value request = lfs_batch_request(std::span(&object, 1), "feat/ä b");
    CHECK(request == parsed(R"({"operation":"upload","transfers":["basic","multipart"],"hash_algo":"sha256",
        "objects":[{"oid":"00ff","size":5}],"ref":{"name":"feat/ä b"}})"));
    CHECK(!lfs_batch_request(std::span(&object, 1), std::nullopt).as_object().contains("ref"));
}

TEST_CASE("an object without actions is there already; others say where to upload and to verify") {
    const auto answer = read_lfs_batch(parsed(R"({"transfer":null,"objects":[{"oid":"1","size":1},
        {"oid":"2","size":2,"actions":null},{"oid":"3","size":3,"error":null,"actions":{"upload":{"href":"http://u","header":
        {"chunk_size":100,"1":"http://p"}},"verify":{"href":"http://v"}}}]})"));
    REQUIRE(answer.size() == 3);
    CHECK(!answer[0].upload);
    CHECK(!answer[1].upload);
    REQUIRE(answer[2].upload);
    CHECK(answer[2].upload->href == "http://u");
    CHECK(answer[2].upload->header.at("chunk_size") == "100");
    CHECK(answer[2].verify->href == "http://v");
}

TEST_CASE("a malformed batch answer is refused") {
    for (const std::string_view answer :
         {R"({"message":"hm"})", R"({"objects":{}})", R"({"objects":[1]})", R"({"objects":[{"oid":"1","size":"1"}]})",
          R"({"objects":[{"size":1}]})", R"({"objects":[{"oid":"1","size":-1}]})",
          R"({"objects":[{"oid":"1","size":1,"actions":{"upload":{"href":null}}}]})",
          R"({"objects":[{"oid":"1","size":1,"actions":{"upload":{"href":"http://u","header":[]}}}]})"}) {
        CAPTURE(answer);
        CHECK(outcome([&] { read_lfs_batch(parsed(answer)); }) == "InvalidArgumentError");
    }
}

TEST_CASE("objects that the Hub refuses are all named with its reasons") {
    const json::value answer = parsed(R"({"objects":[{"oid":"aa","size":1,"error":{"code":404,"message":"one"}},
        {"oid":"bb","size":1,"error":{"code":422,"message":"File too large"}}]})");
    CHECK(outcome([&] { read_lfs_batch(answer); }) == "InvalidArgumentError");
    CHECK(message([&] { read_lfs_batch(answer); }).find("\naa: one\nbb: File too large") != std::string::npos);
}

TEST_CASE("parts are in the order of their numbers, and make up the file") {
    CHECK(!lfs_parts(action({}), 10));
    const auto parts =
        lfs_parts(action({{"chunk_size", "100"}, {"00010", "j"}, {"1", "a"}, {"9", "i"}, {"X-Other", "z"}}), 250);
    REQUIRE(parts);
    CHECK(parts->chunk_size == 100);
    CHECK(parts->urls == std::vector<std::string>{"a", "i", "j"});
    CHECK(lfs_parts(action({{"chunk_size", "250"}, {"1", "a"}}), 250)->urls.size() == 1);
    CHECK(lfs_parts(action({{"chunk_size", "249"}, {"1", "a"}, {"2", "b"}}), 250)->urls.size() == 2);
}

TEST_CASE("parts that do not make up the file are refused") {
    const auto check = [](std::map<std::string, std::string> header) {
        return outcome([&] { lfs_parts(action(header), 250); });
    };
    CHECK(check({{"chunk_size", "100"}, {"1", "a"}, {"2", "b"}}) == "InvalidArgumentError");
    CHECK(check({{"chunk_size", "300"}, {"1", "a"}, {"2", "b"}}) == "InvalidArgumentError");
    for (const char* size : {"", "0", "big", "-1", "1e9", "18446744073709551616"}) {
        CAPTURE(size);
        CHECK(check({{"chunk_size", size}, {"1", "a"}}) == "InvalidArgumentError");
    }
}

TEST_CASE("the end of an upload in parts lists their ETags by number") {
    const std::vector<std::string> etags = {"\"one\"", "\"two\""};
    CHECK(lfs_completion("00ff", etags) ==
          parsed(R"({"oid":"00ff","parts":[{"partNumber":1,"etag":"\"one\""},{"partNumber":2,"etag":"\"two\""}]})"));
}

TEST_CASE("a URL is expired only where the storage says so") {
    CHECK(is_expired(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"));
    CHECK(is_expired(400, "<Error><Code>ExpiredToken</Code></Error>"));
    CHECK(!is_expired(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"));
    CHECK(!is_expired(500, "expired"));
}

TEST_CASE("a request whose answer may take long waits for it longer, but not where no limit is set") {
    http::Request request;
    request.timeouts.headers = http::Milliseconds(10'000);
    wait_longer_for_answer(request, http::Milliseconds(300'000));
    CHECK(request.timeouts.headers == http::Milliseconds(300'000));
    request.timeouts.headers = http::Milliseconds(0);
    wait_longer_for_answer(request, http::Milliseconds(300'000));
    CHECK(request.timeouts.headers == http::Milliseconds(0));
}
