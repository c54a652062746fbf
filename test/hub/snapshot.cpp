#include "snapshot_server.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>

using namespace hfhub;
using namespace hfhub::hub;
using namespace hfhub::test;
using namespace std::chrono_literals;

namespace {

using Content = std::map<std::string, std::string>;
const Content some = {{"README.md", "# a\n"}, {"config.json", "{}"}, {"sub/v", "token"}};
const std::string earlier(40, 'e');
const std::string pinned(commit);

FileAnswer status(int code, std::string error_code = {}) {
    FileAnswer answer{.status = code};
    if (!error_code.empty()) answer.headers = {{"x-error-code", std::move(error_code)}};
    return answer;
}

/// Answers so to what asks for paths that hold the text.
SnapshotServer::Instead failing(std::string part, FileAnswer answer) {
    return [part = std::move(part), answer = std::move(answer)](const FileRequestSeen& seen) {
        return seen.url.find(part) == std::string::npos ? std::nullopt : std::optional(answer);
    };
}

std::string text(const fs::path& path) { return read_file(path, 1 << 20); }

}  // namespace

TEST_CASE("a snapshot brings all files; again, it costs one request for a branch and none for a commit") {
    const SnapshotServer hub(some);
    const fs::path folder = hub.download();
    CHECK(folder == hub.cache.snapshot(commit));
    for (const auto& [name, content] : some) CHECK(text(folder / name) == content);
    CHECK(read_ref(hub.cache, "main") == commit);
    CHECK(hub.requests() == 2 + 2 * some.size());
    CHECK(hub.download() == folder);
    CHECK(hub.requests() == 2 + 2 * some.size() + 1);
    CHECK(hub.download({.revision = pinned}) == folder);
    CHECK(hub.requests() == 2 + 2 * some.size() + 1);
}

TEST_CASE("of many plain files the listing says what a HEAD would") {
    const SnapshotServer hub(numbered_files(40));
    const fs::path folder = hub.download();
    CHECK(text(folder / "f39") == "content 39");
    CHECK(fs::is_symlink(folder / "f39"));
    CHECK(hub.requests() == 2 + 40);
    CHECK(hub.asked("HEAD", "") == 0);
}

TEST_CASE("patterns choose files: of none given all, of an empty list none") {
    const SnapshotServer hub(some);
    const std::vector<std::string> nothing;
    CHECK(fs::is_empty(hub.download({.allow_patterns = nothing})));
    const fs::path folder = hub.download({.allow_patterns = {"*.md", "sub/"}, .ignore_patterns = "*.md"});
    CHECK(fs::exists(folder / "sub/v"));
    CHECK(!fs::exists(folder / "README.md"));
    CHECK(!fs::exists(folder / "config.json"));
}

TEST_CASE("a file that fails keeps no other from being fetched, and its error is thrown") {
    SnapshotServer hub(some);
    hub.instead = failing("/README.md", status(404, "EntryNotFound"));
    CHECK_THROWS_WITH_AS(hub.download({.max_workers = 1}), doctest::Contains("README.md"), RemoteEntryNotFoundError);
    CHECK(text(hub.cache.pointer(commit, "config.json")) == "{}");
    CHECK(text(hub.cache.pointer(commit, "sub/v")) == "token");
}

TEST_CASE("of several files that fail one error tells all") {
    SnapshotServer hub(numbered_files(30));
    hub.instead = failing("/f2", status(404, "EntryNotFound"));
    try {
        hub.download();
        FAIL("no error");
    } catch (const RemoteEntryNotFoundError& error) {
        CHECK(std::string(error.what()).starts_with("11 of 30 files of a/m at main could not be fetched: 'f2"));
        const auto* all = dynamic_cast<const SnapshotFailures*>(&error);
        REQUIRE(all);
        CHECK(all->failures().size() == 11);
    }
    CHECK(text(hub.cache.pointer(commit, "f19")) == "content 19");
    hub.instead = nullptr;
    const std::size_t before = hub.requests();
    CHECK(text(hub.download() / "f2") == "content 2");
    CHECK(hub.requests() == before + 1 + 2 * 11);  // so few that each gets its HEAD
}

TEST_CASE("a failure for a while costs a try, no file") {
    SnapshotServer hub(numbered_files(30));
    std::map<std::string, int> tries;
    hub.instead = [&](const FileRequestSeen& seen) -> std::optional<FileAnswer> {
        if (seen.url.find("/resolve/") == std::string::npos || ++tries[seen.url] > 1) return std::nullopt;
        return status(503);
    };
    CHECK(text(hub.download() / "f29") == "content 29");
    CHECK(hub.requests() == 2 + 2 * 30);
}

