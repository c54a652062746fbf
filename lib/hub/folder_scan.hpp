#pragma once

#include "hub/commit_plan.hpp"

#include <hfhub/string_list.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::hub {

/// Which files of a folder go where in a repository.
struct FolderChoice {
    std::string folder, prefix;                       ///< `prefix` as folder_prefix makes it.
    std::optional<std::vector<std::string>> allow{};  ///< Patterns on paths below the folder; none: all.
    std::vector<std::string> ignore{};
};

struct FolderScan {
    std::vector<Addition> files;
    std::vector<std::uint64_t> sizes;  ///< Of the files, in their order.
};

/// The files, folder by folder in the order of their names. Links to files count as files, links to folders are not
/// followed. Blocks. Throws InvalidArgumentError where the folder is none or a name cannot be one on the Hub, IoError.
FolderScan scan_folder(const FolderChoice& choice);

}  // namespace hfhub::hub
