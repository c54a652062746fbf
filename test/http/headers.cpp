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
