#pragma once

// Uploading files, each call a commit of its own.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/commits.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <filesystem>
#include <string_view>
#include <type_traits>

namespace hfhub {

struct UploadFolderOptions {
    std::string_view path_in_repo{};  ///< The folder in the repository; empty: its root.
    Token token{};
    std::string_view repo_type{};       ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};        ///< Branch or "refs/pr/N"; empty: "main".
    std::string_view commit_message{};  ///< Empty: says what is done. Of several commits, with " (part N)".
    std::string_view commit_description{};
    bool create_pr = false;            ///< Opens a pull request against the default branch.
    std::string_view parent_commit{};  ///< 5 to 40 hexadecimal digits: refused where the revision is at another commit.
    StringList allow_patterns{};       ///< Only files whose path below the folder one of these matches (as fnmatch).
    StringList ignore_patterns{};      ///< No files that one of these matches.
    StringList delete_patterns{};      ///< Deletes files of the repository, below path_in_repo, in the same commit.
    int num_threads = 5;               ///< How many files are hashed and uploaded at a time.
};
static_assert(std::is_trivially_destructible_v<UploadFolderOptions>);
BOOST_DESCRIBE_STRUCT(UploadFolderOptions, (),
                      (path_in_repo, token, repo_type, revision, commit_message, commit_description, create_pr,
                       parent_commit, allow_patterns, ignore_patterns, delete_patterns, num_threads))

/// These throw as BasicCommits.
template <class Mode>
class BasicUploads : public virtual ApiHandle {
  public:
    /// Uploads a file or bytes in memory; of a file at most a few MiB are in memory at a time. Returns the present head
    /// where the repository has the same content already.
    typename Mode::template result<CommitInfo> upload_file(UploadSource path_or_fileobj, std::string_view path_in_repo,
                                                           std::string_view repo_id, CommitOptions options = {}) const;
    /// Uploads all files of a folder, links to files included, .git and .cache/huggingface not. Large folders make
    /// several commits, of which the last is returned: what was committed stays, and the same call goes on where an
    /// earlier one has ended. Returns the present head where the repository has all of it.
    typename Mode::template result<CommitInfo> upload_folder(const std::filesystem::path& folder_path,
                                                             std::string_view repo_id,
                                                             UploadFolderOptions options = {}) const;
};

extern template class BasicUploads<Blocking>;
extern template class BasicUploads<Awaiting>;

}  // namespace hfhub
