#include "hub/upload_plan.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;
using namespace std::chrono_literals;

namespace {

RepoTree tree(std::initializer_list<const char*> paths) {
    RepoTree tree;
    for (const char* path : paths) tree.push_back({.path = path});
    return tree;
}

std::vector<std::string> paths(const std::vector<Operation>& deletions) {
    std::vector<std::string> out;
    for (const Operation& one : deletions) {
        CHECK_FALSE(std::get<Deletion>(one).is_folder);
        out.push_back(std::get<Deletion>(one).path);
    }
    return out;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("a folder of a repository is written in several ways") {
    for (const char* root : {"", "/", ".", "./", "//"}) CHECK(folder_prefix(root) == "");
    for (const char* folder : {"data", "/data", "./data", "data/", "/data//"}) CHECK(folder_prefix(folder) == "data/");
    CHECK(folder_prefix("a b/c") == "a b/c/");
    CHECK(folder_prefix(".hidden") == ".hidden/");
}

TEST_CASE("git's files and notes of downloads are never uploaded, what is named like them is") {
    for (const char* path : {".git", ".git/config", "a/.git/HEAD", "a/b/.git", ".cache/huggingface",
                             ".cache/huggingface/download/x", "a/.cache/huggingface/y"}) {
        CHECK(is_never_uploaded(path));
    }
    for (const char* path : {".gitignore", ".gitattributes", "a.git/x", ".cache/other", "huggingface/.cache", "git"})
        CHECK_FALSE(is_never_uploaded(path));
}

TEST_CASE("patterns of deletions are about paths below the folder, and spare the attributes of the repository") {
    const RepoTree all =
        tree({".gitattributes", "a.txt", "data/a.txt", "data/b.bin", "data/.gitattributes", "old/x/y"});
    CHECK(paths(deletions_of(all, "", {"*"})) ==
          Paths{"a.txt", "data/a.txt", "data/b.bin", "data/.gitattributes", "old/x/y"});
    CHECK(paths(deletions_of(all, "", {"a.txt", "old/"})) == Paths{"a.txt", "old/x/y"});
    CHECK(paths(deletions_of(all, "data/", {"a.txt", "old/"})) == Paths{"data/a.txt"});
    CHECK(paths(deletions_of(all, "", {})).empty());
}

TEST_CASE("what is uploaded anew is not deleted") {
    std::vector<Operation> deletions = deletions_of(tree({"a", "b", "c"}), "", {"*"});
    std::vector<Addition> additions(2);
    additions[0].path = "b";
    additions[1].path = "new";
    keep_uploaded(deletions, additions);
    CHECK(paths(deletions) == Paths{"a", "c"});
}

TEST_CASE("a slice ends at its count or with the file that fills its bytes, and is never empty") {
    const std::vector<std::uint64_t> sizes = {5, 5, 5, 100, 1, 1};
    CHECK(slice_size(sizes, 2, 1000) == 2);
    CHECK(slice_size(sizes, 10, 1000) == 6);
    CHECK(slice_size(sizes, 10, 10) == 2);
    CHECK(slice_size(sizes, 10, 11) == 3);
    CHECK(slice_size(sizes, 10, 20) == 4);
    CHECK(slice_size(std::span(sizes).subspan(3), 10, 1) == 1);
    CHECK(slice_size({}, 10, 1) == 0);
}

TEST_CASE("commits grow while they are quick and full, and shrink where they fail or take long") {
    CommitScale scale;
    CHECK(scale.target() == 250);
    scale.succeeded(100, 1s);
    CHECK(scale.target() == 250);
    scale.succeeded(250, 1s);
    CHECK(scale.target() == 400);
    scale.succeeded(400, 41s);
    CHECK(scale.target() == 250);
    CHECK_FALSE(scale.has_failed());
    scale.failed(250);
    CHECK(scale.has_failed());
    CHECK(scale.target() == 125);
    scale.failed(20);
    CHECK(scale.target() == CommitScale::smallest);
    for (int i = 0; i < 20; ++i) scale.succeeded(1000, 1s);
    CHECK(scale.target() == 1000);
}
