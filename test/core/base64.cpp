#include "core/base64.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace hfhub;

TEST_CASE("the vectors of RFC 4648 section 10 encode and decode") {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [bytes, text] : vectors) {
        CHECK(base64_encode(bytes) == text);
        CHECK(base64_decode(text) == bytes);
    }
}

TEST_CASE("bytes are encoded as such, and the URL form differs in two characters") {
    const std::array<std::byte, 3> bytes{std::byte{0xfb}, std::byte{0xff}, std::byte{0xfe}};
    CHECK(base64_encode(bytes) == "+//+");
    CHECK(base64url_encode(bytes) == "-__-");
    CHECK(base64url_encode(std::string_view("\xff", 1)) == "_w==");
    CHECK(base64_encode(std::string_view("\0\0", 2)) == "AAA=");
}

TEST_CASE("every byte survives") {
    std::string all;
    for (int i = 0; i < 256; ++i) {
        all += static_cast<char>(i);
        CHECK(base64_decode(base64_encode(all)) == all);
    }
}

TEST_CASE("text that is not base64 is refused") {
    for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zm9v\n", "Zm 9v", "Zm9v Zm9", "Zm-_",
                            "Zg==Zg==", "Z=g=", "Zh==", "Zm9=", "\xc3\xa9\xc3\xa9"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(base64_decode(bad), InvalidArgumentError);
    }
}
