#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "core/file_lock.hpp"
#include "hub/cache_scan.hpp"
#include "hub/part_name.hpp"
#include "snapshot_server.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/cache.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>

using namespace hfhub;
using namespace hfhub::hub;
using namespace hfhub::test;

namespace {

const std::string one(40, '1'), two(40, '2'), blob_a(40, 'a'), blob_b(40, 'b'), blob_c(40, 'c');

void put(const fs::path& path, std::string_view text) {
    make_directories(path.parent_path());
    write_file_atomically(path, text);
}

/// A cache that is laid out by hand, and what the API does with it.
struct Laid {
    void file(const std::string& commit, const std::string& name, const std::string& blob) const {
        const fs::path pointer = repo / "snapshots" / commit / name;
        make_directories(pointer.parent_path());
        if (!fs::exists(repo / "blobs" / blob)) put(repo / "blobs" / blob, "content of " + blob.substr(0, 1));
        try_symlink(repo / "blobs" / blob, pointer);
    }
    void ref(const std::string& name, const std::string& commit) const { put(repo / "refs" / name, commit); }
    HfApi api() const { return HfApi(server.session()); }
    HFCacheInfo scan() const { return api().scan_cache_dir(); }

    TemporaryFolder home;
    FileServer server{[](const FileRequestSeen&) { return FileAnswer{.status = 500}; }, home.path().string()};
    fs::path cache = home / "hub", repo = cache / "models--org--m";
};

/// A revision `one` at main, and a detached one that shares a content with it.
struct TwoRevisions : Laid {
    TwoRevisions() {
        file(one, "a", blob_a);
        file(one, "sub/b", blob_b);
        file(two, "a", blob_a);
        file(two, "c", blob_c);
        ref("main", one);
    }
};

}  // namespace

TEST_CASE("a scan tells repositories, revisions, files and their sizes, each content once") {
    const TwoRevisions laid;
    const HFCacheInfo info = laid.scan();
    CHECK(info.warnings.empty());
    REQUIRE(info.repos.size() == 1);
    const CachedRepoInfo& repo = info.repos[0];
    CHECK(repo.repo_type == "model");
    CHECK(repo.repo_id == "org/m");
    CHECK(repo.nb_files == 3);
    CHECK(repo.size_on_disk == 3 * 12);
    CHECK(info.size_on_disk == 3 * 12);
    REQUIRE(repo.revisions.size() == 2);
    CHECK(repo.revisions[0].commit_hash == one);
    CHECK(repo.revisions[0].refs == std::vector<std::string>{"main"});
    CHECK(repo.revisions[0].size_on_disk == 2 * 12);
    CHECK(repo.revisions[1].refs.empty());
    const CachedFileInfo& file = repo.revisions[0].files.at(1);
    CHECK(file.file_name == "b");
    CHECK(file.file_path == (laid.repo / "snapshots" / one / "sub/b").string());
    CHECK(file.blob_path == (laid.repo / "blobs" / blob_b).string());
    CHECK(file.blob_last_modified > 1e9);
}

TEST_CASE("names of repositories") {
    CHECK(repo_of_folder("models--org--a--b")->id == "org/a/b");
    CHECK(repo_of_folder("kernels--k")->type == "kernel");
    CHECK(!repo_of_folder("buckets--a--b"));
    CHECK(!repo_of_folder("models"));
}

TEST_CASE("a cache that is not there, or is a file") {
    const Laid laid;
    CHECK_THROWS_AS(laid.scan(), CacheNotFound);
    CHECK_THROWS_AS(laid.api().verify_cache(), CacheNotFound);
    put(laid.cache, "x");
    CHECK_THROWS_AS(laid.scan(), InvalidArgumentError);
}

TEST_CASE("deleting a revision takes its ref, its lists and the contents that no other has") {
    const TwoRevisions laid;
    put(laid.repo / "trees" / (one + ".json"), "{}");
    put(laid.repo / ".no_exist" / one / "x", "");
    const DeleteCacheStrategy plan = laid.scan().delete_revisions(one);
    CHECK(plan.expected_freed_size == 12);
    CHECK(plan.blobs == std::vector{laid.repo / "blobs" / blob_b});
    CHECK(fs::exists(laid.repo / "snapshots" / one));
    laid.api().execute(plan);
    CHECK(!fs::exists(laid.repo / "snapshots" / one));
    CHECK(!fs::exists(laid.repo / "trees" / (one + ".json")));
    CHECK(!fs::exists(laid.repo / ".no_exist" / one));
    CHECK(!fs::exists(laid.repo / "refs/main"));
    CHECK(!fs::exists(laid.repo / "blobs" / blob_b));
    CHECK(read_file(laid.repo / "snapshots" / two / "a", 99) == "content of a");
}

