#pragma once

// Commits: adding, deleting and copying files of a repository in one step.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/repo_url.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace hfhub {

/// What is uploaded: a file of this machine by its path, as any text is, bytes in memory, or what was uploaded before.
/// A view: bytes are copied when the call is made, a file is read while it runs and must not change meanwhile.
class UploadSource {
  public:
    constexpr UploadSource() noexcept = default;
    constexpr UploadSource(const char* path) noexcept : UploadSource(std::string_view(path)) {}
    constexpr UploadSource(std::string_view path) noexcept : view_(path), is_file_(true) {}
    UploadSource(const std::string& path) noexcept : UploadSource(std::string_view(path)) {}
    UploadSource(const std::filesystem::path& path) noexcept : UploadSource(path.native()) {}
    UploadSource(std::span<const std::byte> bytes) noexcept
        : view_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
    UploadSource(const std::vector<std::byte>& bytes) noexcept : UploadSource(std::span(bytes)) {}
    /// The text itself is what is uploaded.
    static constexpr UploadSource bytes(std::string_view content) noexcept {
        UploadSource source;
        source.view_ = content;
        return source;
    }

    /// A large file that preupload_lfs_files has brought to the Hub; its content is no longer needed.
    static constexpr UploadSource uploaded(std::string_view sha256, std::uint64_t size) noexcept {
        UploadSource source;
        source.view_ = sha256;
        source.uploaded_size_ = size;
        source.is_uploaded_ = true;
        return source;
    }

    constexpr bool is_file() const noexcept { return is_file_; }
    constexpr bool is_uploaded() const noexcept { return is_uploaded_; }
    constexpr std::uint64_t uploaded_size() const noexcept { return uploaded_size_; }
    /// The path, the bytes, or the SHA-256 of what was uploaded.
    constexpr std::string_view view() const noexcept { return view_; }

  private:
    std::string_view view_;
    std::uint64_t uploaded_size_ = 0;
    bool is_file_ = false, is_uploaded_ = false;
};

/// Adds a file, or replaces it.
struct CommitOperationAdd {
    std::string_view path_in_repo{};
    UploadSource path_or_fileobj{};
};
BOOST_DESCRIBE_STRUCT(CommitOperationAdd, (), (path_in_repo, path_or_fileobj))

/// Removes a file, or a folder with all that is in it.
struct CommitOperationDelete {
    std::string_view path_in_repo{};
    std::optional<bool> is_folder{};  ///< Where empty, a path that ends in '/' is a folder's.
};
BOOST_DESCRIBE_STRUCT(CommitOperationDelete, (), (path_in_repo, is_folder))

/// Copies a file of this repository or, within a storage region, of another one. Large files are not sent again.
struct CommitOperationCopy {
    std::string_view src_path_in_repo{};
    std::string_view path_in_repo{};
    std::string_view src_revision{};   ///< Empty: that of the commit, of another repository "main".
    std::string_view src_repo_id{};    ///< Empty: the repository of the commit.
    std::string_view src_repo_type{};  ///< "model", "dataset" or "space"; with src_repo_id only.
};
BOOST_DESCRIBE_STRUCT(CommitOperationCopy, (),
                      (src_path_in_repo, path_in_repo, src_revision, src_repo_id, src_repo_type))

using CommitOperation = std::variant<CommitOperationAdd, CommitOperationDelete, CommitOperationCopy>;
static_assert(std::is_trivially_destructible_v<CommitOperation>);

/// The operations of a commit, a view: `{CommitOperationAdd{…}, CommitOperationDelete{…}}`, one operation, a vector or
/// a span of them convert; what it looks at must live until the call was made: a braced list belongs into the call.
class CommitOperations {
  public:
    constexpr CommitOperations() noexcept = default;
    constexpr CommitOperations(std::span<const CommitOperation> operations) noexcept : operations_(operations) {}
    CommitOperations(std::initializer_list<CommitOperation> operations) noexcept
        : operations_(std::data(operations), operations.size()) {}
    CommitOperations(const std::vector<CommitOperation>& operations) noexcept : operations_(operations) {}
    CommitOperations(const CommitOperation& operation) noexcept : operations_(&operation, 1) {}

    auto begin() const noexcept { return operations_.begin(); }
    auto end() const noexcept { return operations_.end(); }
    std::size_t size() const noexcept { return operations_.size(); }

  private:
    std::span<const CommitOperation> operations_;
};

/// A commit that was made; where nothing had changed, the one that was there already.
struct CommitInfo {
    std::string commit_url;
    std::string commit_message;
    std::string commit_description;
    std::string oid;                    ///< 40 hexadecimal digits.
    std::optional<std::string> pr_url;  ///< Of the pull request, where one was opened.
    RepoUrl repo_url;
    std::optional<std::string> pr_revision;  ///< Such as "refs/pr/7".
    std::optional<std::int64_t> pr_num;

    /// The commit's address.
    operator const std::string&() const noexcept { return commit_url; }
};
BOOST_DESCRIBE_STRUCT(CommitInfo, (),
                      (commit_url, commit_message, commit_description, oid, pr_url, repo_url, pr_revision, pr_num))

