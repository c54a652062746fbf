#pragma once

// Asking the Hub for all files of a revision.

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/repo_tree.hpp"

#include <string>

namespace hfhub::hub {

struct TreeAddress {
    std::string repo_type, repo_id, revision;
    std::string folder{};  ///< Only what is below it; empty: all.
    OwnedToken token{};
    bool recursive = true;
    bool patient = true;  ///< Waits as for any request; else something could stand in for the answer.
};

/// For what could stand in for the answer: it is not waited for long.
void make_impatient(http::Request& request);

/// All files. Throws RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError, JsonError and what
/// requests throw.
awaitable<RepoTree> ask_tree(Client client, TreeAddress address);

}  // namespace hfhub::hub
