#include "core/json.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;

namespace {

std::string problem(std::string_view text, JsonLimits limits = {}) {
    try {
        parse_json(text, "the answer", limits);
    } catch (const JsonError& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("JSON text becomes a value") {
    CHECK(parse_json(R"({"a": [1, "ü", null]})", "it").at("a").as_array().size() == 3);
    CHECK(parse_json(" 7 \n", "it") == 7);
}

TEST_CASE("what is no JSON is refused with its name and place") {
    CHECK(contains(problem(R"({"a": nul})"), "the answer is not JSON"));
    CHECK(contains(problem(R"({"a": nul})"), "at byte"));
    CHECK(contains(problem(R"({"a": 1)"), "the answer is not JSON"));
    CHECK(contains(problem("{} {}"), "the answer is not JSON"));
    CHECK(contains(problem(""), "the answer is not JSON"));
    CHECK(contains(problem("<html>"), "the answer is not JSON"));
}

TEST_CASE("JSON that nests too deep or is too long is refused before it costs memory") {
    CHECK(problem(std::string(128, '[') + std::string(128, ']')).empty());
    CHECK(contains(problem(std::string(129, '[') + std::string(129, ']')), "not JSON"));
    CHECK(contains(problem("[1, 2, 3]", {.bytes = 8}), "at most 8"));
}

TEST_CASE("members are looked up without exceptions") {
    const json::value value = {{"text", "x"}, {"number", 1}};
    CHECK(text_member(value, "text") == "x");
    CHECK(text_member(value, "number").empty());
    CHECK(find_member(value, "none") == nullptr);
    CHECK(find_member(json::value(3), "text") == nullptr);
}
