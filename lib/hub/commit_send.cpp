#include "core/json.hpp"
#include "core/log.hpp"
#include "hub/commit_body.hpp"
#include "hub/commit_draft.hpp"
#include "hub/lfs.hpp"
#include "hub/repos.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

namespace {

constexpr std::string_view no_file_note =
    "\nA deletion is of a file, or of a folder where its path ends in '/' or is_folder is set.";

constexpr int looks = 8;  // for a commit that was not answered

std::string sha_of(const RepoInfo& info) {
    const auto sha = std::visit(
        [](const auto& one) -> std::optional<std::string> {
            if constexpr (requires { one.sha; }) return one.sha;
            return std::nullopt;
        },
        info);
    if (!sha) throw JsonError("the Hub does not say which commit is the repository's last");
    return *sha;
}

/// Writes an operation's line.
struct LineWriter {
    CommitBody& body;

    void operator()(const Addition& addition) const {
        if (addition.ignored) {
            log(LogLevel::info, addition.path + " is left out: the repository's .gitignore names it");
        } else if (addition.mode == UploadMode::lfs) {
            body.add_line(lfs_line(addition.path, addition.oid, addition.info.size));
        } else {
            body.add_file(addition.path, addition.content, addition.info.size);
        }
    }
    void operator()(const Deletion& deletion) const { body.add_line(deletion_line(deletion)); }
    void operator()(const Copying& copy) const {
        if (!copy.content) return body.add_line(lfs_line(copy.path, copy.sha256, std::nullopt));
        body.add_file(copy.path, Content(UploadSource::bytes(*copy.content)), copy.content->size());
    }
};

http::Request commit_request(const Draft& draft) {
    auto body = std::make_shared<CommitBody>(draft.client.workers());
    body->add_line(header_line(draft.options));
    for (const Operation& operation : draft.operations.list) std::visit(LineWriter{*body}, operation);
    http::Request request = draft.request("commit");
    request.headers.set("content-type", "application/x-ndjson");
    request.body = std::move(body);
    request.retry_statuses = false;
    wait_longer_for_answer(request, draft.client.options().commit_timeout);
    return request;
}

}  // namespace

awaitable<CommitInfo> head_info(const Draft& draft) {
    const RepoInfoOptions ask{.revision = draft.revision, .repo_type = draft.repo_type, .token = draft.options.token};
    const RepoInfo repository = co_await repo_info(draft.client, draft.repo_id, ask);
    CommitInfo info;
    info.oid = sha_of(repository);
    info.repo_url = make_repo_url(draft.client.endpoint(), draft.repo_type, draft.repo_id);
    info.commit_url = info.repo_url.url + "/commit/" + info.oid;
    info.commit_message = draft.options.commit_message;
    info.commit_description = draft.options.commit_description;
    co_return info;
}

bool leaves_traces(Draft& draft) {
    const std::vector<Addition*> additions = draft.operations.additions();
    return !draft.options.create_pr && !additions.empty() && additions.size() == draft.operations.list.size();
}

awaitable<std::optional<CommitInfo>> find_commit(Draft& draft) {
    std::optional<CommitInfo> found;
    try {
        const bool done = co_await is_done(draft);
        if (done) found = co_await head_info(draft);
    } catch (const CancelledError&) {
        throw;
    } catch (const Error& error) {
        log(LogLevel::info, std::string("looking for the commit failed: ") + error.what());
    }
    co_return found;
}

namespace {

/// After an answer that did not come: the commit may have been made or not, and made twice it would do harm. A Hub
/// that is still at it gets until then.
awaitable<CommitInfo> look_for_commit(Draft& draft, TransportError lost, http::Clock::time_point until) {
    const http::Milliseconds pause = draft.client.options().commit_timeout / looks;
    while (leaves_traces(draft)) {
        std::optional<CommitInfo> found = co_await find_commit(draft);
        if (found) co_return *found;
        const auto next = http::Clock::now() + pause;
        if (next > until) break;
        co_await draft.client.wait_until(next);
    }
    const std::string why = lost.std::runtime_error::what();
    ConnectionLostError error(
        "the Hub's answer to the commit was lost: " + why +
        ". The commit may have been made; look at the repository's history before it is repeated");
    error.at(lost.url());
    error.status = lost.status;
    error.request_id = lost.request_id;
    throw error;
}

awaitable<CommitInfo> send_commit(Draft& draft) {
    TransportError lost("");
    auto look_until = http::Clock::time_point::min();
    try {
        http::Request request = commit_request(draft);
        const json::value answer = co_await draft.client.json(std::move(request));
        RepoUrl repository = make_repo_url(draft.client.endpoint(), draft.repo_type, draft.repo_id);
        co_return read_commit_info(answer, draft.options, std::move(repository));
    } catch (const RemoteEntryNotFoundError& error) {
        const bool explains =
            draft.operations.deletions() > 0 &&
            std::string_view(error.what()).find("A file with this name doesn't exist") != std::string_view::npos;
        if (!explains) throw;
        throw RemoteEntryNotFoundError(error.what() + std::string(no_file_note), error.context());
    } catch (const TimeoutError& error) {
        if (error.phase == TimeoutPhase::deadline || !error.maybe_processed) throw;
        lost = error;
        look_until = http::Clock::now() + draft.client.options().commit_timeout;
    } catch (const TransportError& error) {
        if (!error.maybe_processed) throw;
        lost = error;
    }
    co_return co_await look_for_commit(draft, std::move(lost), look_until);
}

void drop_unchanged(Draft& draft) {
    const std::size_t dropped =
        std::erase_if(draft.operations.list, [](const Operation& one) { return is_unchanged(one); });
    if (dropped > 0)
        log(LogLevel::info, std::to_string(dropped) + " files are left out of the commit: they have not changed");
}

}  // namespace

awaitable<CommitInfo> finish(Draft& draft) {
    drop_unchanged(draft);
    if (!draft.operations.list.empty()) co_return co_await send_commit(draft);
    log(LogLevel::warning, "there is nothing to commit to " + draft.repo_id + ": no file has changed");
    co_return co_await head_info(draft);
}

}  // namespace hfhub::hub
