#pragma once

// All files of a repository at one commit, on this machine.

#include <hfhub/hub/download.hpp>
#include <hfhub/hub/repo_info.hpp>
#include <hfhub/string_list.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// A file of a repository, as the Hub lists it.
struct RepoFile {
    std::string path;
    std::uint64_t size = 0;
    std::string blob_id;             ///< Git's object id.
    std::optional<BlobLfsInfo> lfs;  ///< Where it is a large file.
    std::optional<std::string> xet_hash;
};
BOOST_DESCRIBE_STRUCT(RepoFile, (), (path, size, blob_id, lfs, xet_hash))

struct SnapshotDownloadOptions {
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE. "~/" is the home folder.
    /// The files themselves are put there instead of into the cache; as of hf_hub_download.
    std::string_view local_dir{};
    /// Only files that one of these fits, as Python's fnmatch; `*` fits '/' too, and a '/' at the end means all below.
    /// Not given: all. An empty list: none.
    StringList allow_patterns{};
    StringList ignore_patterns{};  ///< Not the files that one of these fits.
    bool force_download = false;   ///< Fetches anew what is there.
    /// How long the Hub may take to say which commit is current before what is there is used unasked; 0 is 10 s.
    /// HF_HUB_ETAG_TIMEOUT, where it is set, wins.
    std::chrono::milliseconds etag_timeout{0};
    Token token{};
    bool local_files_only = false;               ///< Sends nothing.
    std::size_t max_workers = 8;                 ///< Files at a time.
    bool check_disk_space = true;                ///< As of hf_hub_download.
    bool verify_hash = true;                     ///< False: only lengths are checked.
    const ProgressCallback* progress = nullptr;  ///< Called for each file; must live until the call is over.
};
static_assert(std::is_trivially_destructible_v<SnapshotDownloadOptions>);
BOOST_DESCRIBE_STRUCT(SnapshotDownloadOptions, (),
                      (repo_type, revision, cache_dir, local_dir, allow_patterns, ignore_patterns, force_download,
                       etag_timeout, token, local_files_only, max_workers, check_disk_space, verify_hash))

struct GetCachedRepoTreeOptions {
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE.
    std::string_view local_dir{};  ///< Of the snapshot, where it was downloaded there.
};
static_assert(std::is_trivially_destructible_v<GetCachedRepoTreeOptions>);
BOOST_DESCRIBE_STRUCT(GetCachedRepoTreeOptions, (), (repo_type, revision, cache_dir, local_dir))

template <class Mode>
class BasicSnapshot : public virtual ApiHandle {
  public:
    /// The folder with all wanted files of one commit, each as hf_hub_download brings it, several at a time. Which
    /// files a commit has is asked for once: a commit that is here costs no request, a branch that has not moved one.
    ///
    /// A file that fails does not keep the others from being fetched; when they have ended, its error is thrown, or
    /// that of several as one of the class that they have in common, which is also a SnapshotFailures. What all files
    /// would fail with (no access, a full disk, cancellation, many failures in a row) ends the call at once.
    ///
    /// Where the Hub cannot be asked, what an earlier download has left is returned if all wanted files are there.
    /// IncompleteSnapshotError where some are missing, LocalEntryNotFoundError where nothing is there. Where no list of
    /// the commit's files is kept, so that nobody knows: offline, with local_files_only and where no answer came, the
    /// folder, with a warning in the log; after an error of the server nothing. Otherwise throws as hf_hub_download.
    typename Mode::template result<std::filesystem::path> snapshot_download(std::string_view repo_id,
                                                                            SnapshotDownloadOptions options = {}) const;

    /// What snapshot_download would do with the same arguments, file by file; Python's dry_run=True. DryRunError where
    /// the Hub cannot be asked.
    typename Mode::template result<std::vector<DryRunFileInfo>> snapshot_download_dry_run(
        std::string_view repo_id, SnapshotDownloadOptions options = {}) const;

    /// The files of a commit by the list that snapshot_download has kept, without asking the Hub. Throws
    /// CachedRepoTreeNotFoundError where there is none.
    typename Mode::template result<std::vector<RepoFile>> get_cached_repo_tree(
        std::string_view repo_id, GetCachedRepoTreeOptions options = {}) const;
};

extern template class BasicSnapshot<Blocking>;
extern template class BasicSnapshot<Awaiting>;

}  // namespace hfhub
