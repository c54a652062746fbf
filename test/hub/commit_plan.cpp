#include "hub/commit_plan.hpp"

#include "core/json.hpp"
#include "hub/repo_id.hpp"
#include "support/loop.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;
using hfhub::test::outcome;

namespace {

Addition addition(std::string path, std::string content) {
    Addition made{.path = std::move(path), .content = Content(UploadSource::bytes(content))};
    made.info.size = content.size();
    made.info.sample = content.substr(0, 512);
    return made;
}

json::value parsed(std::string_view text) { return parse_json(text, "the test"); }

constexpr std::string_view head = "1a954628a960aaef81d7b2d4521929579f3541e6";

}  // namespace

TEST_CASE("a path in the repository loses one slash, or a dot and a slash, at its beginning") {
    CHECK(checked_path_in_repo("a.txt") == "a.txt");
    CHECK(checked_path_in_repo("/a.txt") == "a.txt");
    CHECK(checked_path_in_repo("./a.txt") == "a.txt");
    CHECK(checked_path_in_repo("/./a.txt") == "a.txt");
    CHECK(checked_path_in_repo("dir/") == "dir/");
    CHECK(checked_path_in_repo("dir with space/ü#1.txt") == "dir with space/ü#1.txt");
    CHECK(checked_path_in_repo("a..b/.gitignore") == "a..b/.gitignore");
}

TEST_CASE("paths that lead out of the repository, into forbidden folders or nowhere are refused") {
    using namespace std::string_view_literals;
    for (const std::string_view path :
         {""sv, "/"sv, "."sv, "./"sv, "./."sv, ".."sv, "../x"sv, "a/../b"sv, "a/.."sv, "/../x"sv, "./.."sv, ".git"sv,
          ".git/config"sv, "a/.git/hooks"sv, ".cache/x"sv, "a/.cache"sv, "a\0b"sv}) {
        CAPTURE(path);
        CHECK(outcome([&] { checked_path_in_repo(path); }) == "InvalidArgumentError");
    }
}

TEST_CASE("a commit needs a message, a repository that can have commits, and a parent that is a commit") {
    const auto check = [](CreateCommitOptions options, std::string_view id = "alice/m") {
        return outcome([&] { check_commit(id, options); });
    };
    CHECK(check({.commit_message = "m"}) == "ok");
    CHECK(check({.commit_message = "m", .repo_type = "space", .parent_commit = head}) == "ok");
    CHECK(check({.commit_message = "m", .parent_commit = "ABC12"}) == "ok");
    CHECK(check({}) == "InvalidArgumentError");
    CHECK(check({.commit_message = "m", .repo_type = "kernel"}) == "InvalidArgumentError");
    CHECK(check({.commit_message = "m", .repo_type = "bucket"}) == "InvalidArgumentError");
    CHECK(check({.commit_message = "m", .parent_commit = "main"}) == "InvalidArgumentError");
    CHECK(check({.commit_message = "m", .parent_commit = "abc1"}) == "InvalidArgumentError");
    CHECK(check({.commit_message = "m"}, "a/b/c") == "HfValidationError");
}

TEST_CASE("a deletion is of a folder where its path says so, unless the caller says otherwise") {
    const std::vector<CommitOperation> given = {CommitOperationDelete{"a"}, CommitOperationDelete{"b/"},
                                                CommitOperationDelete{"c", true}, CommitOperationDelete{"d/", false}};
    Operations operations{CommitOperations(given)};
    operations.check();
    std::string lines;
    for (const Operation& one : operations.list) lines += deletion_line(std::get<Deletion>(one));
    CHECK(lines ==
          "{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\"}}\n{\"key\":\"deletedFolder\",\"value\":{\"path\":\"b/"
          "\"}}\n"
          "{\"key\":\"deletedFolder\",\"value\":{\"path\":\"c\"}}\n{\"key\":\"deletedFile\",\"value\":{\"path\":\"d/"
          "\"}}\n");
    CHECK(operations.deletions() == 4);
}