TEST_CASE("what all files fail with ends a snapshot at once") {
    SnapshotServer hub(numbered_files(100));
    hub.instead = failing("/resolve/", status(403, "GatedRepo"));
    CHECK_THROWS_AS(hub.download({.max_workers = 4}), GatedRepoError);
    CHECK(hub.requests() <= 2 + 4);
}

TEST_CASE("in an outage most files are not tried, and requests are not multiplied") {
    SnapshotServer hub(numbered_files(1000));
    hub.instead = failing("/resolve/", status(503));
    CHECK_THROWS_WITH_AS(hub.download(), doctest::Contains("others were not tried"), HfHubHttpError);
    CHECK(hub.requests() < 200);
}

TEST_CASE("a half snapshot is an error where the Hub cannot be asked") {
    SnapshotServer hub(some);
    const fs::path folder = hub.leave({"config.json"});
    hub.leave_tree();
    hub.instead = failing("", status(503));
    CHECK_THROWS_WITH_AS(hub.download(), doctest::Contains("2 of 3 files of a/m at main"), IncompleteSnapshotError);
    hub.instead = failing("", {.refused = true});
    CHECK_THROWS_AS(hub.download(), IncompleteSnapshotError);
    try {
        hub.download({.local_files_only = true});
        FAIL("no error");
    } catch (const IncompleteSnapshotError& error) {
        CHECK(error.snapshot_path == folder.string());
        CHECK(std::string(error.what()).find("'README.md', 'sub/v'; local_files_only") != std::string::npos);
    }
    CHECK(hub.download({.allow_patterns = "*.json", .local_files_only = true}) == folder);
}

TEST_CASE("a cached file of another length is missing, and fetched anew") {
    SnapshotServer hub(some);
    const fs::path folder = hub.download();
    fs::resize_file(fs::canonical(folder / "sub/v"), 2);
    CHECK_THROWS_AS(hub.download({.local_files_only = true}), IncompleteSnapshotError);
    CHECK(text(hub.download({.revision = pinned}) / "sub/v") == "token");
}

TEST_CASE("a whole snapshot stands in for a Hub that does not answer, at once") {
    SnapshotServer hub(some);
    const fs::path folder = hub.download();
    hub.instead = failing("", status(503));
    const std::size_t before = hub.requests();
    CHECK(hub.download() == folder);
    CHECK(hub.requests() == before + 1);
    CHECK(hub.download({.local_files_only = true}) == folder);
    CHECK_THROWS_AS(hub.download({.force_download = true}), InvalidArgumentError);
    CHECK_THROWS_AS(hub.download({.revision = "v2"}), LocalEntryNotFoundError);
}

TEST_CASE("after an outage a whole snapshot is not asked for again soon") {
    SnapshotServer hub(some);
    const fs::path folder = hub.download();
    hub.instead = failing("", {.refused = true});
    CHECK(hub.download() == folder);
    const std::size_t before = hub.requests();
    CHECK(hub.download() == folder);
    CHECK(hub.requests() == before);
}

TEST_CASE("files without a list stand in where nobody was asked or answered, not for an error of the server") {
    SnapshotServer hub(some);
    const fs::path folder = hub.leave({"config.json"});
    CHECK(hub.download({.local_files_only = true}) == folder);
    hub.instead = failing("", status(503));
    CHECK_THROWS_AS(hub.download(), LocalEntryNotFoundError);
    CHECK_THROWS_AS(hub.download({.revision = pinned}), LocalEntryNotFoundError);
    hub.instead = failing("", status(401, "RepoNotFound"));
    CHECK_THROWS_AS(hub.download(), RepositoryNotFoundError);
    hub.instead = failing("", {.refused = true});
    CHECK(hub.download() == folder);
    CHECK(hub.download({.revision = pinned}) == folder);
}

TEST_CASE("offline: what is here, or an error") {
    SnapshotServer hub(some, {{"HF_HUB_OFFLINE", "1"}});
    CHECK_THROWS_WITH_AS(hub.download(), doctest::Contains("a snapshot of a/m at main is not on this machine"),
                         LocalEntryNotFoundError);
    const fs::path folder = hub.leave({"config.json"});
    CHECK(hub.download() == folder);
    CHECK_THROWS_AS(hub.api().snapshot_download_dry_run("a/m"), DryRunError);
    hub.leave_tree();
    CHECK_THROWS_AS(hub.download(), IncompleteSnapshotError);
    CHECK(hub.requests() == 0);
}

