#include "cli/file_choice.hpp"

#include <doctest/doctest.h>

using hfhub::cli::choose_files;
using hfhub::cli::FileChoice;
using Names = std::vector<std::string>;

namespace {

const Names files = {"a.json", "b.bin", "odd1.txt", "odd[1].txt", "sub/a.json", "sub/deep/c.bin"};

Names chosen(const Names& names, const Names& include = {}, const Names& exclude = {}) {
    return choose_files(files, names, include, exclude).files;
}

}  // namespace

TEST_CASE("without names: include and exclude") {
    CHECK(chosen({}) == files);
    CHECK(chosen({}, {"*.json"}) == Names{"a.json", "sub/a.json"});
    CHECK(chosen({}, {"*.json", "b*"}, {"sub/*"}) == Names{"a.json", "b.bin"});
    CHECK(chosen({}, {}, {"*"}).empty());
}

TEST_CASE("names, patterns and folders, in the repository's order and once each") {
    CHECK(chosen({"b.bin", "a.json"}) == Names{"a.json", "b.bin"});
    CHECK(chosen({"sub/"}) == Names{"sub/a.json", "sub/deep/c.bin"});
    CHECK(chosen({"*.json", "a.json", "sub/a*"}) == Names{"a.json", "sub/a.json"});
}

TEST_CASE("a name that a file has is no pattern") {
    CHECK(chosen({"odd[1].txt"}) == Names{"odd[1].txt"});
    CHECK(chosen({"odd[1]*"}) == Names{"odd1.txt"});
}

TEST_CASE("names that nothing fits are told") {
    const FileChoice choice = choose_files(files, {"none", "a.json", "*.none"}, {}, {});
    CHECK(choice.files == Names{"a.json"});
    CHECK(choice.unmatched == Names{"none", "*.none"});
}
