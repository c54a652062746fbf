#include "core/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;

TEST_CASE("characters of UTF-8, and what only looks like them (RFC 3629 4)") {
    for (const std::string_view one : {"a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                       "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        CHECK(utf8_character(one) == one.size());
        CHECK(is_utf8(std::string(one) + "x" + std::string(one)));
        if (one.size() > 1) CHECK(!is_utf8(one.substr(0, one.size() - 1)));
    }
    for (const std::string_view none :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
          "\xc2"
          "a"}) {
        CHECK(utf8_character(none) == 0);
        CHECK(!is_utf8(none));
    }
    CHECK(utf8_character("") == 0);
    CHECK(is_utf8(""));
}

TEST_CASE("what is shown to people gives terminals no orders") {
    CHECK(printable("ä b\x1b[31m\xc2\x9b"
                    "1m\x7f\xff") == "ä b?[31m?1m??");
    CHECK(printable(std::string(300, 'x')) == std::string(200, 'x') + "…");
    CHECK(printable("äää", 5) == "ää…");
}