TEST_CASE("a copy from another repository needs its id and its type") {
    const auto check = [](CommitOperationCopy copy) {
        const CommitOperation one = copy;
        return outcome([&] { Operations(CommitOperations(one)).check(); });
    };
    CHECK(check({"a", "b"}) == "ok");
    CHECK(check({"a", "b", "", "bob/m", "model"}) == "ok");
    CHECK(check({"a", "b", "", "bob/m"}) == "InvalidArgumentError");
    CHECK(check({"a", "b", "", "", "model"}) == "InvalidArgumentError");
    CHECK(check({"../a", "b"}) == "InvalidArgumentError");
}

TEST_CASE("people are warned of commits that undo themselves and of data in a model's repository") {
    const auto count = [](std::vector<CommitOperation> given, std::string_view type = "model") {
        return commit_warnings(Operations(CommitOperations(given)), type).size();
    };
    const CommitOperationAdd file{"dir/a.txt", UploadSource::bytes("1")};
    CHECK(count({file}) == 0);
    CHECK(count({file, file}) == 1);
    CHECK(count({file, CommitOperationDelete{"dir/a.txt"}}) == 1);
    CHECK(count({file, CommitOperationDelete{"dir/"}}) == 1);
    CHECK(count({CommitOperationDelete{"dir/"}, file}) == 0);
    CHECK(count({CommitOperationAdd{"t.parquet", UploadSource::bytes("1")}}) == 1);
    CHECK(count({CommitOperationAdd{"t.parquet", UploadSource::bytes("1")}}, "dataset") == 0);
}

TEST_CASE("the Hub is told each file's path, size and first bytes, and the rules of a .gitignore among them") {
    Addition one = addition("a.txt", "hé");
    const std::vector<Addition*> files = {&one};
    CHECK(preupload_request(files, std::nullopt) == parsed(R"({"files":[{"path":"a.txt","sample":"aMOp","size":3}]})"));
    CHECK(preupload_request(files, "*.log\n").at("gitIgnore") == "*.log\n");
}

TEST_CASE("the Hub decides how a file is uploaded; a file of no bytes is never a large one") {
    Addition large = addition("a.bin", "x"), small = addition("b.txt", "y"), empty = addition("c.bin", "");
    const std::vector<Addition*> files = {&large, &small, &empty};
    take_preupload_answer(parsed(R"({"files":[{"path":"c.bin","uploadMode":"lfs"},{"path":"a.bin","uploadMode":"lfs"},
        {"path":"b.txt","uploadMode":"regular","shouldIgnore":true,"oid":"123","new":1}],"extra":{}})"),
                          files);
    CHECK(large.mode == UploadMode::lfs);
    CHECK(!large.ignored);
    CHECK(!large.remote_oid);
    CHECK(small.mode == UploadMode::regular);
    CHECK(small.ignored);
    CHECK(small.remote_oid == "123");
    CHECK(empty.mode == UploadMode::regular);
}

TEST_CASE("an answer that does not say how a file is uploaded is refused") {
    Addition one = addition("a", "x");
    const std::vector<Addition*> files = {&one};
    for (const std::string_view answer :
         {R"({"error":null})", R"({"files":{}})", R"({"files":[]})", R"({"files":[1]})", R"({"files":[{"path":"a"}]})",
          R"({"files":[{"path":"a","uploadMode":"xet"}]})", R"({"files":[{"path":"b","uploadMode":"lfs"}]})"}) {
        CAPTURE(answer);
        CHECK(outcome([&] { take_preupload_answer(parsed(answer), files); }) == "InvalidArgumentError");
    }
}

TEST_CASE("a file is unchanged where the repository has the same id, and changed where either is unknown") {
    Addition one = addition("a", "x");
    CHECK(!is_unchanged(one));
    one.remote_oid = "1";
    CHECK(!is_unchanged(one));
    one.oid = "1";
    CHECK(is_unchanged(Operation(one)));
    one.oid = "2";
    CHECK(!is_unchanged(Operation(one)));
    Copying copy{.source_path = "a", .path = "b"};
    CHECK(!is_unchanged(Operation(copy)));
    copy.source_oid = copy.present_oid = "3";
    CHECK(is_unchanged(Operation(copy)));
    CHECK(!is_unchanged(Operation(Deletion{.path = "a"})));
}

