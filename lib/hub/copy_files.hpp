#pragma once

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/commits.hpp>
#include <hfhub/hub/hf_uri.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// What a copy finds at its destination.
enum class Destination : std::uint8_t { nothing, file, folder };

/// Where a file or folder goes that is copied to `path`. `contents`: the source ended in '/'. Throws
/// InvalidArgumentError for a folder in the place of a file.
std::string copied_to(std::string_view source_path, bool is_folder, bool contents, std::string_view path,
                      Destination there);

awaitable<CommitInfo> copy_files(Client client, std::string source, std::string destination,
                                 Owned<CopyFilesOptions> options);

}  // namespace hfhub::hub