TEST_CASE("nothing stands in for a revision that does not exist") {
    SnapshotServer hub(some);
    hub.download();
    hub.instead = failing("/revision/", status(404, "RevisionNotFound"));
    CHECK_THROWS_AS(hub.download(), RevisionNotFoundError);
}

TEST_CASE("a branch means its former commit until the new one is here") {
    SnapshotServer hub(some);
    make_directories(hub.cache.snapshot(earlier));
    write_ref(hub.cache, "main", earlier);
    hub.instead = failing("/resolve/", status(404, "EntryNotFound"));
    CHECK_THROWS_AS(hub.download(), RemoteEntryNotFoundError);
    CHECK(read_ref(hub.cache, "main") == earlier);
    hub.instead = nullptr;
    hub.download();
    CHECK(read_ref(hub.cache, "main") == commit);
}

TEST_CASE("names that would lead out of the cache are refused before anything is fetched") {
    const SnapshotServer hub(Content{{"config.json", "{}"}, {"../evil", "x"}});
    CHECK_THROWS_AS(hub.download(), HfValidationError);
    CHECK(hub.requests() == 2);
    CHECK_THROWS_AS(hub.download({.revision = "../x"}), HfValidationError);
    SnapshotServer other(some);
    other.instead = failing("/revision/", {.body = R"({"sha":"../../etc"})"});
    CHECK_THROWS_AS(other.download(), JsonError);
}

TEST_CASE("a folder of one's own: its files are updated, what else lies there stays, and its list is kept in it") {
    SnapshotServer hub(Content{{"a", "one"}, {".cache/huggingface/x", "a note of somebody"}});
    const fs::path own = hub.home / "own";
    make_directories(own);
    write_file_atomically(own / "mine", "m");
    CHECK(hub.download({.local_dir = own.string()}) == own);
    CHECK(text(own / "a") == "one");
    CHECK(text(own / "mine") == "m");
    CHECK(!fs::exists(own / ".cache/huggingface/x"));
    CHECK(fs::exists(tree_file(own / ".cache/huggingface", commit)));
    const std::size_t before = hub.requests();
    hub.download({.revision = pinned, .local_dir = own.string()});
    CHECK(hub.requests() == before);
    fs::remove(own / "a");
    CHECK_THROWS_AS(hub.download({.local_dir = own.string(), .local_files_only = true}), IncompleteSnapshotError);
}

TEST_CASE("a dry run plans each file and fetches none") {
    SnapshotServer hub(some);
    hub.leave({"config.json"});
    const auto plan = hub.api().snapshot_download_dry_run("a/m");
    REQUIRE(plan.size() == 3);
    CHECK(plan[0].filename == "README.md");
    CHECK(plan[0].will_download);
    CHECK(plan[1].is_cached);
    CHECK(!plan[1].will_download);
    CHECK(plan[2].file_size == 5u);
    CHECK(!fs::exists(hub.cache.pointer(commit, "README.md")));
    CHECK(!fs::exists(hub.tree()));
    CHECK(hub.asked("GET", "/resolve/") == 0);
}

TEST_CASE("within a quota: all requests wait for the window that the server names, and the snapshot completes") {
    constexpr std::size_t quota = 100;
    const std::size_t count = std::getenv("HFHUB_LONG") ? 1000 : 250;
    SnapshotServer hub(numbered_files(count));
    auto window = std::chrono::steady_clock::now();
    std::size_t used = 0, refused = 0, windows = 1;
    hub.instead = [&](const FileRequestSeen& seen) -> std::optional<FileAnswer> {
        if (seen.url.find("/resolve/") == std::string::npos) return std::nullopt;
        if (std::chrono::steady_clock::now() - window >= 1s) {
            window = std::chrono::steady_clock::now();
            used = 0;
            ++windows;
        }
        if (++used <= quota) return std::nullopt;
        ++refused;
        return FileAnswer{.status = 429,
                          .headers = {{"ratelimit", R"("resolvers";r=0;t=1)"},
                                      {"ratelimit-policy", R"("fixed window";"resolvers";q=100;w=1)"}}};
    };
    CHECK(text(hub.download() / "f249") == "content 249");
    CHECK(static_cast<std::size_t>(hub.asked("GET", "/resolve/")) == count + refused);
    // Of the requests that go on at once when a window begins, at most the last ones can come too late.
    CHECK(refused <= windows);
    CHECK(windows >= count / quota);
}
