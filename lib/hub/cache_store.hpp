#pragma once

// The cache on the disk. All of these block: they belong on a worker.

#include "core/path_beneath.hpp"
#include "hub/cache_layout.hpp"

#include <hfhub/hub/download.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// The folder that the text means: absolute, "~/" replaced, links resolved as far as it exists.
std::filesystem::path resolved_folder(std::string_view text);

/// Throws IoError where the file system takes the name below `root` for another one that is there: they differ in case
/// or Unicode form only, and the one would replace the other.
void require_own_name(const std::filesystem::path& root, const std::filesystem::path& relative);

bool file_exists_at(const std::filesystem::path& path) noexcept;
/// Of a file, be it behind a link; nothing where there is none.
std::optional<std::uint64_t> file_size_at(const std::filesystem::path& path) noexcept;

/// Whether the link leads to an empty blob whose name is the hash of something else: after a power cut the name may be
/// on the disk without the content.
bool lost_its_content(const std::filesystem::path& pointer) noexcept;

/// The commit that a branch or tag was at last; nothing where the cache does not know.
std::optional<std::string> read_ref(const RepoCache& cache, std::string_view revision);
/// Remembers it. Writes nothing where that is known already, or where the revision is the commit; failures are logged
/// only, since a cache may be read-only and hold all that is wanted.
void write_ref(const RepoCache& cache, std::string_view revision, std::string_view commit) noexcept;

/// Remembers that the repository has no such file; failures are logged only.
void write_no_exist(const RepoCache& cache, std::string_view commit, std::string_view filename) noexcept;

/// Marks a folder as a cache for backup tools, unless it is marked; failures do not matter.
void write_cachedir_tag(const PathBeneath& folder) noexcept;

/// Puts a blob under a file name by a link; false where there are none to be had. Throws FileError.
bool link_pointer(const std::filesystem::path& blob, const PathBeneath& pointer, bool links);

/// What the cache knows of a file at a revision.
CachedFile find_cached(const RepoCache& cache, std::string_view revision, std::string_view filename);

}  // namespace hfhub::hub
