#include "http/headers.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hfhub::http;

TEST_CASE("field names compare without case and values stay as given") {
    Headers headers;
    headers.add("Content-Type", "Text/HTML");
    CHECK(headers.value("content-TYPE") == "Text/HTML");
    CHECK(headers[0].name == "content-type");
    CHECK(headers.contains("CONTENT-TYPE"));
    CHECK(!headers.contains("content-typ"));
    CHECK(!headers.get("accept"));
    CHECK(headers.value("accept").empty());
    CHECK(iequals("", ""));
    CHECK(!iequals("[", "{"));  // 32 apart, but no letters
}

TEST_CASE("fields keep their order, and several of one name are joined in it") {
    const Headers headers = {{"Link", "a"}, {"Accept", "*/*"}, {"LINK", "b"}, {"link", ""}};
    CHECK(headers.size() == 4);
    CHECK(headers.value("link") == "a");
    CHECK(headers.joined("Link") == "a, b, ");
    CHECK(headers.joined("none").empty());
    std::string names;
    for (const Headers::Field field : headers) names += std::string(field.name) + " ";
    CHECK(names == "link accept link link ");
}

TEST_CASE("setting replaces all fields of a name") {
    Headers headers = {{"a", "1"}, {"b", "2"}, {"A", "3"}};
    headers.set("A", "4");
    CHECK(headers.size() == 2);
    CHECK(headers.joined("a") == "4");
    CHECK(headers.value("b") == "2");
    headers.erase("B");
    CHECK(headers.size() == 1);
    headers.clear();
    CHECK(headers.empty());
    CHECK(headers.bytes() == 0);
}

TEST_CASE("a value may be one of the headers' own") {
    Headers headers = {{"a", std::string(300, 'x')}, {"b", "2"}};
    headers.set("b", headers.value("a"));
    CHECK(headers.value("b") == std::string(300, 'x'));
    headers.set("a", headers.value("a"));
    CHECK(headers.value("a") == std::string(300, 'x'));
}

TEST_CASE("fields survive growth, copies, moves and their own removal") {
    Headers headers;
    for (int i = 0; i < 200; ++i)
        headers.add("Name-" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
    const Headers copy = headers;
    headers.erase("name-7");
    headers.set("name-8", headers.value("name-9"));  // a view of what is moved
    CHECK(headers.size() == 199);
    CHECK(copy.size() == 200);
    CHECK(copy.value("name-7") == "vvvvvvv");
    CHECK_FALSE(headers.contains("name-7"));
    CHECK(headers.value("name-8").size() == 9);
    const Headers moved = std::move(headers);
    CHECK(moved.value("NAME-199") == std::string(199, 'v'));
    CHECK(moved[0].name == "name-0");
    Headers reused = copy;
    reused.clear();
    CHECK(reused.empty());
    reused.add("A", "b");
    CHECK(reused.value("a") == "b");
}

TEST_CASE("only fields that stay one field on the wire are safe") {
    CHECK(Headers({{"a", "b"}, {"c", ""}, {"d", "\xff\t x"}}).are_safe());
    for (const auto& bad : {std::string("a\r\nb: c"), std::string("a\nb"), std::string("a\0b", 3)}) {
        CHECK_FALSE(Headers({{"ok", "x"}, {"name", bad}}).are_safe());
        CHECK_FALSE(Headers({{bad, "value"}, {"ok", "x"}}).are_safe());
    }
    for (const char* bad : {"", " a", "a b", "a:", "a\x7f"}) CHECK_FALSE(Headers({{bad, "value"}}).are_safe());
}
