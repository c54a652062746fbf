#include "core/glob.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;

namespace {
bool matches(std::string_view pattern, std::string_view text) { return Glob(pattern).matches(text); }
using Patterns = std::vector<std::string>;
}  // namespace

TEST_CASE("stars and question marks match as in fnmatch") {
    CHECK(matches("", ""));
    CHECK(!matches("", "a"));
    CHECK(matches("*", ""));
    CHECK(matches("*", "any/thing"));
    CHECK(matches("*.json", "config.json"));
    CHECK(matches("*.json", "sub/config.json"));
    CHECK(!matches("*.json", "config.json5"));
    CHECK(!matches("*.JSON", "config.json"));
    CHECK(matches("a*b*c", "a--b--b--c"));
    CHECK(!matches("a*b*c", "a--b--b--"));
    CHECK(matches("a**", "a"));
    CHECK(matches("data/*", "data/"));
    CHECK(!matches("data/*", "data"));
    CHECK(matches("?", "/"));
    CHECK(!matches("?", ""));
    CHECK(matches("a.c", "a.c"));
    CHECK(!matches("a.c", "abc"));
    CHECK(matches(".*", ".gitignore"));
    CHECK(matches("*", "line\nbreak"));
}

TEST_CASE("sets match as in fnmatch") {
    CHECK(matches("[ab]", "b"));
    CHECK(!matches("[ab]", "c"));
    CHECK(matches("[!ab]", "c"));
    CHECK(!matches("[!ab]", "a"));
    CHECK(matches("[!ab]", "/"));
    CHECK(matches("[a-c]x", "bx"));
    CHECK(!matches("[a-c]", "d"));
    CHECK(matches("[a-]", "-"));
    CHECK(matches("[-a]", "-"));
    CHECK(matches("[]]", "]"));
    CHECK(matches("[]a]", "a"));
    CHECK(!matches("[!]]", "]"));
    CHECK(matches("[[]x", "[x"));
    CHECK(!matches("[z-a]", "m"));
    CHECK(matches("[!z-a]", "m"));
    CHECK(matches("[a^]", "^"));
    CHECK(matches("[\\]", "\\"));
}

TEST_CASE("an unclosed set stands for itself") {
    CHECK(matches("[", "["));
    CHECK(matches("[ab", "[ab"));
    CHECK(!matches("[ab", "a"));
    CHECK(matches("[!", "[!"));
    CHECK(matches("[]", "[]"));
    CHECK(matches("[!]", "[!]"));
    CHECK(matches("*[", "a["));
}

TEST_CASE("a question mark takes one character of UTF-8, or one stray byte") {
    CHECK(matches("?", "\xc3\xa9"));
    CHECK(!matches("??", "\xc3\xa9"));
    CHECK(matches("?", "\xf0\x9f\xa4\x97"));
    CHECK(matches("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"));
    CHECK(!matches("[!\xc3\xa9]", "\xc3\xa9"));
    CHECK(matches("?", "\xff"));
    CHECK(matches("??", "\xc3x"));
    CHECK(matches("\xff*", "\xff"));
    CHECK(!matches("\xfe", "\xff"));
}

TEST_CASE("patterns that ruin backtracking matchers are harmless") {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "*a";
    CHECK(!matches(pattern + "b", std::string(3000, 'a')));
    CHECK(matches(pattern + "*", std::string(3000, 'a')));
}

TEST_CASE("paths are allowed first and then ignored") {
    const Patterns paths = {"a.bin", "b.json", "sub/c.json", "sub/d.txt"};
    CHECK(filter_paths(paths, std::nullopt, {}) == paths);
    CHECK(filter_paths(paths, Patterns{"*.json"}, {}) == Patterns{"b.json", "sub/c.json"});
    CHECK(filter_paths(paths, Patterns{"*.json", "*.bin"}, {"sub/*"}) == Patterns{"a.bin", "b.json"});
    CHECK(filter_paths(paths, std::nullopt, {"*.json"}) == Patterns{"a.bin", "sub/d.txt"});
    CHECK(filter_paths(paths, Patterns{}, {}).empty());
    CHECK(filter_paths(paths, Patterns{""}, {}).empty());
}

TEST_CASE("a pattern that ends with a slash means all below that folder") {
    const Patterns paths = {"data", "data/a", "data/sub/b", "other/data/c"};
    CHECK(filter_paths(paths, Patterns{"data/"}, {}) == Patterns{"data/a", "data/sub/b"});
    CHECK(filter_paths(paths, std::nullopt, {"data/"}) == Patterns{"data", "other/data/c"});
}

TEST_CASE("backslashes in patterns and paths are separators") {
    const Patterns paths = {"data/a", "data\\b"};
    CHECK(filter_paths(paths, Patterns{"data\\"}, {}) == paths);
    CHECK(filter_paths(paths, Patterns{"data/*"}, {}) == paths);
}