TEST_CASE("a commit's first line says what it is for, and which commit it follows") {
    CHECK(header_line({.commit_message = "m\n\"q\"", .commit_description = "d"}) ==
          "{\"key\":\"header\",\"value\":{\"summary\":\"m\\n\\\"q\\\"\",\"description\":\"d\"}}\n");
    CHECK(parsed(header_line({.commit_message = "m", .parent_commit = "abc12"})).at("value").at("parentCommit") ==
          "abc12");
    CHECK(lfs_line("p", "00ff", 7) ==
          "{\"key\":\"lfsFile\",\"value\":{\"path\":\"p\",\"algo\":\"sha256\",\"oid\":\"00ff\",\"size\":7}}\n");
    CHECK(!parsed(lfs_line("p", "00ff", std::nullopt)).at("value").as_object().contains("size"));
}

TEST_CASE("the commit's result names repository and pull request, on the endpoint that was asked") {
    const json::value answer = parsed(R"({"success":true,"commitOid":"23b1","commitUrl":
        "https://huggingface.co/datasets/acme/d/commit/23b1","pullRequestUrl":"http://hub.test/datasets/acme/d/discussions/123"})");
    const RepoUrl asked = make_repo_url("http://hub.test", "dataset", "acme/d");
    const CommitInfo plain = read_commit_info(answer, {.commit_message = "m", .commit_description = "d"}, asked);
    CHECK(plain.oid == "23b1");
    CHECK(plain.commit_url == "https://huggingface.co/datasets/acme/d/commit/23b1");
    CHECK(plain.repo_url.url == "http://hub.test/datasets/acme/d");
    CHECK(plain.repo_url.repo_type == "dataset");
    CHECK(plain.commit_message == "m");
    CHECK(!plain.pr_url);
    const CommitInfo proposal = read_commit_info(answer, {.create_pr = true}, asked);
    CHECK(proposal.pr_revision == "refs/pr/123");
    CHECK(proposal.pr_num == 123);
    CHECK(outcome([&] { read_commit_info(parsed("{}"), {}, asked); }) == "JsonError");
}

TEST_CASE("a commit is made, whatever the server calls itself") {
    const RepoUrl asked = make_repo_url("http://hub.test", "dataset", "acme/d");
    const auto repository = [&](const char* commit_url) {
        const json::value answer{{"commitOid", "23b1"}, {"commitUrl", commit_url}};
        return read_commit_info(answer, {}, asked).repo_url;
    };
    CHECK(repository("https://hub.test/datasets/acme/d/commit/23b1").url == "https://hub.test/datasets/acme/d");
    CHECK(repository("http://internal:3000/datasets/acme/d/commit/23b1").url == asked.url);
    CHECK(repository("/datasets/acme/d/commit/23b1").repo_id == "acme/d");
}

TEST_CASE("only the address of a discussion names a pull request") {
    CHECK(pull_request_revision("https://huggingface.co/alice/m/discussions/7") == "refs/pr/7");
    for (const std::string_view url :
         {"", "https://huggingface.co/alice/m/pulls/7", "https://huggingface.co/alice/m/discussions/",
          "https://huggingface.co/alice/m/discussions/7x", "https://x/discussions/7/files"}) {
        CAPTURE(url);
        CHECK(outcome([&] { pull_request_revision(url); }) == "JsonError");
    }
}

TEST_CASE("addresses at the Hub's default host are turned to the endpoint, others are not") {
    CHECK(at_endpoint("https://huggingface.co/upload/1?a=b", "http://mirror:8080/hf") ==
          "http://mirror:8080/hf/upload/1?a=b");
    CHECK(at_endpoint("https://hub-ci.huggingface.co/x", "http://mirror") == "http://mirror/x");
    CHECK(at_endpoint("https://huggingface.co/x", "https://huggingface.co") == "https://huggingface.co/x");
    CHECK(at_endpoint("https://huggingface.co.example.org/x", "http://mirror") ==
          "https://huggingface.co.example.org/x");
    CHECK(at_endpoint("https://s3.example.org/x", "http://mirror") == "https://s3.example.org/x");
}
