#include "hub/cache_verify.hpp"

#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "http/workers.hpp"
#include "hub/cache_layout.hpp"
#include "hub/cache_scan.hpp"
#include "hub/cache_store.hpp"
#include "hub/download.hpp"
#include "hub/file_hash.hpp"
#include "hub/parallel.hpp"
#include "hub/repo_id.hpp"
#include "hub/snapshot_listing.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <map>
#include <memory>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

/// Files that are hashed side by side.
constexpr std::size_t hashed_at_once = 4;

std::string_view name_of(HashKind kind) { return kind == HashKind::sha256 ? "sha256" : "git-sha1"; }

/// A file and what it should be.
struct Check {
    fs::path file;
    std::string path, expected;
    HashKind kind = HashKind::git_sha1;
    std::string actual{};
    bool differs() const { return actual != expected; }
    ChecksumMismatch mismatch() const { return {path, expected, actual, std::string(name_of(kind))}; }
};
using Checks = std::shared_ptr<std::vector<Check>>;

awaitable<void> hash_one(Client client, Checks checks, std::size_t index) {
    Check& check = (*checks)[index];
    try {
        check.actual = co_await hash_file(client, check.file, check.kind);
    } catch (const FileError& error) {
        check.actual = error.code.message();  // a disk that has lost the content is what this looks for
    }
}

awaitable<void> hash_all(Client client, Checks checks) {
    auto work = [client, checks](std::size_t index) { return hash_one(client, checks, index); };
    co_await run_parallel(client, checks->size(), hashed_at_once, std::move(work));
}

// Of one commit.

SnapshotRequest request_of(std::string repo_id, const VerifyRepoChecksumsOptions& options, const Client& client) {
    SnapshotRequest request;
    request.repo_type = checked_repo_type(options.repo_type);
    request.repo_id = std::move(repo_id);
    (void)repo_api_path(request.repo_type, request.repo_id);
    request.revision = options.revision.empty() ? "main" : options.revision;
    validate_revision(request.revision);
    request.cache_dir = options.cache_dir.empty() ? client.environment().hub_cache.string() : options.cache_dir;
    request.local_dir = options.local_dir;
    request.token = options.token;
    return request;
}

std::string cached_commit(const SnapshotJob& job) {
    const auto commit = job.last_commit();
    std::error_code error;
    if (commit && fs::is_directory(job.folder_of(*commit), error)) return *commit;
    throw InvalidArgumentError("a snapshot of " + job.place() + " is not in the cache; download it or give local_dir");
}

struct Comparison {
    Checks checks = std::make_shared<std::vector<Check>>();
    std::vector<std::string> missing, extra;
};

/// Sorts the files into those that are to be hashed and those that only one side has.
Comparison compare(const fs::path& folder, const RepoTree& tree) {
    std::map<std::string, fs::path> here;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().lexically_relative(folder).generic_string();
        std::error_code broken;
        if (entry->is_regular_file(broken) && !is_own_local_name(name)) here.emplace(name, entry->path());
    }
    if (error) throw FileError("read the folder", folder, error);
    Comparison found;
    for (const TreeEntry& file : tree) {
        const auto local = here.find(file.path);
        if (local == here.end()) {
            found.missing.push_back(file.path);
            continue;
        }
        found.checks->push_back({local->second, file.path, file.lfs_sha256.value_or(file.blob_id),
                                 file.lfs_sha256 ? HashKind::sha256 : HashKind::git_sha1});
        here.erase(local);
    }
    for (const auto& [name, path] : here) found.extra.push_back(name);
    std::sort(found.missing.begin(), found.missing.end());
    std::sort(found.checks->begin(), found.checks->end(),
              [](const Check& a, const Check& b) { return a.path < b.path; });
    return found;
}

// Of the whole cache.

/// A blob, and where it is used.
struct BlobUse {
    RepoName repo;
    std::string commit, filename;  ///< Empty: nowhere.
};

struct CacheContents {
    Checks checks = std::make_shared<std::vector<Check>>();
    std::vector<BlobUse> uses;  ///< Of each check.
};

std::map<std::string, BlobUse> uses_of(const fs::path& repo_path, const RepoName& name) {
    std::map<std::string, BlobUse> uses;
    try {
        const CachedRepoInfo repo = scan_repo(repo_path);
        for (const CachedRevisionInfo& revision : repo.revisions) {
            const std::size_t prefix = revision.snapshot_path.string().size() + 1;
            for (const CachedFileInfo& file : revision.files) {
                uses.try_emplace(file.blob_path, BlobUse{name, revision.commit_hash, file.file_path.substr(prefix)});
            }
        }
    } catch (const IoError& error) {
        log(LogLevel::warning, error.what());
    }
    return uses;
}

