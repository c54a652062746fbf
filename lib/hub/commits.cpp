#include "hub/commits.hpp"

#include "core/log.hpp"
#include "core/texts.hpp"
#include "hub/call.hpp"
#include "hub/commit_copies.hpp"
#include "hub/commit_draft.hpp"
#include "hub/copy_files.hpp"
#include "hub/tree_listing.hpp"
#include "hub/upload_plan.hpp"

namespace hfhub {

namespace hub {

namespace {

void warn(const Draft& draft) {
    for (const std::string& warning : commit_warnings(draft.operations, draft.repo_type))
        log(LogLevel::warning, warning);
}

awaitable<void> prepare_additions(Draft& draft) {
    std::vector<Addition*> additions = draft.operations.additions();
    std::erase_if(additions, [](const Addition* one) { return one->uploaded; });
    if (additions.empty()) co_return;
    co_await measure_all(draft, additions);
    if (Addition* card = find(additions, "README.md")) co_await check_card(draft, *card);
    const std::optional<std::string> gitignore = co_await read_gitignore(draft, additions);
    co_await prepare(draft, additions, gitignore);
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

awaitable<CommitInfo> delete_files(Client client, std::string repo_id, std::vector<std::string> patterns,
                                   Owned<CommitOptions> options) {
    std::string message = "Delete files";
    for (const std::string& pattern : patterns) message += " " + pattern;
    message += " with hfhub";
    Owned<CreateCommitOptions> commit(commit_options(*options, message));
    check_commit(repo_id, *commit);
    const std::string type(checked_repo_type(options->repo_type));
    TreeAddress address{type, repo_id, std::string(options->revision.empty() ? "main" : options->revision)};
    address.token = options->token;
    const RepoTree tree = co_await ask_tree(client, std::move(address));
    Operations operations(deletions_of(tree, {}, patterns));
    co_return co_await create_commit(std::move(client), std::move(repo_id), std::move(operations), std::move(commit));
}

awaitable<std::vector<PreuploadedFile>> preupload_lfs_files(Client client, std::string repo_id, Operations operations,
                                                            Owned<PreuploadOptions> options) {
    operations.check();
    const CreateCommitOptions commit{.commit_message = "none yet",
                                     .token = options->token,
                                     .repo_type = options->repo_type,
                                     .revision = options->revision,
                                     .create_pr = options->create_pr,
                                     .num_threads = options->num_threads};
    check_commit(repo_id, commit);
    const std::string repo_type(checked_repo_type(options->repo_type));
    const std::string revision(options->revision.empty() ? "main" : options->revision);
    Draft draft{std::move(client), std::move(repo_id), repo_type, revision, std::move(operations), commit};
    std::vector<Addition*> additions = draft.operations.additions();
    std::erase_if(additions, [](const Addition* one) { return one->uploaded; });
    std::vector<PreuploadedFile> files;
    if (additions.empty()) co_return files;
    co_await measure_all(draft, additions);
    std::optional<std::string> gitignore = co_await read_gitignore(draft, additions);
    if (!gitignore && !options->gitignore.empty()) gitignore = std::string(options->gitignore);
    co_await prepare(draft, additions, gitignore);
    for (const Addition* one : additions) {
        PreuploadedFile& file = files.emplace_back();
        file.path_in_repo = one->path;
        file.upload_mode = one->mode == UploadMode::lfs ? "lfs" : "regular";
        file.should_ignore = one->ignored;
        if (one->mode == UploadMode::lfs) file.sha256 = one->oid;
        file.size = one->info.size;
    }
    co_return files;
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
    awaitable<CommitInfo> sending = finish(draft);
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

template <class Mode>
auto BasicCommits<Mode>::delete_files(std::string_view repo_id, StringList delete_patterns, CommitOptions options) const
    -> typename Mode::template result<CommitInfo> {
    const std::vector<std::string> patterns = texts(delete_patterns);
    return call<Mode>(*this, hub::delete_files, repo_id, patterns, options);
}

template <class Mode>
auto BasicCommits<Mode>::preupload_lfs_files(std::string_view repo_id, CommitOperations additions,
                                             PreuploadOptions options) const ->
    typename Mode::template result<std::vector<PreuploadedFile>> {
    return call<Mode>(*this, hub::preupload_lfs_files, repo_id, additions, options);
}

template <class Mode>
auto BasicCommits<Mode>::copy_files(std::string_view source, std::string_view destination,
                                    CopyFilesOptions options) const -> typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::copy_files, source, destination, options);
}

template class BasicCommits<Blocking>;
template class BasicCommits<Awaiting>;

}  // namespace hfhub
