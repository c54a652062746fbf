#include "hub/snapshot.hpp"

#include "core/glob.hpp"
#include "core/log.hpp"
#include "core/mapping.hpp"
#include "core/texts.hpp"
#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/call.hpp"
#include "hub/download.hpp"
#include "hub/parallel.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/snapshot.hpp>
#include <hfhub/result.hpp>

#include <algorithm>
#include <memory>

namespace hfhub {

namespace hub {

namespace {

/// From so many files on, plain ones are fetched by what the listing says of them: a HEAD for each would count as much
/// against the Hub's limits as the file. Of a few files it tells what else the Hub knows by now.
constexpr std::size_t listed_from = 16;

/// What is shared by the downloads of one snapshot.
struct Run {
    SharedSnapshotJob job;
    SnapshotListing listing;
    std::vector<TreeEntry> wanted;  ///< Not there yet; all of them in a dry run.
    std::vector<std::optional<DryRunFileInfo>> plan;
    std::vector<FailedFile> failures{};
    std::size_t tried = 0, failed_in_a_row = 0;
    bool given_up = false;
};
using SharedRun = std::shared_ptr<Run>;

FileRequest file_request(const Client& client, const Run& run, const TreeEntry& file) {
    FileRequest request{run.job->request};
    request.filename = file.path;
    // All files of one commit, even if the branch moves meanwhile.
    request.revision = run.listing.commit;
    request.size = file.content_size();
    if (run.wanted.size() >= listed_from && file.is_plain() && is_git_sha1(file.blob_id)) {
        FileDescription& known = request.known.emplace();
        known.commit_hash = run.listing.commit;
        known.etag = file.blob_id;
        known.size = file.size;
        known.source.url =
            client.endpoint() + resolve_path(request.repo_type, request.repo_id, request.revision, request.filename);
    }
    return request;
}

/// One file; its failure is noted, so that the others go on, unless it is that of all.
awaitable<void> fetch_one(Client client, SharedRun run, std::size_t index) {
    if (run->given_up) co_return;
    ++run->tried;
    const TreeEntry& file = run->wanted[index];
    std::exception_ptr failure;
    try {
        FileRequest request = file_request(client, *run, file);
        LocalFile local = co_await download_file(client, std::move(request));
        run->plan[index] = std::move(local.dry_run);
        run->failed_in_a_row = 0;
        co_return;
    } catch (...) {
        failure = std::current_exception();
    }
    if (ends_snapshot(failure)) std::rethrow_exception(failure);
    log(LogLevel::info, "'" + file.path + "' of " + run->job->place() + " failed: " + message_of(failure));
    run->failures.push_back({file.path, failure});
    run->failed_in_a_row = may_be_outage(failure) ? run->failed_in_a_row + 1 : 0;
    run->given_up = run->failed_in_a_row >= failures_of_outage(run->job->request.max_workers);
}

/// Those that are to be fetched.
std::vector<TreeEntry> missing_of(const SnapshotJob& job, const SnapshotListing& listing) {
    std::vector<TreeEntry> missing;
    // A folder of one's own is compared file by file: one of that name may be that of another commit.
    const bool all = job.request.dry_run || job.request.force_download || !job.request.local_dir.empty();
    std::copy_if(listing.files.begin(), listing.files.end(), std::back_inserter(missing),
                 [&](const TreeEntry& file) { return all || !job.is_here(listing.commit, file); });
    return missing;
}

awaitable<void> fetch_all(Client client, SharedRun run) {
    auto look = [run] { run->wanted = missing_of(*run->job, run->listing); };
    co_await client.workers().run(std::move(look));
    run->plan.resize(run->wanted.size());
    auto work = [client, run](std::size_t index) { return fetch_one(client, run, index); };
    co_await run_parallel(client, run->wanted.size(), run->job->request.max_workers, std::move(work));
    if (run->failures.empty()) co_return;
    throw_failures(std::move(run->failures), run->wanted.size(), run->wanted.size() - run->tried, run->job->place());
}

awaitable<SharedSnapshotJob> open_job(Client client, SnapshotRequest request) {
    (void)repo_api_path(request.repo_type, request.repo_id);
    if (request.revision.empty()) request.revision = "main";
    validate_revision(request.revision);
    if (request.cache_dir.empty()) request.cache_dir = client.environment().hub_cache.string();
    if (request.force_download && request.local_files_only) {
        throw InvalidArgumentError("force_download and local_files_only cannot be used together");
    }
    auto open = [request = std::move(request)]() -> SharedSnapshotJob {
        return std::make_shared<const SnapshotJob>(request);
    };
    co_return co_await client.workers().run(std::move(open));
}

}  // namespace

awaitable<Snapshot> fetch_snapshot(Client client, SnapshotRequest request) {
    const SharedSnapshotJob job = co_await open_job(client, std::move(request));
    SnapshotListing listing = co_await list_snapshot(client, job);
    Snapshot snapshot;
    snapshot.folder = listing.folder;
    snapshot.listed = listing.listed;
    if (listing.commit.empty()) co_return snapshot;
    const std::string commit = listing.commit;
    // A branch whose former commit is here means that one until the new one is.
    auto begin = [job, commit] {
        if (!job->ref_is_useful()) job->remember(commit);
        if (!job->request.dry_run) job->make_folder(commit);
    };
    co_await client.workers().run(std::move(begin));
    const auto run = std::make_shared<Run>();
    run->job = job;
    run->listing = std::move(listing);
    co_await fetch_all(client, run);
    if (job->request.dry_run) {
        for (auto& file : run->plan) snapshot.plan.push_back(std::move(*file));
        co_return snapshot;
    }
    auto end = [job, commit] { job->remember(commit); };
    co_await client.workers().run(std::move(end));
    co_return snapshot;
}

namespace {

SnapshotRequest snapshot_request(std::string repo_id, const SnapshotDownloadOptions& options) {
    SnapshotRequest request;
    request.take(std::move(repo_id), options);
    request.max_workers = options.max_workers;
    std::optional<std::vector<std::string>> allow;
    if (options.allow_patterns.given()) allow = texts(options.allow_patterns);
    if (allow || !options.ignore_patterns.empty()) {
        request.choose = [allow = std::move(allow), ignore = texts(options.ignore_patterns)](
                             const std::vector<std::string>& files) { return filter_paths(files, allow, ignore); };
    }
    return request;
}

awaitable<std::filesystem::path> snapshot_download(Client client, std::string repo_id,
                                                   Owned<SnapshotDownloadOptions> options) {
    SnapshotRequest request = snapshot_request(std::move(repo_id), *options);
    Snapshot snapshot = co_await fetch_snapshot(client, std::move(request));
    co_return std::move(snapshot.folder);
}

awaitable<std::vector<DryRunFileInfo>> snapshot_download_dry_run(Client client, std::string repo_id,
                                                                 Owned<SnapshotDownloadOptions> options) {
    SnapshotRequest request = snapshot_request(std::move(repo_id), *options);
    request.dry_run = true;
    Snapshot snapshot = co_await fetch_snapshot(client, std::move(request));
    co_return std::move(snapshot.plan);
}

std::vector<RepoFile> cached_files(const SnapshotJob& job) {
    const std::string place = job.place() + " (" + job.request.repo_type + ")";
    const auto commit = job.last_commit();
    if (!commit) {
        throw CachedRepoTreeNotFoundError("no list of the files of " + place +
                                          " is kept here: the revision is no commit, and which commit it is, is not "
                                          "known; download a snapshot first");
    }
    auto tree = read_tree(job.tree_file_of(*commit).path());
    if (!tree) {
        throw CachedRepoTreeNotFoundError("no list of the files of " + place +
                                          " is kept here; download a snapshot first");
    }
    std::vector<RepoFile> files;
    files.reserve(tree->size());
    for (TreeEntry& entry : *tree) {
        RepoFile& file = files.emplace_back();
        file.path = std::move(entry.path);
        file.size = entry.size;
        file.blob_id = std::move(entry.blob_id);
        if (entry.lfs_sha256) file.lfs = BlobLfsInfo{entry.content_size(), std::move(*entry.lfs_sha256), {}};
        file.xet_hash = std::move(entry.xet_hash);
    }
    return files;
}

awaitable<std::vector<RepoFile>> get_cached_repo_tree(Client client, std::string repo_id,
                                                      Owned<GetCachedRepoTreeOptions> options) {
    SnapshotRequest request;
    request.repo_type = checked_repo_type(options->repo_type);
    request.repo_id = std::move(repo_id);
    request.revision = options->revision;
    request.cache_dir = options->cache_dir;
    request.local_dir = options->local_dir;
    const SharedSnapshotJob job = co_await open_job(client, std::move(request));
    auto read = [job] { return cached_files(*job); };
    co_return co_await client.workers().run(std::move(read));
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicSnapshot<Mode>::snapshot_download(std::string_view repo_id, SnapshotDownloadOptions options) const ->
    typename Mode::template result<std::filesystem::path> {
    return call<Mode>(*this, hub::snapshot_download, repo_id, options);
}

template <class Mode>
auto BasicSnapshot<Mode>::snapshot_download_dry_run(std::string_view repo_id, SnapshotDownloadOptions options) const ->
    typename Mode::template result<std::vector<DryRunFileInfo>> {
    return call<Mode>(*this, hub::snapshot_download_dry_run, repo_id, options);
}

template <class Mode>
auto BasicSnapshot<Mode>::get_cached_repo_tree(std::string_view repo_id, GetCachedRepoTreeOptions options) const ->
    typename Mode::template result<std::vector<RepoFile>> {
    return call<Mode>(*this, hub::get_cached_repo_tree, repo_id, options);
}

template class BasicSnapshot<Blocking>;
template class BasicSnapshot<Awaiting>;

}  // namespace hfhub
