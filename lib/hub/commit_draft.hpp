#pragma once

// A commit on its way, and the steps that make it: uploads that split into several commits take them one by one.

#include "core/url.hpp"
#include "hub/client.hpp"
#include "hub/commit_plan.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace hfhub::hub {

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

/// Runs it, and tells where a repository that is not there may be the reason.
template <class T>
awaitable<T> with_note(awaitable<T> work) {
    try {
        co_return co_await std::move(work);
    } catch (const GatedRepoError&) {
        throw;
    } catch (const RepositoryNotFoundError& error) {
        constexpr const char* note = "\nA commit needs a repository that exists: create_repo makes one.";
        throw RepositoryNotFoundError(error.what() + std::string(note), error.context());
    }
}

/// Null where it is not among them.
Addition* find(std::span<Addition* const> additions, std::string_view path);

/// Looks at the files. Throws InvalidArgumentError for what is no regular file, IoError.
awaitable<void> measure_all(const Draft& draft, std::span<Addition* const> additions);
/// The Hub refuses a card whose metadata is malformed: asks it before anything is uploaded. Throws
/// InvalidArgumentError.
awaitable<void> check_card(const Draft& draft, Addition& card);
/// The rules of the .gitignore that is among what was measured.
awaitable<std::optional<std::string>> read_gitignore(const Draft& draft, std::span<Addition* const> additions);
/// Asks how files that were measured are to be uploaded and what the repository has in their places, hashes them where
/// that tells something, and uploads the large ones.
awaitable<void> prepare(const Draft& draft, std::span<Addition* const> additions,
                        const std::optional<std::string>& gitignore);
/// Asks what the repository has in the places of the draft's additions: whether it is what they bring.
awaitable<bool> is_done(Draft& draft);

/// The present head, as the commit that would have been made.
awaitable<CommitInfo> head_info(const Draft& draft);
/// The head, if the repository shows that the commit was made.
awaitable<std::optional<CommitInfo>> find_commit(Draft& draft);
/// Whether the repository's files can show that. Deletions, copies and pull requests do not tell.
bool leaves_traces(Draft& draft);
/// Makes the commit of what has changed and was prepared. Without a change there is no commit: the head is returned.
awaitable<CommitInfo> finish(Draft& draft);

}  // namespace hfhub::hub
