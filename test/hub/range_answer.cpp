#include "hub/range_answer.hpp"

#include <doctest/doctest.h>

using namespace hfhub::hub;
using hfhub::http::Headers;

namespace {

const std::string sha = std::string(64, 'a');
const std::string other_sha = std::string(64, 'b');
const std::string git = std::string(40, 'a');

AnswerDecision judge(std::uint64_t at, std::optional<std::uint64_t> size, int status, Headers headers,
                     std::string_view etag = sha) {
    return judge_answer({at, size, etag}, status, headers);
}

}  // namespace

TEST_CASE("a Content-Range is read strictly") {
    const auto range = parse_content_range("bytes 200-518/519");
    REQUIRE(range);
    CHECK(range->first == 200);
    CHECK(range->last == 518);
    CHECK(range->total == 519);
    CHECK(parse_content_range("bytes 0-0/*"));
    CHECK(!parse_content_range("bytes 0-0/*")->total);
    CHECK(parse_content_range("bytes */519")->total == 519);
    for (const char* text :
         {"", "bytes", "bytes 1-2", "bytes 2-1/5", "bytes 1-5/5", "bytes -1/5", "bytes 1-/5", "bytes */*",
          "items 1-2/5", "bytes 1-2/x", "bytes 1 -2/5", "bytes 99999999999999999999-1/2",
          "bytes 0-18446744073709551615/*", "bytes 0-18446744073709551616/*"}) {
        CAPTURE(text);
        CHECK(!parse_content_range(text));
    }
}

TEST_CASE("a 200 to a range request restarts the file") {
    CHECK(judge(0, 10, 200, {{"content-length", "10"}}).use == AnswerUse::append);
    CHECK(judge(5, 10, 200, {{"content-length", "10"}}).use == AnswerUse::restart);
    CHECK(judge(5, {}, 200, {{"content-length", "10"}}).size == 10);
}

TEST_CASE("a whole answer of another length is wrong at once") {
    CHECK(judge(0, 10, 200, {{"content-length", "9"}}).use == AnswerUse::wrong);
    CHECK(judge(0, 10, 200, {}).use == AnswerUse::append);
}

TEST_CASE("the length of an encoded answer says nothing") {
    const AnswerDecision decision = judge(0, 10, 200, {{"content-length", "9"}, {"content-encoding", "gzip"}});
    CHECK(decision.use == AnswerUse::append);
    CHECK(decision.encoded);
    CHECK(!decision.size);
    CHECK(!judge(0, 10, 200, {{"content-encoding", "identity"}}).encoded);
}

TEST_CASE("a 206 must go on where we are") {
    const auto with = [](const char* range, Headers more = {}) {
        more.add("content-range", range);
        return judge(5, 10, 206, more).use;
    };
    CHECK(with("bytes 5-9/10") == AnswerUse::append);
    CHECK(with("bytes 5-7/10") == AnswerUse::append);
    CHECK(with("bytes 5-9/*") == AnswerUse::append);
    CHECK(with("bytes 5-9/10", {{"content-length", "5"}}) == AnswerUse::append);
    CHECK(with("bytes 4-9/10") == AnswerUse::refused);
    CHECK(with("bytes 6-9/10") == AnswerUse::refused);
    CHECK(with("bytes 5-9/11") == AnswerUse::refused);
    CHECK(with("bytes 5-10/*") == AnswerUse::refused);
    CHECK(with("nonsense") == AnswerUse::refused);
    CHECK(with("bytes 5-9/10", {{"content-length", "6"}}) == AnswerUse::refused);
    CHECK(with("bytes 5-9/10", {{"content-encoding", "gzip"}}) == AnswerUse::refused);
    CHECK(judge(5, 10, 206, {{"content-type", "multipart/byteranges; boundary=x"}}).use == AnswerUse::refused);
}

TEST_CASE("a hash of the same kind that differs means another file") {
    CHECK(judge(0, 10, 200, {{"etag", "\"" + other_sha + "\""}}).use == AnswerUse::changed);
    CHECK(judge(5, 10, 206, {{"etag", "\"" + other_sha + "\""}, {"content-range", "bytes 5-9/10"}}).use ==
          AnswerUse::changed);
    CHECK(judge(0, 10, 200, {{"x-linked-etag", "\"" + other_sha + "\""}, {"etag", git}}).use == AnswerUse::changed);
    CHECK(judge(0, 10, 200, {{"etag", "\"" + sha + "\""}}).use == AnswerUse::append);
    CHECK(judge(0, 10, 200, {{"etag", "\"" + std::string(40, 'b') + "\""}}, git).use == AnswerUse::changed);
}

TEST_CASE("an ETag of another kind is a storage server's own") {
    CHECK(judge(0, 10, 200, {{"etag", "\"d41d8cd98f00b204e9800998ecf8427e-3\""}}).use == AnswerUse::append);
    CHECK(judge(0, 10, 200, {{"etag", "\"" + git + "\""}}).use == AnswerUse::append);
}

TEST_CASE("a 416 at the end means that all is there, elsewhere that what is there is of no use") {
    CHECK(judge(10, 10, 416, {}).use == AnswerUse::done);
    CHECK(judge(10, {}, 416, {{"content-range", "bytes */10"}}).use == AnswerUse::done);
    CHECK(judge(10, {}, 416, {{"content-range", "bytes */9"}}).use == AnswerUse::discard);
    CHECK(judge(10, {}, 416, {}).use == AnswerUse::discard);
    CHECK(judge(5, 10, 416, {}).use == AnswerUse::discard);
    CHECK(judge(0, 10, 416, {}).use == AnswerUse::error);
}

TEST_CASE("error statuses are errors, and other statuses are refused") {
    for (const int status : {400, 401, 403, 404, 429, 500, 503})
        CHECK(judge(0, 10, status, {}).use == AnswerUse::error);
    for (const int status : {204, 302, 304}) CHECK(judge(0, 10, status, {}).use == AnswerUse::refused);
}