void add_repo(CacheContents& contents, const fs::path& repo_path, const RepoName& name) {
    std::error_code error;
    std::map<std::string, BlobUse> uses = uses_of(repo_path, name);
    for (fs::directory_iterator entry(repo_path / "blobs", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string blob = entry->path().filename().string();
        const bool large = is_sha256(blob);
        if ((!large && !is_git_sha1(blob)) || !entry->is_regular_file(error)) continue;
        const auto use = uses.find(entry->path().string());
        contents.uses.push_back(use == uses.end() ? BlobUse{name, {}, {}} : use->second);
        const std::string& filename = contents.uses.back().filename;
        contents.checks->push_back(
            {entry->path(), filename.empty() ? blob : filename, blob, large ? HashKind::sha256 : HashKind::git_sha1});
    }
}

std::shared_ptr<const CacheContents> contents_of(const fs::path& cache_dir) {
    auto contents = std::make_shared<CacheContents>();
    std::error_code error;
    if (!fs::is_directory(cache_dir, error)) {
        throw CacheNotFound("there is no cache folder " + cache_dir.string() + "; give cache_dir or set HF_HUB_CACHE");
    }
    for (fs::directory_iterator entry(cache_dir, error), end; !error && entry != end; entry.increment(error)) {
        const auto name = repo_of_folder(entry->path().filename().string());
        if (name) add_repo(*contents, entry->path(), *name);
    }
    if (error) throw FileError("read the folder", cache_dir, error);
    return contents;
}

awaitable<void> fetch_again(Client client, std::string cache_dir, BlobUse use, OwnedToken token) {
    FileRequest request;
    request.repo_type = use.repo.type;
    request.repo_id = use.repo.id;
    request.revision = use.commit;
    request.filename = use.filename;
    request.cache_dir = std::move(cache_dir);
    request.force_download = true;
    request.token = std::move(token);
    LocalFile file = co_await download_file(client, std::move(request));
}

}  // namespace

awaitable<FolderVerification> verify_repo_checksums(Client client, std::string repo_id,
                                                    Owned<VerifyRepoChecksumsOptions> options) {
    SnapshotRequest request = request_of(std::move(repo_id), *options, client);
    auto open = [request = std::move(request)]() -> SharedSnapshotJob {
        return std::make_shared<const SnapshotJob>(request);
    };
    const SharedSnapshotJob job = co_await client.workers().run(std::move(open));
    FolderVerification found;
    if (job->request.local_dir.empty()) {
        auto look = [job] { return cached_commit(*job); };
        found.revision = co_await client.workers().run(std::move(look));
    } else {
        found.revision = co_await resolve_commit(client, job, true);
    }
    found.verified_path = job->folder_of(found.revision);
    const SharedTree tree = co_await tree_of(client, job, found.revision, true);
    auto sort = [tree, folder = found.verified_path] { return compare(folder, *tree); };
    Comparison comparison = co_await client.workers().run(std::move(sort));
    co_await hash_all(client, comparison.checks);
    found.checked_count = comparison.checks->size();
    found.missing_paths = std::move(comparison.missing);
    found.extra_paths = std::move(comparison.extra);
    for (const Check& check : *comparison.checks) {
        if (check.differs()) found.mismatches.push_back(check.mismatch());
    }
    co_return found;
}

awaitable<CacheVerification> verify_cache(Client client, Owned<VerifyCacheOptions> options) {
    const std::string cache_dir =
        options->cache_dir.empty() ? client.environment().hub_cache.string() : std::string(options->cache_dir);
    auto look = [cache_dir] { return contents_of(resolved_folder(cache_dir)); };
    const std::shared_ptr<const CacheContents> contents = co_await client.workers().run(std::move(look));
    co_await hash_all(client, contents->checks);
    CacheVerification found;
    found.checked_count = contents->checks->size();
    for (std::size_t i = 0; i < contents->checks->size(); ++i) {
        const Check& check = (*contents->checks)[i];
        if (!check.differs()) continue;
        const BlobUse& use = contents->uses[i];
        DamagedBlob& damaged = found.damaged.emplace_back();
        damaged.blob_path = check.file;
        damaged.repo_type = use.repo.type;
        damaged.repo_id = use.repo.id;
        damaged.mismatch = check.mismatch();
        if (!options->repair || use.filename.empty()) continue;
        co_await fetch_again(client, cache_dir, use, OwnedToken(options->token));
        damaged.repaired = true;
    }
    co_return found;
}

}  // namespace hfhub::hub
