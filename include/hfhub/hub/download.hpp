#pragma once

// Files of a repository on this machine: in the cache that all users of the Hub share, or in a folder of one's own.
//
// The cache is the one of huggingface_hub, byte for byte; both may use it at once. Below HF_HUB_CACHE each repository
// has a folder such as models--org--name with blobs/ (contents, named by their hash), snapshots/<commit>/ (links to
// them under the repository's file names) and refs/ (which commit a branch or tag was at last).

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/progress.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace hfhub {

/// Where the chunks of a file in Xet storage are to be had.
struct XetFileData {
    std::string file_hash;      ///< 64 hexadecimal digits.
    std::string refresh_route;  ///< URL that gives tokens for the storage.
};
BOOST_DESCRIBE_STRUCT(XetFileData, (), (file_hash, refresh_route))

/// What the Hub says about a file without sending it.
struct HfFileMetadata {
    std::optional<std::string> commit_hash;
    std::optional<std::string> etag;  ///< Git's SHA-1 of the content or its SHA-256, without quotes.
    std::string location;             ///< Where the bytes are: on the Hub, or signed for a short time elsewhere.
    std::optional<std::uint64_t> size;
    std::optional<XetFileData> xet_file_data;
};
BOOST_DESCRIBE_STRUCT(HfFileMetadata, (), (commit_hash, etag, location, size, xet_file_data))

/// What hf_hub_download would do.
struct DryRunFileInfo {
    std::string commit_hash;
    std::optional<std::uint64_t> file_size;  ///< In bytes.
    std::string filename;                    ///< In the repository, subfolder included.
    std::filesystem::path local_path;        ///< What hf_hub_download would return.
    bool is_cached = false;
    bool will_download = false;
};
BOOST_DESCRIBE_STRUCT(DryRunFileInfo, (), (commit_hash, file_size, filename, local_path, is_cached, will_download))

/// What the cache knows of a file.
struct CachedFile {
    std::optional<std::filesystem::path> path;  ///< Where it is; empty where it is not cached.
    bool known_missing = false;                 ///< The repository is known not to have it at that commit.

    explicit operator bool() const noexcept { return path.has_value(); }
};

struct HfHubUrlOptions {
    std::string_view subfolder{};
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
};
static_assert(std::is_trivially_destructible_v<HfHubUrlOptions>);
BOOST_DESCRIBE_STRUCT(HfHubUrlOptions, (), (subfolder, repo_type, revision))

struct FileMetadataOptions {
    Token token{};
    std::chrono::milliseconds timeout{0};  ///< For each step of the request; 0: HF_HUB_ETAG_TIMEOUT, which is 10 s.
    bool retry_on_errors = false;          ///< Tries again where the server or the network fails for a while.
};
static_assert(std::is_trivially_destructible_v<FileMetadataOptions>);
BOOST_DESCRIBE_STRUCT(FileMetadataOptions, (), (token, timeout, retry_on_errors))

struct HfHubDownloadOptions {
    std::string_view subfolder{};
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE. "~/" is the home folder.
    /// The file itself is put there, under its name in the repository, instead of into the cache; what is needed to
    /// update it later is kept in .cache/huggingface below.
    std::string_view local_dir{};
    bool force_download = false;  ///< Fetches it anew although it is there.
    /// How long the Hub may take to say which version is current before a cached file is used unasked; 0 is 10 s.
    /// HF_HUB_ETAG_TIMEOUT, where it is set, wins.
    std::chrono::milliseconds etag_timeout{0};
    Token token{};
    bool local_files_only = false;               ///< Sends nothing.
    bool check_disk_space = true;                ///< Throws IoError at once where the file cannot fit.
    bool verify_hash = true;                     ///< False: only the length is checked.
    const ProgressCallback* progress = nullptr;  ///< Must live until the call is over.
};
static_assert(std::is_trivially_destructible_v<HfHubDownloadOptions>);
BOOST_DESCRIBE_STRUCT(HfHubDownloadOptions, (),
                      (subfolder, repo_type, revision, cache_dir, local_dir, force_download, etag_timeout, token,
                       local_files_only, check_disk_space, verify_hash))

struct TryToLoadFromCacheOptions {
    std::string_view cache_dir{};  ///< Empty: HF_HUB_CACHE.
    std::string_view revision{};   ///< Branch, tag or commit; empty: "main".
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset", "space" or "kernel".
};
static_assert(std::is_trivially_destructible_v<TryToLoadFromCacheOptions>);
BOOST_DESCRIBE_STRUCT(TryToLoadFromCacheOptions, (), (cache_dir, revision, repo_type))

template <class Mode>
class BasicDownload : public virtual ApiHandle {
  public:
    /// The address of a file. Throws HfValidationError, InvalidArgumentError; asks nobody.
    std::string hf_hub_url(std::string_view repo_id, std::string_view filename, HfHubUrlOptions options = {}) const;

    /// What the Hub says about the file at that address. Throws RemoteEntryNotFoundError, RevisionNotFoundError,
    /// RepositoryNotFoundError, other HfHubHttpErrors, TransportError, OfflineModeIsEnabled.
    typename Mode::template result<HfFileMetadata> get_hf_file_metadata(std::string_view url,
                                                                        FileMetadataOptions options = {}) const;

    /// The path of the file on this machine, fetched where it is not there yet or has changed. Bytes are checked
    /// against length and hash before the file appears under that path; what an interrupted transfer has fetched is
    /// used by the next one, also of another process. Of several callers one fetches and the others wait. Names are
    /// used as they are: where the file system refuses one (reserved words, 256 bytes), or takes it for another name
    /// that is there (case, Unicode form), that is an IoError, and nothing is replaced.
    ///
    /// Where the Hub cannot be asked (offline, network down, server errors, also an access that was withdrawn), the
    /// cached version is returned, and cached files are used unasked for the next minute where no answer came at all;
    /// LocalEntryNotFoundError where there is none. Also throws RemoteEntryNotFoundError,
    /// RevisionNotFoundError, RepositoryNotFoundError, IntegrityError where the content does not match its hash even
    /// when fetched again, IoError, TransportError where the transfer made no progress in six tries, HfValidationError
    /// and InvalidArgumentError.
    typename Mode::template result<std::filesystem::path> hf_hub_download(std::string_view repo_id,
                                                                          std::string_view filename,
                                                                          HfHubDownloadOptions options = {}) const;

    /// What hf_hub_download would do with the same arguments; Python's dry_run=True.
    typename Mode::template result<DryRunFileInfo> hf_hub_download_dry_run(std::string_view repo_id,
                                                                           std::string_view filename,
                                                                           HfHubDownloadOptions options = {}) const;

    /// The file's path in the cache, without asking the Hub.
    typename Mode::template result<CachedFile> try_to_load_from_cache(std::string_view repo_id,
                                                                      std::string_view filename,
                                                                      TryToLoadFromCacheOptions options = {}) const;
};

extern template class BasicDownload<Blocking>;
extern template class BasicDownload<Awaiting>;

}  // namespace hfhub
