#include "core/json.hpp"
#include "core/log.hpp"
#include "hub/commit_draft.hpp"
#include "hub/lfs.hpp"
#include "hub/parallel.hpp"

#include <hfhub/error.hpp>

#include <functional>

namespace hfhub::hub {

namespace {

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

/// Asks how the files are to be uploaded, and what the repository has in their places.
awaitable<void> preupload(const Draft& draft, std::span<Addition* const> additions,
                          const std::optional<std::string>& gitignore) {
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
        if (addition->uploaded) continue;
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
        if (addition->mode != UploadMode::lfs || addition->ignored || addition->uploaded) continue;
        objects.push_back(LfsObject{addition->oid, addition->path, addition->content, addition->info});
    }
    if (objects.empty()) co_return;
    LfsTarget target{draft.repo_type, draft.repo_id, draft.revision, draft.options.token};
    // Whoever may only propose changes has no right to write to the revision itself.
    if (draft.options.create_pr) target.ref.reset();
    co_await lfs_upload(draft.client, std::move(target), std::move(objects), draft.at_a_time());
}

}  // namespace

Addition* find(std::span<Addition* const> additions, std::string_view path) {
    const auto found =
        std::find_if(additions.begin(), additions.end(), [&](Addition* one) { return one->path == path; });
    return found == additions.end() ? nullptr : *found;
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

awaitable<std::optional<std::string>> read_gitignore(const Draft& draft, std::span<Addition* const> additions) {
    std::optional<std::string> text;
    if (const Addition* rules = find(additions, ".gitignore")) {
        std::string read = co_await read_whole(draft.client.workers(), rules->content, rules->info);
        text = std::move(read);
    }
    co_return text;
}

awaitable<void> prepare(const Draft& draft, std::span<Addition* const> additions,
                        const std::optional<std::string>& gitignore) {
    awaitable<void> asking = preupload(draft, additions, gitignore);
    co_await with_note(std::move(asking));
    co_await compute_oids(draft, additions);
    co_await upload_large(draft, additions);
}

awaitable<bool> is_done(Draft& draft) {
    const std::vector<Addition*> additions = draft.operations.additions();
    const std::optional<std::string> gitignore = co_await read_gitignore(draft, additions);
    co_await preupload(draft, additions, gitignore);
    for (Addition* addition : additions) {
        if (!addition->remote_oid && !addition->ignored) co_return false;
    }
    co_await compute_oids(draft, additions);
    co_return std::all_of(additions.begin(), additions.end(),
                          [](const Addition* addition) { return addition->ignored || is_unchanged(*addition); });
}

}  // namespace hfhub::hub
