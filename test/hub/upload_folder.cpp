#include "hub/upload_plan.hpp"
#include "upload_hub.hpp"

#include <hfhub/hub/upload.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace hfhub;
using namespace hfhub::test::upload_hub;
using test::outcome;

namespace fs = std::filesystem;

namespace {

struct FolderFixture : Fixture {
    void write(const std::string& name, std::string_view content = "1") const {
        const fs::path path = root() / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
    }
    void write_many(int count) const {
        for (int i = 0; i < count; ++i) write(std::to_string(10'000 + i));
    }
    fs::path root() const { return folder.path() / "folder"; }
    CommitInfo upload(UploadFolderOptions options = {}) const { return api.upload_folder(root(), "alice/m", options); }

    std::vector<Sent> commits() const {
        auto all = hub->find("POST", "/api/models/alice/m/commit/");
        return all;
    }
    /// What the commits that were made have written and deleted, in order: "+path", "-path".
    std::vector<std::string> changes(const Sent& commit) const {
        std::vector<std::string> out;
        for (const json::value& line : UploadHub::lines_of(commit)) {
            const auto& key = line.at("key").as_string();
            if (key == "header") continue;
            out.push_back((key == "deletedFile" ? "-" : "+") + std::string(line.at("value").at("path").as_string()));
        }
        return out;
    }
    static std::string summary(const Sent& commit) {
        return std::string(UploadHub::lines_of(commit).at(0).at("value").at("summary").as_string());
    }
};

using Changes = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(FolderFixture,
                  "a folder becomes one commit: links to files followed, links to folders and git's left") {
    write("b/c.txt");
    write("b-a.txt");
    write("a.txt");
    write(".git/config");
    write("b/.cache/huggingface/x");
    fs::create_symlink("a.txt", root() / "link");
    fs::create_symlink("nowhere", root() / "dangling");
    fs::create_directory_symlink("b", root() / "linked");
    const CommitInfo info = upload({.path_in_repo = "/in/"});
    CHECK(info.oid == "abc");
    CHECK(info.commit_message == "Upload folder using hfhub");
    REQUIRE(commits().size() == 1);
    CHECK(summary(commits()[0]) == "Upload folder using hfhub");
    CHECK(changes(commits()[0]) == Changes{"+in/a.txt", "+in/b/c.txt", "+in/b-a.txt", "+in/link"});
}

TEST_CASE_FIXTURE(FolderFixture, "patterns choose files by their path below the folder") {
    write("a.txt");
    write("b/a.txt");
    write("b/a.bin");
    upload({.path_in_repo = "in", .allow_patterns = {"*.txt", "b/"}, .ignore_patterns = "b/*.bin"});
    REQUIRE(commits().size() == 1);
    CHECK(changes(commits()[0]) == Changes{"+in/a.txt", "+in/b/a.txt"});
    hub->requests.clear();
    CHECK(upload({.allow_patterns = {"none", "other"}}).oid == "head");
    CHECK(commits().empty());
}

TEST_CASE_FIXTURE(FolderFixture, "what cannot be uploaded is refused before anything is sent") {
    CHECK(outcome([&] { upload(); }) == "InvalidArgumentError");
    write("file");
    CHECK(outcome([&] { api.upload_folder(root() / "file", "alice/m"); }) == "InvalidArgumentError");
    CHECK(outcome([&] { api.upload_folder(root(), "not an id"); }) == "HfValidationError");
    CHECK(outcome([&] { upload({.path_in_repo = "../up"}); }) == "InvalidArgumentError");
    CHECK(outcome([&] { upload({.revision = "dev", .create_pr = true}); }) == "InvalidArgumentError");
    CHECK(outcome([&] { upload({.parent_commit = "main"}); }) == "InvalidArgumentError");
    write("\xFF");
    CHECK(outcome([&] { upload(); }) == "InvalidArgumentError");
    CHECK(hub->requests.empty());
    upload({.ignore_patterns = "\xFF"});
    CHECK(commits().size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "a folder of many files makes several commits, each file in one of them") {
    write_many(700);
    write(".gitignore", "*.log");
    write("README.md", "card");
    const std::string parent(40, 'a');
    upload({.commit_message = "m", .parent_commit = parent});
    REQUIRE(commits().size() == 3);
    Changes all;
    for (std::size_t i = 0; i < 3; ++i) {
        const Sent commit = commits()[i];
        CHECK(summary(commit) == "m (part " + std::to_string(i + 1) + ")");
        CHECK((commit.body.find(parent) != commit.body.npos) == (i == 0));
        const Changes some = changes(commit);
        all.insert(all.end(), some.begin(), some.end());
    }
    CHECK(all.size() == 702);
    std::sort(all.begin(), all.end());
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
    CHECK(hub->find("POST", "/api/validate-yaml").size() == 1);
    for (const Sent& asked : hub->find("POST", "/api/models/alice/m/preupload/"))
        CHECK(asked.body.find(R"("gitIgnore":"*.log")") != asked.body.npos);
}

TEST_CASE_FIXTURE(FolderFixture, "a card that the Hub refuses stops the upload before anything goes up") {
    write("README.md", "bad");
    write("a.bin");
    hub->large = {"a.bin"};
    hub->faults["validate-yaml"] = {{.status = 400, .body = R"({"errors":[{"message":"bad yaml"}]})"}};
    CHECK(outcome([&] { upload(); }) == "InvalidArgumentError");
    CHECK(hub->requests.size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "what the repository has is not sent again: an upload goes on where another ended") {
    write_many(300);
    GitBlobSha1 id(1);
    id.update("1");
    for (int i = 0; i < 298; ++i) hub->known[std::to_string(10'000 + i)] = id.hex();
    upload();
    REQUIRE(commits().size() == 1);
    CHECK(changes(commits()[0]) == Changes{"+10298", "+10299"});
    CHECK(summary(commits()[0]) == "Upload folder using hfhub");
    hub->known["10298"] = hub->known["10299"] = id.hex();
    hub->requests.clear();
    CHECK(upload().oid == "head");
    CHECK(commits().empty());
}

TEST_CASE_FIXTURE(FolderFixture, "a commit that the Hub gives up is made in smaller ones, each file in one of them") {
    write_many(100);
    hub->faults["/commit/"] = {{.status = 504}, {.status = 503}};
    upload();
    REQUIRE(commits().size() == 5);
    CHECK(changes(commits()[0]).size() == 100);
    CHECK(changes(commits()[1]).size() == 50);
    CHECK(changes(commits()[2]).size() == 20);
    Changes all;
    for (std::size_t i = 2; i < commits().size(); ++i) {
        const Changes some = changes(commits()[i]);
        all.insert(all.end(), some.begin(), some.end());
    }
    CHECK(all.size() == 100);
    std::sort(all.begin(), all.end());
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE_FIXTURE(FolderFixture, "a commit that was made although the Hub said 504 is not made again") {
    write("a.txt");
    write("b.txt");
    hub->faults["/commit/"] = {{.status = 504}};
    hub->looks_until_known = 2;
    GitBlobSha1 id(1);
    id.update("1");
    hub->known["b.txt"] = id.hex();
    CHECK(upload().oid == "head");
    CHECK(commits().size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "a commit that fails again and again is given up, one that is refused at once") {
    write("a.txt");
    hub->faults["/commit/"] = std::vector<Reply>(20, {.status = 503});
    CHECK(outcome([&] { upload(); }) == "HfHubHttpError");
    CHECK(commits().size() == 5);
    hub->requests.clear();
    hub->faults["/commit/"] = {{.status = 412}};
    CHECK(outcome([&] { upload(); }) == "HfHubHttpError");
    CHECK(commits().size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "all parts of a large folder go into one pull request") {
    write_many(300);
    const CommitInfo info = upload({.create_pr = true});
    CHECK(info.pr_revision == "refs/pr/7");
    CHECK(info.pr_num == 7);
    REQUIRE(commits().size() == 2);
    CHECK(commits()[0].url.ends_with("/commit/main?create_pr=1"));
    CHECK(commits()[1].url.ends_with("/commit/refs%2Fpr%2F7"));
}

TEST_CASE_FIXTURE(FolderFixture, "deletions come with the first commit, less what is uploaded") {
    hub->tree = {".gitattributes", "old.txt", "in/old.txt", "in/10000"};
    write_many(300);
    upload({.path_in_repo = "in", .delete_patterns = "*"});
    REQUIRE(commits().size() == 2);
    CHECK(changes(commits()[0]).at(0) == "-in/old.txt");
    for (std::size_t i = 0; i < 2; ++i) {
        const Changes some = changes(commits()[i]);
        CHECK(std::count_if(some.begin(), some.end(), [](const auto& one) { return one.front() == '-'; }) == (i == 0));
    }
}

TEST_CASE_FIXTURE(FolderFixture,
                  "a failure in preparing the next commit ends the upload, and is what the caller gets") {
    write_many(600);
    hub->large = {"10599"};
    hub->faults["/objects/batch"] = {{.status = 403}};
    CHECK(outcome([&] { upload(); }) == "HfHubHttpError");
    REQUIRE_FALSE(commits().empty());
    for (const Sent& commit : commits()) CHECK(commit.body.find("10599") == commit.body.npos);
    CHECK(changes(commits()[0]).size() == 250);
}

TEST_CASE_FIXTURE(FolderFixture, "a stop token ends an upload between its steps") {
    write_many(10);
    hub->large = {"10000"};
    std::stop_source stop;
    hub->on_put = [&] { stop.request_stop(); };
    const HfApi stoppable = api.with_stop(stop.get_token());
    CHECK(outcome([&] { stoppable.upload_folder(root(), "alice/m"); }) == "CancelledError");
    CHECK(commits().empty());
}

TEST_CASE_FIXTURE(FolderFixture, "files are deleted by patterns, in one commit") {
    hub->tree = {".gitattributes", "a.bin", "b.txt", "logs/x"};
    const CommitInfo info = api.delete_files("alice/m", {"*.bin", "logs/"});
    CHECK(info.commit_message == "Delete files *.bin logs/ with hfhub");
    REQUIRE(commits().size() == 1);
    CHECK(changes(commits()[0]) == Changes{"-a.bin", "-logs/x"});
    CHECK(api.delete_files("alice/m", "none").oid == "head");
    CHECK(commits().size() == 1);
}

TEST_CASE_FIXTURE(FolderFixture, "large files that were uploaded ahead are committed without their content") {
    hub->large = {"a.bin"};
    const auto files = api.preupload_lfs_files("alice/m", {CommitOperationAdd{"a.bin", UploadSource::bytes("large")},
                                                           CommitOperationAdd{"b.txt", UploadSource::bytes("small")}});
    REQUIRE(files.size() == 2);
    CHECK(files[0].upload_mode == "lfs");
    CHECK(files[0].sha256 == sha256_hex("large"));
    CHECK(files[0].size == 5);
    CHECK(files[1].upload_mode == "regular");
    CHECK(hub->find("PUT", "/s3/").size() == 1);
    hub->requests.clear();
    api.create_commit("alice/m", {files[0].operation()}, {.commit_message = "m"});
    REQUIRE(hub->requests.size() == 1);
    CHECK(hub->committed().at(1).at("key") == "lfsFile");
    CHECK(hub->committed().at(1).at("value").at("oid").as_string() == files[0].sha256);
    CHECK(hub->committed().at(1).at("value").at("size") == 5);
    const CommitOperationAdd wrong{"a.bin", UploadSource::uploaded("12", 5)};
    CHECK(outcome([&] { api.create_commit("alice/m", {wrong}, {.commit_message = "m"}); }) == "InvalidArgumentError");
    CHECK(hub->requests.size() == 1);
}