struct CreateCommitOptions {
    std::string_view commit_message{};  ///< Needed.
    std::string_view commit_description{};
    Token token{};
    std::string_view repo_type{};      ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};       ///< Branch or "refs/pr/N"; empty: "main".
    bool create_pr = false;            ///< Opens a pull request against the revision instead of changing it.
    int num_threads = 5;               ///< How many files are hashed and uploaded at a time.
    std::string_view parent_commit{};  ///< 5 to 40 hexadecimal digits: refused where the revision is at another commit.
};
static_assert(std::is_trivially_destructible_v<CreateCommitOptions>);
BOOST_DESCRIBE_STRUCT(CreateCommitOptions, (),
                      (commit_message, commit_description, token, repo_type, revision, create_pr, num_threads,
                       parent_commit))

/// For calls that make a commit by themselves: upload_file, delete_file, delete_files, delete_folder.
struct CommitOptions {
    Token token{};
    std::string_view repo_type{};       ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};        ///< Branch or "refs/pr/N"; empty: "main".
    std::string_view commit_message{};  ///< Empty: says what is done.
    std::string_view commit_description{};
    bool create_pr = false;            ///< Opens a pull request against the revision instead of changing it.
    std::string_view parent_commit{};  ///< 5 to 40 hexadecimal digits: refused where the revision is at another commit.
};
static_assert(std::is_trivially_destructible_v<CommitOptions>);
BOOST_DESCRIBE_STRUCT(CommitOptions, (),
                      (token, repo_type, revision, commit_message, commit_description, create_pr, parent_commit))

/// What preupload_lfs_files has found out and done.
struct PreuploadedFile {
    std::string path_in_repo;
    std::string upload_mode;     ///< "lfs": its content is on the Hub now; "regular": it goes into the commit itself.
    bool should_ignore = false;  ///< The repository's .gitignore names it.
    std::string sha256;          ///< Of a large file, in hexadecimal digits.
    std::uint64_t size = 0;

    /// For the commit, of a large file. It looks at this.
    CommitOperationAdd operation() const noexcept {
        return {.path_in_repo = path_in_repo, .path_or_fileobj = UploadSource::uploaded(sha256, size)};
    }
};
BOOST_DESCRIBE_STRUCT(PreuploadedFile, (), (path_in_repo, upload_mode, should_ignore, sha256, size))

struct PreuploadOptions {
    Token token{};
    std::string_view repo_type{};  ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};   ///< Branch or "refs/pr/N" of the commit to come; empty: "main".
    bool create_pr = false;        ///< Whether that commit is to open a pull request.
    int num_threads = 5;           ///< How many files are hashed and uploaded at a time.
    std::string_view gitignore{};  ///< Rules of a .gitignore that the commit will bring.
};
static_assert(std::is_trivially_destructible_v<PreuploadOptions>);
BOOST_DESCRIBE_STRUCT(PreuploadOptions, (), (token, repo_type, revision, create_pr, num_threads, gitignore))

struct CopyFilesOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CopyFilesOptions>);
BOOST_DESCRIBE_STRUCT(CopyFilesOptions, (), (token))

/// All of these throw InvalidArgumentError for bad paths, a message or parent that is none and files that are not
/// there, RepositoryNotFoundError, RevisionNotFoundError, and HfHubHttpError with status 409 or 412 where somebody else
/// has changed the revision. A commit is never sent twice by itself: where its answer got lost and the Hub does not
/// show its result, the TransportError says so.
template <class Mode>
class BasicCommits : public virtual ApiHandle {
  public:
    /// Makes one commit of all operations. Files that the Hub stores as large ones are uploaded first; what the
    /// repository's .gitignore names is left out, and so is what has not changed. Without a change there is no commit:
    /// the present head is returned.
    typename Mode::template result<CommitInfo> create_commit(std::string_view repo_id, CommitOperations operations,
                                                             CreateCommitOptions options) const;

    typename Mode::template result<CommitInfo> delete_file(std::string_view path_in_repo, std::string_view repo_id,
                                                           CommitOptions options = {}) const;
    /// Deletes all that is in the folder.
    typename Mode::template result<CommitInfo> delete_folder(std::string_view path_in_repo, std::string_view repo_id,
                                                             CommitOptions options = {}) const;
    /// Deletes the files whose path a pattern matches (as fnmatch; one that ends in '/' means all below that folder),
    /// but not .gitattributes.
    typename Mode::template result<CommitInfo> delete_files(std::string_view repo_id, StringList delete_patterns,
                                                            CommitOptions options = {}) const;

    /// Uploads the contents of large files ahead of a commit, which then takes PreuploadedFile::operation(): so that
    /// what was made can be given up before the next is. Operations that delete or copy are left alone.
    typename Mode::template result<std::vector<PreuploadedFile>> preupload_lfs_files(
        std::string_view repo_id, CommitOperations additions, PreuploadOptions options = {}) const;

    /// Copies a file or a folder to another place, also of another repository, in one commit; large files are not sent
    /// again. Both are addresses as parse_hf_uri reads them. A folder is copied into a destination that is a folder,
    /// and to the place itself where there is nothing yet; a source that ends in '/' means what is in it. Throws
    /// HfUriError too, EntryNotFoundError where there is nothing to copy, and InvalidArgumentError for buckets.
    typename Mode::template result<CommitInfo> copy_files(std::string_view source, std::string_view destination,
                                                          CopyFilesOptions options = {}) const;
};

extern template class BasicCommits<Blocking>;
extern template class BasicCommits<Awaiting>;

}  // namespace hfhub
