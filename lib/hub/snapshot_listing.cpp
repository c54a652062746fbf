#include "hub/snapshot_listing.hpp"

#include "core/log.hpp"
#include "core/mapping.hpp"
#include "http/workers.hpp"
#include "hub/download.hpp"
#include "hub/outages.hpp"
#include "hub/repo_id.hpp"
#include "hub/tree_listing.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

namespace hfhub::hub {

namespace {

constexpr std::size_t most_named = 3;

using Remains = SnapshotJob::Remains;

}  // namespace

awaitable<std::string> resolve_commit(Client client, SharedSnapshotJob job, bool patient) {
    const SnapshotRequest& wanted = job->request;
    if (is_git_sha1(wanted.revision)) co_return wanted.revision;
    const std::string path = repo_api_path(wanted.repo_type, wanted.repo_id, wanted.revision);
    http::Request request = client.request(http::Method::get, path, wanted.token);
    if (!patient) {
        make_impatient(request);
        const auto& environment = client.environment();
        const auto longest = environment.etag_timeout_changed ? environment.etag_timeout : wanted.etag_timeout;
        request.timeouts.connect = request.timeouts.headers = request.timeouts.pool = longest;
        request.max_silence = longest;
    }
    const json::value answer = co_await client.json(std::move(request));
    std::string commit(text_member(answer, "sha"));
    if (!is_path_token(commit)) throw JsonError("the commit in the answer of " + path + " is none");
    co_return commit;
}

awaitable<SharedTree> tree_of(Client client, SharedSnapshotJob job, std::string commit, bool patient) {
    auto read = [job, commit]() -> SharedTree {
        auto kept = read_tree(job->tree_file_of(commit).path());
        return kept ? std::make_shared<const RepoTree>(std::move(*kept)) : nullptr;
    };
    SharedTree tree = co_await client.workers().run(std::move(read));
    if (tree) co_return tree;
    const SnapshotRequest& wanted = job->request;
    TreeAddress address{wanted.repo_type, wanted.repo_id, commit};
    address.token = wanted.token;
    address.patient = patient;
    RepoTree asked = co_await ask_tree(client, std::move(address));
    tree = std::make_shared<const RepoTree>(std::move(asked));
    if (job->request.dry_run) co_return tree;
    auto keep = [job, commit, tree] { write_tree(job->tree_file_of(commit), *tree); };
    co_await client.workers().run(std::move(keep));
    co_return tree;
}

namespace {

awaitable<SnapshotListing> list_commit(Client client, SharedSnapshotJob job, std::string commit, bool patient) {
    const SharedTree tree = co_await tree_of(client, job, commit, patient);
    auto choose = [job, tree] { return job->chosen(*tree); };
    SnapshotListing listing;
    listing.folder = job->folder_of(commit);
    listing.files = co_await client.workers().run(std::move(choose));
    listing.commit = std::move(commit);
    co_return listing;
}

[[noreturn]] void throw_incomplete(const SnapshotJob& job, const Remains& remains, const std::exception_ptr& failure) {
    std::string names;
    for (std::size_t i = 0; i < std::min(remains.missing.size(), most_named); ++i) {
        names += (i == 0 ? "'" : ", '") + remains.missing[i] + "'";
    }
    if (remains.missing.size() > most_named) names += ", …";
    throw IncompleteSnapshotError(std::to_string(remains.missing.size()) + " of " +
                                      std::to_string(remains.wanted.size()) + " files of " + job.place() + " (commit " +
                                      *remains.commit + ") are not on this machine: " + names + "; " +
                                      (failure ? "the Hub could not be asked for them: " + message_of(failure)
                                               : std::string("local_files_only forbids to ask the Hub for them")),
                                  remains.folder.string());
}

/// What stands in for an answer; throws what the caller is told where nothing may.
SnapshotListing stand_in(const SnapshotJob& job, const Remains& remains, Unavailable why,
                         const std::exception_ptr& failure) {
    const std::string what = "a snapshot of " + job.place();
    if (job.request.dry_run) {
        if (why == Unavailable::refused) std::rethrow_exception(failure);
        throw DryRunError("what would be downloaded for " + what + " cannot be told without the Hub" +
                          (failure ? ": " + message_of(failure) : std::string()));
    }
    if (job.request.force_download) throw_unavailable(why, failure, true, what);
    if (remains.left == Left::incomplete) throw_incomplete(job, remains, failure);
    if (!may_stand_in(remains.left, why, failure)) {
        if (remains.left == Left::nothing || why == Unavailable::refused) {
            throw_unavailable(why, failure, false, what);
        }
        throw LocalEntryNotFoundError("nobody knows whether " + remains.folder.string() + " is " + what +
                                      ", and the Hub could not be asked: " + message_of(failure) +
                                      "; local_files_only takes it as it is");
    }
    const bool known = remains.left == Left::complete;
    if (failure || !known) {
        const bool asked_for = why == Unavailable::offline || why == Unavailable::local_only;
        log(known && asked_for ? LogLevel::info : LogLevel::warning,
            (failure ? "the Hub could not be asked for " + what + " (" + message_of(failure) + ")"
                     : "the Hub was not asked for " + what) +
                "; what an earlier download has left is used" +
                (known ? "" : ", of which nobody knows whether it is complete: its list of files is not kept here"));
    }
    SnapshotListing listing{remains.folder};
    listing.listed = known;
    for (const std::string& name : remains.wanted) listing.files.emplace_back().path = name;
    return listing;
}

awaitable<Remains> remains_of(Client client, SharedSnapshotJob job, std::optional<std::string> commit) {
    auto look = [job, commit = std::move(commit)] { return job->remains(commit ? commit : job->last_commit()); };
    co_return co_await client.workers().run(std::move(look));
}

/// What may stand in for the answer that failed.
awaitable<SnapshotListing> without_answer(Client client, SharedSnapshotJob job, Remains remains,
                                          std::exception_ptr failure) {
    const auto why = classify(failure);
    if (!why || http::Clock::now() >= client.deadline()) std::rethrow_exception(failure);
    if (is_outage(failure)) Outages::global().remember(client.state(), client.endpoint());
    co_return stand_in(*job, remains, *why, failure);
}

bool is_usable(const Remains& remains) { return remains.left == Left::complete || remains.left == Left::unknown; }

}  // namespace

awaitable<SnapshotListing> list_snapshot(Client client, SharedSnapshotJob job) {
    const SnapshotRequest& wanted = job->request;
    Remains remains = co_await remains_of(client, job, std::nullopt);
    if (wanted.local_files_only) co_return stand_in(*job, remains, Unavailable::local_only, nullptr);
    const bool fresh = wanted.force_download || wanted.dry_run;
    std::exception_ptr failure;
    std::string commit = wanted.revision;
    if (!is_git_sha1(commit)) {
        if (!fresh && remains.left == Left::complete && hub_seems_down(client)) {
            const ConnectError down("the Hub could not be reached a moment ago");
            co_return stand_in(*job, remains, Unavailable::for_now, std::make_exception_ptr(down));
        }
        try {
            const bool patient = fresh || !is_usable(remains);
            commit = co_await resolve_commit(client, job, patient);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) co_return co_await without_answer(client, job, std::move(remains), failure);
        Outages::global().forget(client.state(), client.endpoint());
        if (remains.commit != commit) remains = co_await remains_of(client, job, commit);
    }
    if (!fresh && wanted.local_dir.empty() && remains.left == Left::complete) {
        SnapshotListing nothing_to_fetch;
        nothing_to_fetch.folder = std::move(remains.folder);
        nothing_to_fetch.commit = std::move(commit);
        co_return nothing_to_fetch;
    }
    try {
        const bool patient = fresh || !is_usable(remains);
        SnapshotListing listing = co_await list_commit(client, job, commit, patient);
        co_return listing;
    } catch (...) {
        failure = std::current_exception();
    }
    co_return co_await without_answer(client, job, std::move(remains), failure);
}

}  // namespace hfhub::hub
