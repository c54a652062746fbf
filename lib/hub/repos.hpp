#pragma once

// Asking what a repository is, for the operations that begin with it.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/repos.hpp>

#include <string>

namespace hfhub::hub {

awaitable<ModelInfo> model_info(Client client, std::string repo_id, Owned<ModelInfoOptions> options);
awaitable<DatasetInfo> dataset_info(Client client, std::string repo_id, Owned<RepoDetailsOptions> options);
awaitable<SpaceInfo> space_info(Client client, std::string repo_id, Owned<RepoDetailsOptions> options);
awaitable<KernelInfo> kernel_info(Client client, std::string repo_id, Owned<KernelInfoOptions> options);
awaitable<RepoInfo> repo_info(Client client, std::string repo_id, Owned<RepoInfoOptions> options);

}  // namespace hfhub::hub
