#include "core/file_lock.hpp"
#include "hub/part_name.hpp"
#include "small_hub.hpp"
#include "support/no_descriptors.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

TEST_CASE("a file gets its place in the cache") {
    const SmallHub hub;
    const fs::path path = hub.download();
    CHECK(path == hub.repo() / "snapshots" / commit / "f");
    CHECK(hub.text(path) == content);
    CHECK(fs::read_symlink(path) == "../../blobs/" + git_sha1_of(content));
    CHECK(hub.text(hub.repo() / "refs/main") == commit);
    CHECK(hub.server.summary() == std::vector<std::string>{"HEAD", "GET"});
    CHECK(hub.api().try_to_load_from_cache("a/m", "f").path == path);
}

TEST_CASE("a cached file that is not as long as the Hub says is fetched anew") {
    const SmallHub hub;
    const fs::path path = hub.download();
    for (const bool pinned : {false, true}) {
        CAPTURE(pinned);
        // As a power cut leaves it.
        fs::resize_file(path, 0);
        CHECK(hub.text(hub.download({.revision = pinned ? commit : "main"})) == content);
    }
    fs::resize_file(path, 3);
    CHECK(hub.text(hub.download()) == content);
    CHECK(hub.server.summary().size() == 8);
}

TEST_CASE("an earlier transfer's leavings go also where the file is there by now") {
    const SmallHub hub;
    const fs::path path = hub.download();
    fs::remove(path);
    const std::string name = hfhub::hub::new_part_name(git_sha1_of(content));
    write_file_atomically(hub.repo() / "blobs" / name, "left");
    hub.download();
    CHECK(!fs::exists(hub.repo() / "blobs" / name));
}

TEST_CASE("without a descriptor to be had, a download waits for one" * doctest::skip(needs_descriptors)) {
    const SmallHub hub(FileServer::Variables{{"HF_TOKEN", "hf_given"}});
    hub.download();
    auto none = std::make_unique<NoDescriptors>();
    std::jthread later([&] {
        std::this_thread::sleep_for(200ms);
        none.reset();
    });
    fs::path path;
    CHECK_NOTHROW(path = hub.download({.force_download = true}));
    later.join();
    CHECK(hub.text(path) == content);
}

TEST_CASE("a commit that is in the cache is not asked about") {
    const SmallHub hub;
    hub.download();
    const auto before = hub.server.seen().size();
    hub.download({.revision = commit});
    CHECK(hub.server.seen().size() == before);
}

TEST_CASE("coroutines get the same") {
    const SmallHub hub;
    asio::io_context io;
    fs::path path;
    const AsyncHfApi api(hub.server.session());
    const auto work = [&]() -> awaitable<void> { path = co_await api.hf_hub_download("a/m", "f"); };
    asio::co_spawn(io, work(), [](std::exception_ptr error) { CHECK(!error); });
    io.run();
    CHECK(hub.text(path) == content);
}

TEST_CASE("of many callers one fetches") {
    std::atomic<int> gets = 0;
    const SmallHub hub([&](const FileRequestSeen& seen) {
        gets += seen.method == "GET";
        return SmallHub::serve(seen);
    });
    std::vector<std::jthread> callers;
    for (int i = 0; i < 16; ++i) callers.emplace_back([&] { CHECK(hub.text(hub.download()) == content); });
    callers.clear();
    CHECK(gets == 1);
}

TEST_CASE("waiting for another's download ends at the deadline and when asked to stop") {
    const SmallHub hub;
    FileLock lock(hub.home / "hub/.locks/models--a--m" / (git_sha1_of(content) + ".lock"));
    REQUIRE(lock.try_lock());
    CHECK_THROWS_AS(hub.api().with_timeout(50ms).hf_hub_download("a/m", "f"), TimeoutError);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_THROWS_AS(hub.api().with_stop(stop.get_token()).hf_hub_download("a/m", "f"), CancelledError);
    lock.unlock();
    CHECK(hub.text(hub.download()) == content);
}

TEST_CASE("a file that the repository does not have is remembered") {
    const SmallHub hub([](const FileRequestSeen&) {
        FileAnswer answer = status(404, "EntryNotFound");
        answer.headers.emplace_back("x-repo-commit", std::string(commit));
        return answer;
    });
    CHECK_THROWS_AS(hub.download(), RemoteEntryNotFoundError);
    CHECK(fs::exists(hub.repo() / ".no_exist" / commit / "f"));
    CHECK(hub.api().try_to_load_from_cache("a/m", "f").known_missing);
}

