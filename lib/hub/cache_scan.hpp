#pragma once

// What a cache holds. All of this blocks: it belongs on a worker.

#include <hfhub/hub/cache.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// The names of what may be repositories. Throws CacheNotFound, InvalidArgumentError where it is a file, FileError.
std::vector<std::string> list_cache(const std::filesystem::path& cache_dir);

/// Those of the given names.
HFCacheInfo scan_repos(const std::filesystem::path& cache_dir, const std::vector<std::string>& names);
/// Several scans of one cache as one. No I/O.
HFCacheInfo join_scans(std::vector<HFCacheInfo> parts);

/// One repository's folder. Throws IoError, with Python's words, where it is none or damaged.
CachedRepoInfo scan_repo(const std::filesystem::path& repo_path);

/// "model" and "org/name" of "models--org--name"; nothing where the name is no repository's.
struct RepoName {
    std::string type, id;
};
std::optional<RepoName> repo_of_folder(std::string_view name);

/// Whether the path, as it is written, lies below the folder.
bool lies_below(std::string_view path, std::string_view folder) noexcept;

}  // namespace hfhub::hub
