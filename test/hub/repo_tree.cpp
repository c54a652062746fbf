#include "hub/repo_tree.hpp"

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "core/json.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;

namespace {

const std::string sha256(64, 'a'), sha1(40, 'b');

RepoTree listed(std::string_view text) {
    RepoTree tree;
    append_to_tree(tree, parse_json(text, "the test").as_array());
    return tree;
}

RepoTree example() {
    return listed(R"([{"type":"directory","oid":"c","size":0,"path":"sub"},
        {"type":"file","oid":")" +
                  sha1 + R"(","size":5,"path":"sub/é \"x\""},
        {"type":"file","oid":")" +
                  sha1 + R"(","size":700,"path":"big","xetHash":")" + sha256 + R"(","lfs":{"oid":")" + sha256 +
                  R"(","size":701,"pointerSize":134}}])");
}

}  // namespace

TEST_CASE("the files of a listing, in its order, without its folders") {
    const RepoTree tree = example();
    REQUIRE(tree.size() == 2);
    CHECK(tree[0].path == "sub/é \"x\"");
    CHECK(tree[0].is_plain());
    CHECK(tree[0].content_size() == 5);
    CHECK(tree[1].lfs_sha256 == sha256);
    CHECK(tree[1].xet_hash == sha256);
    CHECK(tree[1].content_size() == 701);
    CHECK(!tree[1].is_plain());
}

TEST_CASE("a kept listing reads as it was, sorted") {
    const auto tree = parse_tree(format_tree(example()));
    REQUIRE(tree);
    REQUIRE(tree->size() == 2);
    CHECK((*tree)[0].path == "big");
    CHECK((*tree)[0].lfs_size == 701u);
    CHECK((*tree)[0].size == 700);
    CHECK((*tree)[0].xet_hash == sha256);
    CHECK((*tree)[1].path == "sub/é \"x\"");
    CHECK((*tree)[1].blob_id == sha1);
    CHECK(parse_tree(format_tree({}))->empty());
}

TEST_CASE("a kept listing has Python's form") {
    CHECK(format_tree({}) == "{\n \"format_version\": 1,\n \"files\": {}\n}");
    RepoTree tree(1);
    tree[0] = {"f", 3, "b", "s", 3, {}};
    CHECK(format_tree(tree) ==
          "{\n \"format_version\": 1,\n \"files\": {\n  \"f\": {\n   \"size\": 3,\n   \"blob_id\": \"b\",\n"
          "   \"lfs_sha256\": \"s\",\n   \"lfs_size\": 3\n  }\n }\n}");
}

TEST_CASE("what is damaged, of another form or names what is no file is no listing") {
    for (const char* text : {"", "{", "[]", R"({"files":{}})", R"({"format_version":2,"files":{}})",
                             R"({"format_version":1,"files":[]})", R"({"format_version":1,"files":{"f":{"size":1}}})",
                             R"({"format_version":1,"files":{"../f":{"size":1,"blob_id":"b"}}})",
                             R"({"format_version":1,"files":{"f":{"size":1,"blob_id":"b","xet_hash":"zz"}}})"}) {
        CAPTURE(text);
        CHECK(!parse_tree(text));
    }
}

TEST_CASE("a listing that is not valid is not kept, and one that is damaged not used") {
    const TemporaryFolder folder;
    const auto file = tree_file(folder.path(), sha1);
    RepoTree tree = example();
    tree[0].xet_hash = "zz";
    write_tree(file, tree);
    CHECK(!std::filesystem::exists(file));
    write_tree(file, example());
    REQUIRE(read_tree(file));
    CHECK(read_tree(file)->size() == 2);
    write_file_atomically(file, "{");
    CHECK(!read_tree(file));
    CHECK(!read_tree(folder / "none"));
}
