#pragma once

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/upload.hpp>

#include <string>

namespace hfhub::hub {

awaitable<CommitInfo> upload_folder(Client client, std::string folder, std::string repo_id,
                                    Owned<UploadFolderOptions> options);

}  // namespace hfhub::hub