TEST_CASE("a cached file stands in for a Hub that cannot be asked, whatever the reason") {
    std::optional<FileAnswer> failure;
    const SmallHub hub([&](const FileRequestSeen& seen) { return failure ? *failure : SmallHub::serve(seen); });
    const fs::path path = hub.download();
    for (const int code : {401, 403, 404, 410, 500, 503}) {
        CAPTURE(code);
        failure = status(code);
        CHECK(hub.download() == path);
    }
    failure = status(404, "RepoNotFound");
    CHECK(hub.download() == path);
    failure = status(404, "RevisionNotFound");
    CHECK_THROWS_AS(hub.download(), RevisionNotFoundError);
    failure = FileAnswer{};  // a captive portal
    CHECK(hub.download() == path);
    failure = FileAnswer{.refused = true};
    CHECK(hub.download() == path);
}

TEST_CASE("a Hub that cannot be reached is waited for once, not for each cached file") {
    bool up = true;
    const SmallHub hub(
        [&](const FileRequestSeen& seen) { return up ? SmallHub::serve(seen) : FileAnswer{.refused = true}; });
    hub.download();
    up = false;
    hub.download();
    const auto before = hub.server.seen().size();
    hub.download();
    CHECK(hub.server.seen().size() == before);
}

TEST_CASE("where nothing is cached, a failing Hub is asked again with patience") {
    int heads = 0;
    const SmallHub hub([&](const FileRequestSeen& seen) {
        if (seen.method == "HEAD" && ++heads < 4) return heads == 3 ? FileAnswer{.refused = true} : status(503);
        return SmallHub::serve(seen);
    });
    CHECK(hub.text(hub.download()) == content);
    CHECK(heads == 4);
}

TEST_CASE("offline, nothing is sent") {
    const SmallHub hub(FileServer::Variables{{"HF_HUB_OFFLINE", "1"}});
    CHECK_THROWS_AS(hub.download(), LocalEntryNotFoundError);
    CHECK_THROWS_AS(hub.download({.force_download = true}), InvalidArgumentError);
    const SmallHub online;
    CHECK_THROWS_AS(online.download({.local_files_only = true}), LocalEntryNotFoundError);
    online.download();
    const auto before = online.server.seen().size();
    CHECK(online.text(online.download({.local_files_only = true})) == content);
    CHECK(online.server.seen().size() == before);
    CHECK(hub.server.seen().empty());
}

TEST_CASE("a forced download replaces the content") {
    for (const char* no_links : {"0", "1"}) {
        CAPTURE(no_links);
        const SmallHub hub(FileServer::Variables{{"HF_HUB_DISABLE_SYMLINKS", no_links}});
        const fs::path path = hub.download();
        const std::string damaged(content.size(), '?');
        write_file_atomically(fs::canonical(path), damaged);
        CHECK(hub.text(hub.download()) == damaged);
        CHECK(hub.text(hub.download({.force_download = true})) == content);
    }
}

TEST_CASE("a length of 0 that the hash contradicts is not believed") {
    const SmallHub hub([](const FileRequestSeen& seen) {
        FileAnswer answer = SmallHub::serve(seen);
        if (seen.method == "HEAD") answer.headers.back().second = "0";
        return answer;
    });
    CHECK(hub.text(hub.download()) == content);
    const SmallHub empty(
        [](const FileRequestSeen& seen) { return seen.method == "HEAD" ? head_of("", false) : status(500); });
    CHECK(empty.text(empty.download()).empty());
    CHECK(empty.server.summary() == std::vector<std::string>{"HEAD"});
}

TEST_CASE("a server cannot choose paths") {
    for (const char* header : {"etag", "x-repo-commit"}) {
        CAPTURE(header);
        const SmallHub hub([&](const FileRequestSeen& seen) {
            FileAnswer answer = SmallHub::serve(seen);
            for (auto& [name, value] : answer.headers) {
                if (name == header) value = "../../../planted";
            }
            return answer;
        });
        CHECK_THROWS_AS(hub.download(), LocalEntryNotFoundError);
        CHECK(hub.server.summary() == std::vector<std::string>{"HEAD"});
        CHECK(!fs::exists(hub.home / "planted"));
    }
    const SmallHub hub;
    CHECK_THROWS_AS(hub.api().hf_hub_download("a/m", "../x"), HfValidationError);
    CHECK_THROWS_AS(hub.api().hf_hub_download("a/m", "x", {.revision = "../x"}), HfValidationError);
    CHECK_THROWS_AS(hub.api().hf_hub_download("a/m", "x", {.subfolder = ".."}), HfValidationError);
    CHECK_THROWS_AS(hub.api().try_to_load_from_cache("a/m", "../x"), HfValidationError);
    CHECK(hub.server.seen().empty());
}

