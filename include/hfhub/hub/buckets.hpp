#pragma once

// Buckets: storage without history, of files that are known by their Xet hash.

#include <hfhub/datetime.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/download.hpp>
#include <hfhub/hub/hf_uri.hpp>
#include <hfhub/hub/pages.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace hfhub {

struct BucketInfo {
    std::string id;  ///< "namespace/name".
    std::optional<bool> private_;
    std::optional<Datetime> created_at;
    std::optional<std::uint64_t> size;  ///< Bytes of all files.
    std::optional<std::uint64_t> total_files;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(BucketInfo, (), (id, private_, created_at, size, total_files))

/// A bucket's web address, and what it says.
struct BucketUrl {
    std::string url;
    std::string endpoint;
    std::string namespace_;
    std::string bucket_id;  ///< "namespace/name".
    HfUri uri;

    operator const std::string&() const noexcept { return url; }
};
BOOST_DESCRIBE_STRUCT(BucketUrl, (), (url, endpoint, namespace_, bucket_id, uri))

struct BucketFile {
    std::string type;  ///< "file".
    std::string path;
    std::uint64_t size = 0;
    std::string xet_hash;           ///< 64 hexadecimal digits.
    std::optional<Datetime> mtime;  ///< Of the file that was uploaded.
    std::optional<Datetime> uploaded_at;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(BucketFile, (), (type, path, size, xet_hash, mtime, uploaded_at))

struct BucketFolder {
    std::string type;  ///< "directory".
    std::string path;
    std::optional<Datetime> uploaded_at;  ///< When something in it was uploaded last.
    json::object raw;                     ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(BucketFolder, (), (type, path, uploaded_at))

using BucketEntry = std::variant<BucketFile, BucketFolder>;

struct BucketFileMetadata {
    std::optional<std::uint64_t> size;
    XetFileData xet_file_data;
};
BOOST_DESCRIBE_STRUCT(BucketFileMetadata, (), (size, xet_file_data))

/// A file of another bucket or repository that is to be in the bucket too, without moving its bytes.
struct BucketCopy {
    std::string_view source_repo_type;  ///< "bucket", "model", "dataset" or "space".
    std::string_view source_repo_id;
    std::string_view xet_hash;
    std::string_view destination;  ///< Its path in the bucket.
};
static_assert(std::is_trivially_destructible_v<BucketCopy>);
BOOST_DESCRIBE_STRUCT(BucketCopy, (), (source_repo_type, source_repo_id, xet_hash, destination))

/// A file of the bucket, and where it is to be.
struct BucketDownload {
    std::string_view remote_path;
    std::string_view local_path;
    std::optional<std::uint64_t> size{};  ///< Where a BucketFile told it; else the Hub is asked.
};
static_assert(std::is_trivially_destructible_v<BucketDownload>);
BOOST_DESCRIBE_STRUCT(BucketDownload, (), (remote_path, local_path, size))

struct BucketOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<BucketOptions>);
BOOST_DESCRIBE_STRUCT(BucketOptions, (), (token))

struct CreateBucketOptions {
    std::optional<bool> private_{};  ///< Nothing: as the owner's settings say.
    std::string_view resource_group_id{};
    std::string_view region{};  ///< "us" or "eu".
    bool exist_ok = false;      ///< One that is there already is no error.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CreateBucketOptions>);
BOOST_DESCRIBE_STRUCT(CreateBucketOptions, (), (private_, resource_group_id, region, exist_ok, token))

struct ListBucketsOptions {
    std::string_view namespace_{};  ///< Empty: the token's owner's.
    std::string_view search{};      ///< Only those with this in their name.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListBucketsOptions>);
BOOST_DESCRIBE_STRUCT(ListBucketsOptions, (), (namespace_, search, token))

struct DeleteBucketOptions {
    bool missing_ok = false;  ///< One that is not there is no error.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<DeleteBucketOptions>);
BOOST_DESCRIBE_STRUCT(DeleteBucketOptions, (), (missing_ok, token))

struct ListBucketTreeOptions {
    std::string_view prefix{};        ///< Only what begins with it.
    std::optional<bool> recursive{};  ///< Files at any depth, without the folders.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListBucketTreeOptions>);
BOOST_DESCRIBE_STRUCT(ListBucketTreeOptions, (), (prefix, recursive, token))

struct BatchBucketFilesOptions {
    std::span<const BucketCopy> copy{};
    StringList delete_{};  ///< Paths.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<BatchBucketFilesOptions>);
BOOST_DESCRIBE_STRUCT(BatchBucketFilesOptions, (), (copy, delete_, token))

struct DownloadBucketFilesOptions {
    bool raise_on_missing_files = false;  ///< Else those that are not there are left out.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<DownloadBucketFilesOptions>);
BOOST_DESCRIBE_STRUCT(DownloadBucketFilesOptions, (), (raise_on_missing_files, token))

/// A bucket is named "namespace/name", "hf://buckets/namespace/name" or by its web address. All of them throw
/// HfValidationError for another name, BucketNotFoundError, and HfHubHttpError where the Hub refuses.
template <class Mode>
class BasicBuckets : public virtual ApiHandle {
  public:
    /// Makes a bucket; without a namespace it is the token's owner's.
    typename Mode::template result<BucketUrl> create_bucket(std::string_view bucket_id,
                                                            CreateBucketOptions options = {}) const;
    typename Mode::template result<BucketInfo> bucket_info(std::string_view bucket_id,
                                                           BucketOptions options = {}) const;
    BasicPages<Mode, BucketInfo> list_buckets(ListBucketsOptions options = {}) const;
    /// Deletes a bucket with everything in it.
    typename Mode::template result<void> delete_bucket(std::string_view bucket_id,
                                                       DeleteBucketOptions options = {}) const;
    /// Gives a bucket another name or owner.
    typename Mode::template result<void> move_bucket(std::string_view from_id, std::string_view to_id,
                                                     BucketOptions options = {}) const;
    /// Its files, and its folders where it is not asked recursively.
    BasicPages<Mode, BucketEntry> list_bucket_tree(std::string_view bucket_id,
                                                   ListBucketTreeOptions options = {}) const;
    /// What is known of these files; those that are not there are left out.
    typename Mode::template result<std::vector<BucketFile>> get_bucket_paths_info(std::string_view bucket_id,
                                                                                  StringList paths,
                                                                                  BucketOptions options = {}) const;
    /// Where a file's chunks are to be had. Throws RemoteEntryNotFoundError, InvalidArgumentError where the answer does
    /// not say it.
    typename Mode::template result<BucketFileMetadata> get_bucket_file_metadata(std::string_view bucket_id,
                                                                                std::string_view remote_path,
                                                                                BucketOptions options = {}) const;
    /// Copies, then deletes, up to 1000 files at a time: what was done before an error stays done. Throws
    /// InvalidArgumentError where the Hub could not do some of it.
    typename Mode::template result<void> batch_bucket_files(std::string_view bucket_id,
                                                            BatchBucketFilesOptions options = {}) const;
    /// Downloads files over HTTP, several at a time, and puts each into its place when its length is right. Throws
    /// RemoteEntryNotFoundError for missing files where that is wanted, TransportError, IntegrityError, IoError.
    typename Mode::template result<void> download_bucket_files(std::string_view bucket_id,
                                                               std::span<const BucketDownload> files,
                                                               DownloadBucketFilesOptions options = {}) const;
};

extern template class BasicPages<Blocking, BucketInfo>;
extern template class BasicPages<Awaiting, BucketInfo>;
extern template class BasicPages<Blocking, BucketEntry>;
extern template class BasicPages<Awaiting, BucketEntry>;
extern template class BasicBuckets<Blocking>;
extern template class BasicBuckets<Awaiting>;

}  // namespace hfhub
