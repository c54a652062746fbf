#include "hub/snapshot_listing.hpp"

#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "core/mapping.hpp"
#include "http/workers.hpp"
#include "hub/cache_layout.hpp"
#include "hub/cache_store.hpp"
#include "hub/download_plan.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/repos.hpp>
#include <hfhub/result.hpp>

#include <algorithm>
#include <memory>
#include <optional>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

/// What is read of the Hub's description of a repository.
struct RepoContent {
    std::string sha;
    std::vector<RepoSibling> siblings;
};
BOOST_DESCRIBE_STRUCT(RepoContent, (), (sha, siblings))

std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> files;
    for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
        const std::string name = entry->path().lexically_relative(folder).generic_string();
        if (name == ".cache") entry.disable_recursion_pending();
        if (entry->is_regular_file()) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// The places of one request; its functions block.
struct SnapshotJob {
    explicit SnapshotJob(SnapshotRequest wanted)
        : request(std::move(wanted)),
          cache(resolved_folder(request.cache_dir), request.repo_type, request.repo_id),
          local_dir(request.local_dir.empty() ? fs::path() : resolved_folder(request.local_dir)) {}

    SnapshotRequest request;
    RepoCache cache;
    fs::path local_dir;

    fs::path folder_of(const std::string& commit) const {
        return local_dir.empty() ? cache.snapshot(commit) : local_dir;
    }

    /// What an earlier download has left.
    std::optional<fs::path> left_here() const {
        std::error_code error;
        if (!local_dir.empty())
            return fs::is_empty(local_dir, error) || error ? std::nullopt : std::optional(local_dir);
        const auto commit = is_git_sha1(request.revision) ? request.revision : read_ref(cache, request.revision);
        if (!commit || !fs::is_directory(cache.snapshot(*commit), error)) return std::nullopt;
        return cache.snapshot(*commit);
    }

    void remember(const std::string& commit) const noexcept {
        if (!local_dir.empty() || request.dry_run) return;
        try {
            write_ref(cache, request.revision, commit);
        } catch (const std::exception& error) {
            log(LogLevel::warning, std::string("could not remember the commit of a revision: ") + error.what());
        }
    }

    std::string description() const { return "a snapshot of " + request.repo_id + " at " + request.revision; }
};
using SharedSnapshotJob = std::shared_ptr<const SnapshotJob>;

awaitable<RepoContent> ask(Client client, SharedSnapshotJob job, bool patient) {
    const SnapshotRequest& wanted = job->request;
    const std::string path = repo_api_path(wanted.repo_type, wanted.repo_id, wanted.revision);
    http::Request request = client.request(http::Method::get, path, wanted.token);
    if (!patient) {
        const auto limit = client.environment().etag_timeout;
        request.timeouts.connect = request.timeouts.headers = request.timeouts.pool = limit;
        // One more try only for a kept connection that turns out to be dead.
        request.max_attempts = 2;
        request.max_silence = limit;
        request.retry_statuses = false;
    }
    const json::value answer = co_await client.json(std::move(request));
    RepoContent content = from_json<RepoContent>(answer, path);
    if (!is_path_token(content.sha)) throw JsonError("the commit in the answer of " + path + " is none");
    co_return content;
}

/// What stands in for an answer; throws what the caller is told where nothing does.
SnapshotListing stand_in(const SnapshotJob& job, const std::optional<fs::path>& left,
                         const std::exception_ptr& failure) {
    const auto why = classify(failure);
    if (!why || job.request.dry_run) std::rethrow_exception(failure);
    if (!left || job.request.force_download) {
        throw_unavailable(*why, failure, job.request.force_download, job.description());
    }
    const LogLevel level = *why == Unavailable::offline ? LogLevel::info : LogLevel::warning;
    log(level, "the Hub could not be asked for " + job.description() + "; what an earlier download has left is used (" +
                   message_of(failure) + ")");
    SnapshotListing listing{*left};
    listing.files = files_below(*left);
    return listing;
}

}  // namespace

awaitable<SnapshotListing> list_snapshot(Client client, SnapshotRequest request) {
    (void)repo_api_path(request.repo_type, request.repo_id);
    if (request.revision.empty()) request.revision = "main";
    validate_revision(request.revision);
    if (request.cache_dir.empty()) request.cache_dir = client.environment().hub_cache.string();
    auto open = [request = std::move(request)]() -> SharedSnapshotJob {
        return std::make_shared<const SnapshotJob>(request);
    };
    const SharedSnapshotJob job = co_await client.workers().run(std::move(open));
    auto look = [job] { return job->left_here(); };
    const std::optional<fs::path> left = co_await client.workers().run(std::move(look));

    RepoContent content;
    std::exception_ptr failure;
    try {
        content = co_await ask(client, job, !left);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        auto fall_back = [job, left, failure] { return stand_in(*job, left, failure); };
        co_return co_await client.workers().run(std::move(fall_back));
    }
    SnapshotListing listing{job->folder_of(content.sha), content.sha};
    for (RepoSibling& sibling : content.siblings) {
        validate_filename(sibling.rfilename);
        // Some folders were committed with what an earlier download had noted in them.
        if (!job->local_dir.empty() && is_own_local_name(sibling.rfilename)) continue;
        listing.files.push_back(std::move(sibling.rfilename));
    }
    auto remember = [job, commit = content.sha] { job->remember(commit); };
    co_await client.workers().run(std::move(remember));
    co_return listing;
}

}  // namespace hfhub::hub
