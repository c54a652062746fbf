#pragma once

// Names and paths of the cache, and which names may become paths at all. No I/O.

#include "core/path_beneath.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// 40 lower-case hexadecimal digits: a commit, or the hash of a plain file.
bool is_git_sha1(std::string_view text) noexcept;
/// 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text) noexcept;
inline constexpr std::string_view git_sha1_of_nothing = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
inline constexpr std::string_view sha256_of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Throws HfValidationError where the name, taken as a path below some folder on any system, could lead out of it or
/// mean something other than a file: empty parts, "." and "..", parts of nothing but dots and blanks, absolute names,
/// drives, streams, UNC, control characters, what is not UTF-8, folders .git, parts of more than 255 bytes. Names that
/// only Windows reserves (CON, a dot at the end) are names here.
void validate_filename(std::string_view filename);
/// Whether a file of that name below a local_dir would lie among what is remembered about the files of that folder.
bool is_own_local_name(std::string_view filename) noexcept;
/// As validate_filename, for a name below a local_dir: is_own_local_name is refused too.
void validate_local_filename(std::string_view filename);
/// Throws HfValidationError for a revision that would lead out of refs/.
void validate_revision(std::string_view revision);
/// Whether a server's ETag, commit hash or the like may be part of a path.
bool is_path_token(std::string_view text) noexcept;

/// "models--namespace--name".
std::string repo_folder_name(std::string_view repo_type, std::string_view repo_id);

/// Paths of one repository in one cache. Arguments must have passed the checks above.
class RepoCache {
  public:
    RepoCache(std::filesystem::path cache_dir, std::string_view repo_type, std::string_view repo_id);

    const std::filesystem::path& cache_dir() const noexcept { return cache_dir_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }
    std::filesystem::path blobs() const { return folder_ / "blobs"; }
    std::filesystem::path blob(std::string_view etag) const { return blobs() / etag; }
    std::filesystem::path snapshot(std::string_view commit) const { return folder_ / "snapshots" / commit; }
    std::filesystem::path pointer(std::string_view commit, std::string_view filename) const {
        return snapshot(commit) / filename;
    }
    std::filesystem::path ref(std::string_view revision) const { return folder_ / "refs" / revision; }
    std::filesystem::path no_exist(std::string_view commit, std::string_view filename) const {
        return folder_ / ".no_exist" / commit / filename;
    }
    PathBeneath lock(std::string_view etag) const;

    /// For changes, which are to stay in the repository's folder.
    PathBeneath inside(std::filesystem::path path) const { return {folder_, std::move(path)}; }

  private:
    std::filesystem::path cache_dir_, folder_;
};

}  // namespace hfhub::hub
