#include "hub/commits.hpp"

#include "core/json.hpp"
#include "core/log.hpp"
#include "core/url.hpp"
#include "hub/call.hpp"
#include "hub/commit_body.hpp"
#include "hub/commit_copies.hpp"
#include "hub/lfs.hpp"
#include "hub/parallel.hpp"
#include "hub/query.hpp"
#include "hub/repo_id.hpp"
#include "hub/repos.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <exception>
#include <functional>

namespace hfhub {

namespace hub {

namespace {

constexpr std::string_view no_repository_note = "\nA commit needs a repository that exists: create_repo makes one.";
constexpr std::string_view no_file_note =
    "\nA deletion is of a file, or of a folder where its path ends in '/' or is_folder is set.";

constexpr int looks = 8;  // for a commit that was not answered

/// A commit on its way.
struct Draft {
    Client client;
    std::string repo_id, repo_type, revision;
    Operations operations;
    const CreateCommitOptions& options;

    http::Request request(std::string_view action) const {
        const std::string path =
            repo_api_path(repo_type, repo_id) + "/" + std::string(action) + "/" + percent_encode(revision);
        http::Request made = client.request(http::Method::post, path, options.token);
        if (options.create_pr) made.url.add_query("create_pr", "1");
        return made;
    }
    std::size_t at_a_time() const { return static_cast<std::size_t>(std::max(options.num_threads, 1)); }
};

void warn(const Draft& draft) {
    for (const std::string& warning : commit_warnings(draft.operations, draft.repo_type))
        log(LogLevel::warning, warning);
}

std::string messages_of(const json::value& answer, std::string_view name) {
    std::string text;
    const json::value* list = find_member(answer, name);
    if (!list || !list->is_array()) return text;
    for (const json::value& one : list->get_array()) text.append("\n- ").append(text_member(one, "message"));
    return text;
}

std::string card_errors(const BadRequestError& error) {
    try {
        return messages_of(parse_json(error.context().body, "the answer"), "errors");
    } catch (const JsonError&) {
        return std::string(" ") + error.what();
    }
}

/// Runs it, and tells where a repository that is not there may be the reason.
template <class T>
awaitable<T> with_note(awaitable<T> work) {
    try {
        co_return co_await std::move(work);
    } catch (const GatedRepoError&) {
        throw;
    } catch (const RepositoryNotFoundError& error) {
        throw RepositoryNotFoundError(error.what() + std::string(no_repository_note), error.context());
    }
}

/// The Hub refuses a card whose metadata is malformed; asking first spares the uploads.
awaitable<void> check_card(const Draft& draft, Addition& card) {
    json::object body;
    const std::string content = co_await read_whole(draft.client.workers(), card.content, card.info);
    body["content"] = content;
    body["repoType"] = draft.repo_type;
    http::Request request = draft.client.request(http::Method::post, "/api/validate-yaml", draft.options.token);
    set_json(request, std::move(body));
    request.idempotent = true;
    request.retry_statuses = false;
    try {
        const json::value answer = co_await draft.client.json(std::move(request));
        const std::string warnings = messages_of(answer, "warnings");
        if (!warnings.empty()) log(LogLevel::warning, "the metadata in README.md:" + warnings);
    } catch (const BadRequestError& error) {
        throw InvalidArgumentError("the metadata in README.md is invalid:" + card_errors(error));
    }
}

awaitable<void> measure_all(const Draft& draft, std::span<Addition* const> additions) {
    for (std::size_t at = 0; at < additions.size(); at += files_per_request) {
        const auto some = additions.subspan(at, std::min(files_per_request, additions.size() - at));
        std::vector<Content> contents;
        for (const Addition* addition : some) contents.push_back(addition->content);
        std::vector<ContentInfo> infos = co_await measure(draft.client.workers(), std::move(contents));
        for (std::size_t i = 0; i < infos.size(); ++i) some[i]->info = std::move(infos[i]);
    }
}

Addition* find(std::span<Addition* const> additions, std::string_view path) {
    const auto found =
        std::find_if(additions.begin(), additions.end(), [&](Addition* one) { return one->path == path; });
    return found == additions.end() ? nullptr : *found;
}

/// Asks how the files are to be uploaded, and what the repository has in their places.
awaitable<void> preupload(const Draft& draft, std::span<Addition* const> additions) {
    std::optional<std::string> gitignore;
    if (const Addition* rules = find(additions, ".gitignore")) {
        std::string text = co_await read_whole(draft.client.workers(), rules->content, rules->info);
        gitignore = std::move(text);
    }
    for (std::size_t at = 0; at < additions.size(); at += files_per_request) {
        const auto some = additions.subspan(at, std::min(files_per_request, additions.size() - at));
        http::Request request = draft.request("preupload");
        set_json(request, preupload_request(some, gitignore));
        request.idempotent = true;
        const json::value answer = co_await draft.client.json(std::move(request));
        take_preupload_answer(answer, some);
    }
}

awaitable<void> compute_oid(const Draft& draft, Addition& addition) {
    Hasher hasher = addition.mode == UploadMode::lfs ? Hasher::sha256() : Hasher::git_sha1(addition.info.size);
    std::string oid = co_await hash(draft.client.workers(), addition.content, addition.info, std::move(hasher));
    addition.oid = std::move(oid);
}

/// Of large files the id is their address, of others it shows whether they have changed.
awaitable<void> compute_oids(const Draft& draft, std::span<Addition* const> additions) {
    std::vector<Addition*> needed;
    for (Addition* addition : additions) {
        const bool is_lfs = addition->mode == UploadMode::lfs;
        if (is_lfs ? !addition->ignored || addition->remote_oid : addition->remote_oid.has_value())
            needed.push_back(addition);
    }
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t index) {
        return compute_oid(draft, *needed[index]);
    };
    co_await run_parallel(draft.client, needed.size(), draft.at_a_time(), std::move(one));
}

awaitable<void> upload_large(const Draft& draft, std::span<Addition* const> additions) {
    std::vector<LfsObject> objects;
    for (const Addition* addition : additions) {
        if (addition->mode != UploadMode::lfs || addition->ignored) continue;
        objects.push_back(LfsObject{addition->oid, addition->path, addition->content, addition->info});
    }
    if (objects.empty()) co_return;
    LfsTarget target{draft.repo_type, draft.repo_id, draft.revision, draft.options.token};
    // Whoever may only propose changes has no right to write to the revision itself.
    if (draft.options.create_pr) target.ref.reset();
    co_await lfs_upload(draft.client, std::move(target), std::move(objects), draft.at_a_time());
}

awaitable<void> prepare_additions(Draft& draft) {
    const std::vector<Addition*> additions = draft.operations.additions();
    if (additions.empty()) co_return;
    co_await measure_all(draft, additions);
    if (Addition* card = find(additions, "README.md")) co_await check_card(draft, *card);
    awaitable<void> asking = preupload(draft, additions);
    co_await with_note(std::move(asking));
    co_await compute_oids(draft, additions);
    co_await upload_large(draft, additions);
}

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

/// The present head, as the commit that would have been made.
awaitable<CommitInfo> head_info(const Draft& draft) {
    const RepoInfoOptions ask{.revision = draft.revision, .repo_type = draft.repo_type, .token = draft.options.token};
    awaitable<RepoInfo> asking = repo_info(draft.client, draft.repo_id, ask);
    const RepoInfo repository = co_await with_note(std::move(asking));
    CommitInfo info;
    info.oid = sha_of(repository);
    info.repo_url = make_repo_url(draft.client.endpoint(), draft.repo_type, draft.repo_id);
    info.commit_url = info.repo_url.url + "/commit/" + info.oid;
    info.commit_message = draft.options.commit_message;
    info.commit_description = draft.options.commit_description;
    co_return info;
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

/// Whether the repository's files show that the commit was made. Deletions and copies do not tell.
bool leaves_traces(Draft& draft) {
    const std::vector<Addition*> additions = draft.operations.additions();
    return !draft.options.create_pr && !additions.empty() && additions.size() == draft.operations.list.size();
}

/// Whether the repository now has all that the commit would bring.
awaitable<bool> is_done(Draft& draft) {
    const std::vector<Addition*> additions = draft.operations.additions();
    co_await preupload(draft, additions);
    for (Addition* addition : additions) {
        if (!addition->remote_oid && !addition->ignored) co_return false;
    }
    co_await compute_oids(draft, additions);
    co_return std::all_of(additions.begin(), additions.end(),
                          [](const Addition* addition) { return addition->ignored || is_unchanged(*addition); });
}

/// The head, if the commit was made.
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

awaitable<CommitInfo> delete_path(Client client, Deletion deletion, std::string what, std::string repo_id,
                                  Owned<CommitOptions> options) {
    const std::string message = "Delete " + what + " with hfhub";
    Operations operations{Operation(std::move(deletion))};
    Owned<CreateCommitOptions> commit(commit_options(*options, message));
    co_return co_await create_commit(std::move(client), std::move(repo_id), std::move(operations), std::move(commit));
}

awaitable<CommitInfo> delete_file(Client client, std::string path, std::string repo_id, Owned<CommitOptions> options) {
    Deletion deletion{.path = path, .is_folder = path.ends_with('/')};
    return delete_path(std::move(client), std::move(deletion), std::move(path), std::move(repo_id), std::move(options));
}

awaitable<CommitInfo> delete_folder(Client client, std::string path, std::string repo_id,
                                    Owned<CommitOptions> options) {
    Deletion deletion{.path = path, .is_folder = true};
    return delete_path(std::move(client), std::move(deletion), "folder " + path, std::move(repo_id),
                       std::move(options));
}

}  // namespace

CreateCommitOptions commit_options(const CommitOptions& options, std::string_view default_message) {
    return {.commit_message = options.commit_message.empty() ? default_message : options.commit_message,
            .commit_description = options.commit_description,
            .token = options.token,
            .repo_type = options.repo_type,
            .revision = options.revision,
            .create_pr = options.create_pr,
            .parent_commit = options.parent_commit};
}

awaitable<CommitInfo> create_commit(Client client, std::string repo_id, Operations operations,
                                    Owned<CreateCommitOptions> options) {
    operations.check();
    check_commit(repo_id, *options);
    const std::string repo_type(checked_repo_type(options->repo_type));
    const std::string revision(options->revision.empty() ? "main" : options->revision);
    Draft draft{std::move(client), std::move(repo_id), repo_type, revision, std::move(operations), *options};
    warn(draft);
    co_await prepare_additions(draft);
    CopyTarget target{draft.repo_type, draft.repo_id, draft.revision, options->token};
    co_await resolve_copies(draft.client, std::move(target), draft.operations.copies());
    drop_unchanged(draft);
    if (draft.operations.list.empty()) {
        log(LogLevel::warning, "there is nothing to commit to " + draft.repo_id + ": no file has changed");
        co_return co_await head_info(draft);
    }
    awaitable<CommitInfo> sending = send_commit(draft);
    co_return co_await with_note(std::move(sending));
}

}  // namespace hub

template <class Mode>
auto BasicCommits<Mode>::create_commit(std::string_view repo_id, CommitOperations operations,
                                       CreateCommitOptions options) const ->
    typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::create_commit, repo_id, operations, options);
}

template <class Mode>
auto BasicCommits<Mode>::delete_file(std::string_view path_in_repo, std::string_view repo_id,
                                     CommitOptions options) const -> typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::delete_file, path_in_repo, repo_id, options);
}

template <class Mode>
auto BasicCommits<Mode>::delete_folder(std::string_view path_in_repo, std::string_view repo_id,
                                       CommitOptions options) const -> typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::delete_folder, path_in_repo, repo_id, options);
}

template class BasicCommits<Blocking>;
template class BasicCommits<Awaiting>;

}  // namespace hfhub
