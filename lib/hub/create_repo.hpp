#pragma once

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/repos.hpp>

#include <string>

namespace hfhub::hub {

awaitable<RepoUrl> create_repo(Client client, std::string repo_id, Owned<CreateRepoOptions> options);

}  // namespace hfhub::hub
