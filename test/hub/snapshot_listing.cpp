#include "hub/snapshot_listing.hpp"

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "hub/cache_store.hpp"
#include "hub/call.hpp"
#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;
using namespace hfhub::test;
namespace fs = std::filesystem;

namespace {

const std::string commit(40, 'c'), earlier(40, 'e');

Answer content(const Seen&) {
    return {.body = R"({"id":"a/m","sha":")" + commit + R"(","siblings":[{"rfilename":"b/x"},{"rfilename":"a"}]})"};
}
Answer unavailable(const Seen&) { return {.status = 503}; }

struct Place {
    explicit Place(MockHub::Handler handler, MockHub::Variables environment = {})
        : hub(std::move(handler), std::move(environment)) {}

    SnapshotListing list(SnapshotRequest request = {}) const {
        request.repo_id = "a/m";
        if (request.local_dir.empty()) request.cache_dir = folder.path().string();
        return call<Blocking>(HfApi(hub.session()), list_snapshot, request);
    }
    void leave(const fs::path& path) const {
        make_directories(path.parent_path());
        write_file_atomically(path, "x");
    }
    /// A file and a ref of an earlier download.
    void leave_snapshot() const {
        leave(cache.pointer(earlier, "sub/f"));
        write_ref(cache, "main", earlier);
    }

    TemporaryFolder folder;
    MockHub hub;
    RepoCache cache{folder.path(), "model", "a/m"};
};

}  // namespace

TEST_CASE("the files of a revision, its folder, and its commit for later") {
    const Place place(content);
    const SnapshotListing listing = place.list({.revision = "refs/pr/3"});
    CHECK(listing.commit == commit);
    CHECK(listing.folder == place.cache.snapshot(commit));
    CHECK(listing.files == std::vector<std::string>{"b/x", "a"});
    CHECK(place.hub.seen().at(0).target == "/api/models/a/m/revision/refs%2Fpr%2F3");
    CHECK(read_ref(place.cache, "refs/pr/3") == commit);
}

TEST_CASE("neither a dry run nor a folder of one's own leaves a ref") {
    const Place place(content);
    CHECK(place.list({.dry_run = true}).commit == commit);
    CHECK(!read_ref(place.cache, "main"));
    const fs::path own = place.folder / "own";
    CHECK(place.list({.local_dir = own.string()}).folder == own);
    CHECK(!read_ref(place.cache, "main"));
}

TEST_CASE("a commit needs no ref") {
    const Place place(content);
    place.list({.revision = commit});
    CHECK(!fs::exists(place.cache.folder() / "refs"));
}

TEST_CASE("what an earlier download has left stands in for a Hub that does not answer, at once") {
    const Place place(unavailable);
    place.leave_snapshot();
    const SnapshotListing listing = place.list();
    CHECK(listing.commit.empty());
    CHECK(listing.folder == place.cache.snapshot(earlier));
    CHECK(listing.files == std::vector<std::string>{"sub/f"});
    CHECK(place.hub.seen().size() == 1);
    CHECK(place.list({.revision = earlier}).folder == place.cache.snapshot(earlier));
}

TEST_CASE("a folder of one's own stands in, without what describes it") {
    const Place place(unavailable);
    const fs::path own = place.folder / "own";
    place.leave(own / "f");
    place.leave(own / ".cache/huggingface/download/f.metadata");
    const SnapshotListing listing = place.list({.local_dir = own.string()});
    CHECK(listing.folder == own);
    CHECK(listing.files == std::vector<std::string>{"f"});
}

TEST_CASE("offline without anything here") {
    const Place place(content, {{"HF_HUB_OFFLINE", "1"}});
    CHECK_THROWS_WITH_AS(place.list(), doctest::Contains("a snapshot of a/m at main is not on this machine"),
                         LocalEntryNotFoundError);
    CHECK(place.hub.seen().empty());
    place.leave_snapshot();
    CHECK(place.list().folder == place.cache.snapshot(earlier));
    CHECK_THROWS_AS(place.list({.dry_run = true}), OfflineModeIsEnabled);
    CHECK_THROWS_AS(place.list({.force_download = true}), InvalidArgumentError);
}

TEST_CASE("nothing stands in for a revision that does not exist") {
    const Place place(
        [](const Seen&) { return Answer{.status = 404, .headers = {{"x-error-code", "RevisionNotFound"}}}; });
    place.leave_snapshot();
    CHECK_THROWS_AS(place.list(), RevisionNotFoundError);
}

TEST_CASE("names that would lead out of the cache are refused") {
    const Place place([](const Seen&) { return Answer{.body = R"({"sha":"../../etc","siblings":[]})"}; });
    CHECK_THROWS_AS(place.list(), JsonError);
    CHECK_THROWS_AS(place.list({.revision = "../x"}), HfValidationError);
}
