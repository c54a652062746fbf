#pragma once

// What the cache holds, and how room is made in it.
//
//     HFCacheInfo cache = api.scan_cache_dir();
//     DeleteCacheStrategy plan = cache.delete_revisions("7f2a…");   // says what it would free, changes nothing
//     api.execute(plan);

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// A file of a revision. Times are seconds since 1970. Paths are texts here: a cache may have very many.
struct CachedFileInfo {
    std::string file_name;  ///< Without its folders.
    std::string file_path;
    std::string blob_path;  ///< Where its content is: what file_path links to, or the same.
    std::uint64_t size_on_disk = 0;
    double blob_last_accessed = 0, blob_last_modified = 0;
};
BOOST_DESCRIBE_STRUCT(CachedFileInfo, (),
                      (file_name, file_path, blob_path, size_on_disk, blob_last_accessed, blob_last_modified))

struct CachedRevisionInfo {
    std::string commit_hash;
    std::filesystem::path snapshot_path;
    std::uint64_t size_on_disk = 0;  ///< Of all its files, also those that it shares with other revisions.
    std::vector<CachedFileInfo> files;
    std::vector<std::string> refs;  ///< Branches and tags that were at this commit last; none: it is detached.
    double last_modified = 0;       ///< Of its newest file.
};
BOOST_DESCRIBE_STRUCT(CachedRevisionInfo, (), (commit_hash, snapshot_path, size_on_disk, files, refs, last_modified))

struct CachedRepoInfo {
    std::string repo_id;
    std::string repo_type;
    std::filesystem::path repo_path;
    std::uint64_t size_on_disk = 0;  ///< Each content once.
    std::size_t nb_files = 0;        ///< Different contents.
    std::vector<CachedRevisionInfo> revisions;
    double last_accessed = 0, last_modified = 0;
};
BOOST_DESCRIBE_STRUCT(CachedRepoInfo, (),
                      (repo_id, repo_type, repo_path, size_on_disk, nb_files, revisions, last_accessed, last_modified))

/// What an interrupted download has left, or one that is under way has fetched so far.
struct CachedIncompleteFileInfo {
    std::filesystem::path file_path;
    std::uint64_t size_on_disk = 0;
};
BOOST_DESCRIBE_STRUCT(CachedIncompleteFileInfo, (), (file_path, size_on_disk))

/// What would be deleted.
struct DeleteCacheStrategy {
    std::uint64_t expected_freed_size = 0;  ///< In bytes.
    std::vector<std::filesystem::path> blobs, refs, repos, snapshots, incomplete_files;
    std::filesystem::path cache_dir;

    /// "1.2G", in powers of 1000.
    std::string expected_freed_size_str() const;
};
BOOST_DESCRIBE_STRUCT(DeleteCacheStrategy, (),
                      (expected_freed_size, blobs, refs, repos, snapshots, incomplete_files, cache_dir))

struct HFCacheInfo {
    std::uint64_t size_on_disk = 0;  ///< Of the contents; not of incomplete files.
    std::vector<CachedRepoInfo> repos;
    std::vector<CachedIncompleteFileInfo> incomplete_files;
    std::vector<std::string> warnings;  ///< Why folders are left out: they are damaged, or no repositories.
    std::filesystem::path cache_dir;

    /// The plan to delete these commits: contents that no other revision has, and a repository of which nothing stays.
    /// Commits that are not here are left out. What links lead to outside of the repository is never part of it.
    DeleteCacheStrategy delete_revisions(StringList revisions) const;
    /// The plan to delete detached revisions and incomplete files.
    DeleteCacheStrategy prune() const;
};
BOOST_DESCRIBE_STRUCT(HFCacheInfo, (), (size_on_disk, repos, incomplete_files, warnings, cache_dir))

/// A file whose content is not what its name, or the Hub, says.
struct ChecksumMismatch {
    std::string path;  ///< In the repository; of a blob that no revision has, its name.
    std::string expected, actual;
    std::string algorithm;  ///< "sha256" or "git-sha1".
};
BOOST_DESCRIBE_STRUCT(ChecksumMismatch, (), (path, expected, actual, algorithm))

/// How the files on this machine compare with the Hub's.
struct FolderVerification {
    std::string revision;  ///< The commit.
    std::size_t checked_count = 0;
    std::vector<ChecksumMismatch> mismatches;
    std::vector<std::string> missing_paths;  ///< Which the Hub has, and this machine does not.
    std::vector<std::string> extra_paths;    ///< The other way round.
    std::filesystem::path verified_path;
};
BOOST_DESCRIBE_STRUCT(FolderVerification, (),
                      (revision, checked_count, mismatches, missing_paths, extra_paths, verified_path))

/// A content of the cache that is not what its name says.
struct DamagedBlob {
    std::filesystem::path blob_path;
    std::string repo_type, repo_id;
    ChecksumMismatch mismatch;
    bool repaired = false;  ///< It was fetched anew.
};
BOOST_DESCRIBE_STRUCT(DamagedBlob, (), (blob_path, repo_type, repo_id, mismatch, repaired))

struct CacheVerification {
    std::size_t checked_count = 0;
    std::vector<DamagedBlob> damaged;
};
BOOST_DESCRIBE_STRUCT(CacheVerification, (), (checked_count, damaged))

struct ScanCacheDirOptions {
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE.
};
static_assert(std::is_trivially_destructible_v<ScanCacheDirOptions>);
BOOST_DESCRIBE_STRUCT(ScanCacheDirOptions, (), (cache_dir))

struct VerifyRepoChecksumsOptions {
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE.
    std::string_view local_dir{};  ///< The folder, where it is not the cache.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<VerifyRepoChecksumsOptions>);
BOOST_DESCRIBE_STRUCT(VerifyRepoChecksumsOptions, (), (repo_type, revision, cache_dir, local_dir, token))

struct VerifyCacheOptions {
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE.
    bool repair = false;           ///< Fetches damaged files anew.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<VerifyCacheOptions>);
BOOST_DESCRIBE_STRUCT(VerifyCacheOptions, (), (cache_dir, repair, token))

template <class Mode>
class BasicCache : public virtual ApiHandle {
  public:
    /// All repositories in the cache, by path. One with a broken link, or with a ref to a commit that is not here, is
    /// left out with a warning, as Python does it. Throws CacheNotFound, InvalidArgumentError where it is a file.
    typename Mode::template result<HFCacheInfo> scan_cache_dir(ScanCacheDirOptions options = {}) const;

    /// Deletes what the strategy says, refs and links before contents. What a download is working on stays, as does
    /// what is used again since the scan, and everything that is outside of the cache, whatever links lead there.
    /// Throws IoError, when the rest is done, that names what could not be deleted.
    typename Mode::template result<void> execute(const DeleteCacheStrategy& strategy) const;

    /// Compares the files of a commit with the hashes that the Hub has; one request at most where the cache does not
    /// know them. Throws InvalidArgumentError where there is no such folder, and what requests throw.
    typename Mode::template result<FolderVerification> verify_repo_checksums(
        std::string_view repo_id, VerifyRepoChecksumsOptions options = {}) const;

    /// Hashes all contents of the cache and compares them with their names, without asking the Hub. With `repair` also
    /// throws what hf_hub_download throws.
    typename Mode::template result<CacheVerification> verify_cache(VerifyCacheOptions options = {}) const;
};

extern template class BasicCache<Blocking>;
extern template class BasicCache<Awaiting>;

}  // namespace hfhub