TEST_CASE("a dry run tells what would happen and changes nothing") {
    const SmallHub hub;
    DryRunFileInfo info = hub.api().hf_hub_download_dry_run("a/m", "f");
    CHECK(info.commit_hash == commit);
    CHECK(info.file_size == content.size());
    CHECK(!info.is_cached);
    CHECK(info.will_download);
    CHECK(!fs::exists(hub.repo()));
    CHECK(info.local_path == hub.download());
    info = hub.api().hf_hub_download_dry_run("a/m", "f");
    CHECK(info.is_cached);
    CHECK(!info.will_download);
    CHECK(hub.api().hf_hub_download_dry_run("a/m", "f", {.force_download = true}).will_download);
}

TEST_CASE("addresses are built without asking anybody") {
    const SmallHub hub;
    CHECK(hub.api().hf_hub_url("a/m", "d e/f#1.txt",
                               {.subfolder = "s", .repo_type = "dataset", .revision = "refs/pr/3"}) ==
          "http://hub.test/datasets/a/m/resolve/refs%2Fpr%2F3/s/d%20e/f%231.txt");
    CHECK(AsyncHfApi(hub.server.session()).hf_hub_url("gpt2", "f") == "http://hub.test/gpt2/resolve/main/f");
    CHECK_THROWS_AS(hub.api().hf_hub_url("a/m", "f", {.repo_type = "bucket"}), InvalidArgumentError);
    CHECK(hub.server.seen().empty());
}

TEST_CASE("a cache that cannot be written does not hide that a file is missing") {
    const SmallHub hub([](const FileRequestSeen&) {
        FileAnswer answer = status(404, "EntryNotFound");
        answer.headers.emplace_back("x-repo-commit", std::string(commit));
        return answer;
    });
    fs::create_directories(hub.repo());
    write_file_atomically(hub.repo() / "refs", "not a folder");
    CHECK_THROWS_AS(hub.download(), RemoteEntryNotFoundError);
}

TEST_CASE("a branch means its former commit until the file of the new one is there") {
    bool fail = false;
    const SmallHub hub([&](const FileRequestSeen& seen) {
        if (!fail) return SmallHub::serve(seen);
        if (seen.method == "GET") return status(404);
        FileAnswer answer = head_of("new", false);
        answer.headers.at(1).second = std::string(40, 'a');
        return answer;
    });
    const fs::path former = hub.download();
    fail = true;
    CHECK_THROWS_AS(hub.download(), HfHubHttpError);
    CHECK(hub.download({.local_files_only = true}) == former);
}

TEST_CASE("a folder in the place of a file is no file") {
    const SmallHub hub;
    fs::create_directories(hub.repo() / "snapshots" / commit / "f");
    CHECK_NOTHROW(hub.api().hf_hub_download_dry_run("a/m", "f", {.revision = commit}));
    CHECK(hub.server.summary() == std::vector<std::string>{"HEAD"});
}

TEST_CASE("without links a file that is there under another commit is copied") {
    std::string at = std::string(commit);
    const SmallHub hub(
        [&](const FileRequestSeen& seen) {
            FileAnswer answer = SmallHub::serve(seen);
            if (seen.method == "HEAD") answer.headers.at(1).second = at;
            return answer;
        },
        {{"HF_HUB_DISABLE_SYMLINKS", "1"}});
    fs::create_directories(hub.repo() / "blobs");
    write_file_atomically(hub.repo() / "blobs" / git_sha1_of(content), content);
    const fs::path path = hub.download();
    CHECK(hub.text(path) == content);
    CHECK(fs::is_regular_file(fs::symlink_status(path)));
    CHECK(fs::exists(hub.repo() / "blobs" / git_sha1_of(content)));
    CHECK(hub.text(hub.repo() / "refs/main") == commit);
    CHECK(hub.server.summary() == std::vector<std::string>{"HEAD"});
}
