#include "core/file_lock.hpp"
#include "small_hub.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <thread>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

TEST_CASE("a file in a folder of one's own is updated where it has changed") {
    std::string present = content;
    const SmallHub hub([&](const FileRequestSeen& seen) {
        return seen.method == "HEAD" ? head_of(present, false) : rest_of(present, seen);
    });
    const TemporaryFolder folder;
    const std::string local = folder.path().string();
    const fs::path path = hub.download({.local_dir = local});
    CHECK(path == fs::canonical(folder.path()) / "f");
    CHECK(hub.text(path) == content);
    hub.download({.local_dir = local});
    CHECK(hub.server.summary() == std::vector<std::string>{"HEAD", "GET", "HEAD"});
    present = "hidden_size: 32\n";
    CHECK(hub.text(hub.download({.local_dir = local})) == present);
    CHECK(!fs::exists(hub.repo()));
}

TEST_CASE("an outdated file stays until the new one is there") {
    bool fail = false;
    const SmallHub hub([&](const FileRequestSeen& seen) {
        if (!fail) return SmallHub::serve(seen);
        return seen.method == "HEAD" ? head_of("new", false) : status(404);
    });
    const TemporaryFolder folder;
    const std::string local = folder.path().string();
    const fs::path path = hub.download({.local_dir = local});
    fail = true;
    CHECK_THROWS_AS(hub.download({.local_dir = local}), HfHubHttpError);
    CHECK(hub.text(path) == content);
}

TEST_CASE("a blob that only its owner can read becomes a file like others") {
    const SmallHub hub;
    fs::permissions(fs::canonical(hub.download()), fs::perms(0400));
    const TemporaryFolder folder;
    const fs::path path = hub.download({.local_dir = folder.path().string()});
    CHECK(hub.text(path) == content);
    CHECK((fs::status(path).permissions() & fs::perms::owner_write) != fs::perms::none);
    CHECK(hub.server.summary() == std::vector<std::string>{"HEAD", "GET", "HEAD"});
}

namespace {

/// A Hub whose file is known by its SHA-256, and a folder that holds it already.
struct FolderWithFile {
    FolderWithFile() { write_file_atomically(folder / "f", content); }
    fs::path download() const { return hub.download({.local_dir = folder.path().string()}); }
    fs::path remembered(const char* what) const { return folder / ".cache/huggingface/download" / what; }

    SmallHub hub{[](const FileRequestSeen& seen) {
        return seen.method == "HEAD" ? head_of(content, true) : rest_of(content, seen);
    }};
    TemporaryFolder folder;
};

/// How long it takes from a call's being stopped soon after its begin until its session has ended, in seconds.
double time_to_stop(std::unique_ptr<SmallHub> hub, HfHubDownloadOptions options) {
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(50ms);
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(hub->api().with_stop(stop.get_token()).hf_hub_download("a/m", "f", options), CancelledError);
    hub.reset();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Takes long to read, but no room.
void make_huge(const fs::path& path) {
    write_file_atomically(path, "");
    fs::resize_file(path, std::uintmax_t{8} << 30);
}

}  // namespace

TEST_CASE("a folder that holds the file may refuse to remember its version") {
    const FolderWithFile with;
    fs::create_directories(with.remembered("f.metadata"));
    CHECK(with.hub.text(with.download()) == content);
    CHECK(with.hub.server.summary() == std::vector<std::string>{"HEAD"});
}

TEST_CASE("the version of a file that is there is not noted while somebody else may be replacing it") {
    const FolderWithFile with;
    FileLock lock(with.remembered("f.lock"));
    REQUIRE(lock.try_lock());
    CHECK(with.hub.text(with.download()) == content);
    CHECK(!fs::exists(with.remembered("f.metadata")));
    lock.unlock();
    with.download();
    CHECK(fs::exists(with.remembered("f.metadata")));
}

TEST_CASE("a dry run into a folder fetches nothing and remembers nothing") {
    const FolderWithFile with;
    for (const bool have : {true, false}) {
        CAPTURE(have);
        if (!have) fs::remove(with.folder / "f");
        const DryRunFileInfo info =
            with.hub.api().hf_hub_download_dry_run("a/m", "f", {.local_dir = with.folder.path().string()});
        CHECK(info.is_cached == have);
        CHECK(fs::exists(with.folder / "f") == have);
        CHECK(!fs::exists(with.remembered("f.metadata")));
        CHECK(!fs::exists(with.remembered("f.lock")));
    }
}

TEST_CASE("what is remembered of a file is forgotten before the file is replaced") {
    const FolderWithFile with;
    with.download();
    REQUIRE(fs::exists(with.remembered("f.metadata")));
    fs::remove(with.folder / "f");
    fs::create_directories(with.folder / "f" / "inside");
    CHECK_THROWS_AS(with.download(), FileError);
    CHECK(!fs::exists(with.remembered("f.metadata")));
}

TEST_CASE("a call that is stopped does not go on hashing or copying a huge file") {
    const TemporaryFolder folder;
    const std::string local = folder.path().string();
    const auto serve = [](const FileRequestSeen&) { return head_of(content, true); };
    make_huge(folder / "f");
    CHECK(time_to_stop(std::make_unique<SmallHub>(serve), {.local_dir = local}) < 3);
    fs::remove(folder / "f");
    auto hub = std::make_unique<SmallHub>(serve);
    fs::create_directories(hub->repo() / "snapshots" / commit);
    make_huge(hub->repo() / "snapshots" / commit / "f");
    CHECK(time_to_stop(std::move(hub), {.local_dir = local}) < 3);
    CHECK(!fs::exists(folder / "f"));
}
