#include "hub/file_metadata.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;

namespace {

const Url asked = Url::parse("http://hub.test/a/m/resolve/main/f");

HfFileMetadata read(int status, http::Headers headers) {
    return read_metadata(status, headers, asked, "http://hub.test/x");
}

}  // namespace

TEST_CASE("an ETag loses its quotes and its weakness") {
    CHECK(opaque_etag("\"abc\"") == "abc");
    CHECK(opaque_etag("W/\"abc\"") == "abc");
    CHECK(opaque_etag("abc") == "abc");
    CHECK(opaque_etag("W/\"Wabc/\"") == "Wabc/");
    CHECK(opaque_etag("") == "");
    CHECK(opaque_etag("\"") == "");
}

TEST_CASE("only a quoted ETag without W/ is strong") {
    CHECK(is_strong_etag("\"abc\""));
    CHECK(!is_strong_etag("W/\"abc\""));
    CHECK(!is_strong_etag("abc"));
    CHECK(!is_strong_etag("\"\""));
    CHECK(!is_strong_etag("\""));
}

TEST_CASE("a plain file is described by ETag and Content-Length") {
    const HfFileMetadata metadata = read(200, {{"etag", "\"e\""}, {"x-repo-commit", "c"}, {"content-length", "36"}});
    CHECK(metadata.etag == "e");
    CHECK(metadata.commit_hash == "c");
    CHECK(metadata.size == 36);
    CHECK(metadata.location == asked.str());
    CHECK(!metadata.xet_file_data);
}

TEST_CASE("a linked file is described by X-Linked fields, not by the redirect's own") {
    const HfFileMetadata metadata = read(302, {{"etag", "\"pointer\""},
                                               {"x-linked-etag", "\"content\""},
                                               {"x-linked-size", "519"},
                                               {"content-length", "1200"},
                                               {"location", "https://cdn.test/x?sig=1"}});
    CHECK(metadata.etag == "content");
    CHECK(metadata.size == 519);
    CHECK(metadata.location == "https://cdn.test/x?sig=1");
    CHECK(!read(302, {{"content-length", "1200"}, {"location", "https://cdn.test/x"}}).size);
}

TEST_CASE("a malformed length is no length") {
    for (const char* text : {"", "-1", "1 2", "x", "99999999999999999999999"}) {
        CHECK(!read(200, {{"content-length", text}}).size);
    }
}

TEST_CASE("Xet storage needs a hash and a way to tokens, which is turned to the endpoint") {
    CHECK(!read(302, {{"x-xet-hash", "h"}}).xet_file_data);
    CHECK(!read(302, {{"x-xet-refresh-route", "http://r"}}).xet_file_data);
    const auto by_link =
        read(302, {{"x-xet-hash", "h"},
                   {"x-xet-refresh-route", "http://other"},
                   {"link", "<https://huggingface.co/api/t>; rel=\"xet-auth\", <https://cas/r>; rel=\"x\""}});
    REQUIRE(by_link.xet_file_data);
    CHECK(by_link.xet_file_data->file_hash == "h");
    CHECK(by_link.xet_file_data->refresh_route == "http://hub.test/x/api/t");
    const auto by_field = read(302, {{"x-xet-hash", "h"}, {"x-xet-refresh-route", "https://huggingface.co.evil/t"}});
    CHECK(by_field.xet_file_data->refresh_route == "https://huggingface.co.evil/t");
}
