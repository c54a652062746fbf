#pragma once

// Files that a commit copies: what they are, and how they come into another repository.

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/commit_plan.hpp"

#include <string>
#include <vector>

namespace hfhub::hub {

/// The repository that is committed to.
struct CopyTarget {
    std::string repo_type, repo_id, revision;
    OwnedToken token{};
};

/// Fills in what the copies' sources are, and makes large files of other repositories known to the target's. Throws an
/// EntryNotFoundError where a source is missing, InvalidArgumentError where it cannot be copied.
awaitable<void> resolve_copies(Client client, CopyTarget target, std::vector<Copying*> copies);

}  // namespace hfhub::hub
