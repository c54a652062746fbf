#pragma once

// Making commits, for all operations that end in one.

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/commit_plan.hpp"

#include <hfhub/hub/commits.hpp>

#include <string>

namespace hfhub::hub {

awaitable<CommitInfo> create_commit(Client client, std::string repo_id, Operations operations,
                                    Owned<CreateCommitOptions> options);

/// The options of a commit of one operation; they look at `options` and `default_message`.
CreateCommitOptions commit_options(const CommitOptions& options, std::string_view default_message);

}  // namespace hfhub::hub