TEST_CASE("a repository goes as a whole with its last revision") {
    const TwoRevisions laid;
    const DeleteCacheStrategy plan = laid.scan().delete_revisions({one, two});
    CHECK(plan.repos == std::vector{laid.repo});
    CHECK(plan.expected_freed_size == 3 * 12);
    CHECK(plan.blobs.empty());
    laid.api().execute(plan);
    CHECK(!fs::exists(laid.repo));
}

TEST_CASE("sizes for people") {
    CHECK(DeleteCacheStrategy{.expected_freed_size = 999}.expected_freed_size_str() == "999.0");
    CHECK(DeleteCacheStrategy{.expected_freed_size = 123'456}.expected_freed_size_str() == "123.5K");
    CHECK(DeleteCacheStrategy{.expected_freed_size = 5'000'000'000}.expected_freed_size_str() == "5.0G");
}

TEST_CASE("what links lead to outside of a repository is never deleted") {
    const TwoRevisions laid;
    const fs::path outside = laid.home / "precious";
    put(outside / "f", "mine");
    put(outside / "blobs" / blob_a, "mine");
    const fs::path folder = laid.repo / "snapshots" / two;
    fs::create_symlink(outside / "f", folder / "absolute");
    fs::create_symlink("../../../../precious/f", folder / "relative");
    fs::create_symlink(outside, folder / "folder");
    fs::create_symlink(outside, laid.cache / "models--org--elsewhere");
    laid.file(one, "d", blob_c);
    const DeleteCacheStrategy plan = laid.scan().delete_revisions(two);
    CHECK(plan.blobs.empty());
    CHECK(plan.expected_freed_size == 0);
    laid.api().execute(plan);
    CHECK(!fs::exists(folder));
    laid.api().execute(laid.scan().delete_revisions(one));
    CHECK(read_file(outside / "f", 99) == "mine");
}

TEST_CASE("a folder of the cache that leads elsewhere is not followed, and a plan cannot name what is elsewhere") {
    const TwoRevisions laid;
    const fs::path outside = laid.home / "precious";
    fs::rename(laid.repo / "blobs", outside);
    fs::create_directory_symlink(outside, laid.repo / "blobs");
    CHECK_THROWS_WITH_AS(laid.api().execute(laid.scan().delete_revisions(one)),
                         doctest::Contains("lies outside of the cache"), IoError);
    CHECK(fs::exists(outside / blob_b));
    CHECK(!fs::exists(laid.repo / "snapshots" / one));
    DeleteCacheStrategy plan;
    plan.repos = {outside};
    CHECK_THROWS_AS(laid.api().execute(plan), InvalidArgumentError);
    plan.cache_dir = laid.cache;
    plan.repos = {outside, laid.cache, laid.cache / ".."};
    plan.snapshots = {laid.cache / "../precious"};
    plan.incomplete_files = {laid.repo / "snapshots" / two / "a"};
    CHECK_THROWS_AS(laid.api().execute(plan), IoError);
    CHECK(fs::exists(outside / blob_a));
    CHECK(fs::exists(laid.repo / "snapshots" / two / "a"));
    fs::rename(laid.repo, laid.home / "moved");
    fs::create_directory_symlink(laid.home / "moved", laid.repo);
    laid.api().execute(laid.scan().delete_revisions(two));
    CHECK(!fs::exists(laid.repo));
    CHECK(fs::exists(laid.home / "moved/snapshots"));
}

TEST_CASE("what a download is working on stays") {
    const TwoRevisions laid;
    FileLock lock(laid.cache / ".locks/models--org--m" / (blob_b + ".lock"));
    REQUIRE(lock.try_lock());
    laid.api().execute(laid.scan().delete_revisions({one, two}));
    CHECK(fs::exists(laid.repo / "blobs" / blob_b));
    laid.api().execute(laid.scan().delete_revisions(one));
    CHECK(!fs::exists(laid.repo / "snapshots" / one));
    CHECK(fs::exists(laid.repo / "blobs" / blob_b));
}

TEST_CASE("a content that is used again since the scan stays") {
    const TwoRevisions laid;
    const DeleteCacheStrategy plan = laid.scan().delete_revisions(one);
    laid.file(two, "again", blob_b);
    laid.api().execute(plan);
    CHECK(read_file(laid.repo / "snapshots" / two / "again", 99) == "content of b");
}

TEST_CASE("pruning takes detached revisions and parts that nobody is writing to") {
    const TwoRevisions laid;
    const fs::path left = laid.repo / "blobs" / new_part_name(blob_c),
                   held = laid.repo / "blobs" / new_part_name(blob_b),
                   fresh = laid.repo / "blobs" / (blob_a + ".incomplete");
    for (const fs::path& part : {left, held, fresh}) put(part, "part");
    FileLock lock(held, nullptr, FileLock::File::existing);
    REQUIRE(lock.try_lock());
    const HFCacheInfo info = laid.scan();
    CHECK(info.incomplete_files.size() == 3);
    CHECK(info.size_on_disk == 3 * 12);
    const DeleteCacheStrategy plan = info.prune();
    CHECK(plan.snapshots == std::vector{laid.repo / "snapshots" / two});
    CHECK(plan.expected_freed_size == 12 + 3 * 4);
    laid.api().execute(plan);
    CHECK(!fs::exists(left));
    CHECK(fs::exists(held));
    CHECK(fs::exists(fresh));
    CHECK(!fs::exists(laid.repo / "snapshots" / two));
    CHECK(fs::exists(laid.repo / "snapshots" / one / "a"));
}

TEST_CASE("verifying finds contents that are not what their names say, and fetches them anew") {
    const SnapshotServer hub({{"a", "aaa"}, {"b", "bbb"}, {"c", "ccc"}});
    const fs::path folder = hub.download();
    const fs::path bad = fs::canonical(folder / "b");
    CHECK(hub.api().verify_cache().damaged.empty());
    put(bad, "bxb");
    put(hub.cache.blob(blob_c), "used by none");
    const std::size_t before = hub.requests();
    const CacheVerification found = hub.api().verify_cache();
    CHECK(found.checked_count == 4);
    REQUIRE(found.damaged.size() == 2);
    const DamagedBlob& damaged = found.damaged[found.damaged[0].blob_path == bad ? 0 : 1];
    CHECK(damaged.blob_path == bad);
    CHECK(damaged.repo_id == "a/m");
    CHECK(damaged.mismatch.path == "b");
    CHECK(damaged.mismatch.expected == git_sha1_of("bbb"));
    CHECK(damaged.mismatch.actual == git_sha1_of("bxb"));
    CHECK(!damaged.repaired);
    CHECK(hub.requests() == before);
    CHECK(hub.api().verify_cache({.repair = true}).damaged.size() == 2);
    CHECK(read_file(folder / "b", 99) == "bbb");
    CHECK(hub.api().verify_cache().damaged.size() == 1);
}

TEST_CASE("verifying a commit compares with the kept list: differing, missing and further files") {
    const SnapshotServer hub({{"a", "aaa"}, {"b", "bbb"}, {"c", "ccc"}});
    const fs::path own = hub.home / "own";
    hub.download({.local_dir = own.string()});
    put(own / "a", "xxx");
    fs::remove(own / "b");
    put(own / "d", "ddd");
    const FolderVerification found = hub.api().verify_repo_checksums("a/m", {.local_dir = own.string()});
    CHECK(found.revision == commit);
    CHECK(found.verified_path == own);
    CHECK(found.checked_count == 2);
    REQUIRE(found.mismatches.size() == 1);
    CHECK(found.mismatches[0].path == "a");
    CHECK(found.mismatches[0].algorithm == "git-sha1");
    CHECK(found.missing_paths == std::vector<std::string>{"b"});
    CHECK(found.extra_paths == std::vector<std::string>{"d"});
    CHECK_THROWS_AS(hub.api().verify_repo_checksums("a/m"), InvalidArgumentError);
}

TEST_CASE("a large cache is scanned in milliseconds") {
    const Laid laid;
    const bool whole = std::getenv("HFHUB_LONG") != nullptr;
    const int repos = whole ? 200 : 20;
    for (int repo = 0; repo < repos; ++repo) {
        const fs::path path = laid.cache / ("models--org--m" + std::to_string(repo));
        make_directories(path / "blobs");
        make_directories(path / "snapshots" / one);
        for (int i = 0; i < 100; ++i) {
            std::string blob = std::to_string(repo * 1000 + i);
            blob.insert(0, 40 - blob.size(), '0');
            OutputFile(path / "blobs" / blob, OutputFile::Open::create_new);
            fs::create_symlink("../../blobs/" + blob, path / "snapshots" / one / ("file " + std::to_string(i)));
        }
        put(path / "refs/main", one);
    }
    CHECK(laid.scan().repos.size() == static_cast<std::size_t>(repos));
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t worked = std::clock();
    const HFCacheInfo info = laid.scan();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
    CHECK(info.repos.back().revisions[0].files.size() == 100);
    MESSAGE((repos * 100) << " files scanned in " << taken.count() << " ms, of the processors "
                          << 1000.0 * static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC);
    CHECK(taken.count() < 1000);
}
