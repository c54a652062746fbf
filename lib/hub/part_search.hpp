#pragma once

// Which unfinished files a folder holds. It blocks and belongs on a worker.

#include <filesystem>
#include <string>
#include <vector>

namespace hfhub::hub {

/// Names that end as those of unfinished files do. A large folder is not read for each file that is fetched into it:
/// what was found holds for a second. What others leave in that time is found by later transfers.
std::vector<std::string> unfinished_names(const std::filesystem::path& folder);

/// To be said where this process leaves one.
void forget_unfinished_names(const std::filesystem::path& folder) noexcept;

}  // namespace hfhub::hub
