#pragma once

// What a commit is made of, and every decision about it that needs no I/O.

#include "hub/content.hpp"

#include <hfhub/hub/commits.hpp>
#include <hfhub/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hfhub::hub {

enum class UploadMode : std::uint8_t { regular, lfs };

struct Addition {
    std::string path;
    Content content;
    ContentInfo info{};
    UploadMode mode = UploadMode::regular;
    bool uploaded = false;                    ///< Before: then its content is not here, but its id and size are.
    bool ignored = false;                     ///< By the repository's .gitignore.
    std::optional<std::string> remote_oid{};  ///< Of what the repository has at this path.
    std::string oid{};  ///< SHA-256 of a large file, git's SHA-1 of another; empty where not computed.
};

struct Deletion {
    std::string path;
    bool is_folder = false;
};

struct Copying {
    std::string source_path, path;
    std::string source_revision{}, source_repo_id{}, source_repo_type{};  ///< Empty: those of the commit.
    std::optional<std::string> content{};                                 ///< Of a file that is not large.
    std::string sha256{};                                                 ///< Of a large file.
    std::optional<std::string> xet_hash{};                                ///< Of a large file.
    std::optional<std::string> source_oid{};   ///< Git's id, of a source in the same repository.
    std::optional<std::string> present_oid{};  ///< Git's id of what the repository has at `path`.
};

using Operation = std::variant<Addition, Deletion, Copying>;

/// Operations that own what they are about.
class Operations {
  public:
    explicit Operations(const CommitOperations& operations);
    explicit Operations(Operation operation) { list.push_back(std::move(operation)); }
    explicit Operations(std::vector<Operation> operations) : list(std::move(operations)) {}

    /// Brings paths into the form that the Hub takes. Throws InvalidArgumentError for what cannot be committed.
    void check();
    std::vector<Addition*> additions();
    std::vector<Copying*> copies();
    std::size_t deletions() const;

    std::vector<Operation> list;
};

/// Without "/" or "./" at its beginning. Throws InvalidArgumentError for paths that lead out of the repository or into
/// a folder .git or .cache, and where nothing is left.
std::string checked_path_in_repo(std::string_view path);

/// Throws InvalidArgumentError where the message is empty, the parent is no commit id, or the type is none that has
/// commits; HfValidationError for the id.
void check_commit(std::string_view repo_id, const CreateCommitOptions& options);

/// What people should know before this is committed.
std::vector<std::string> commit_warnings(const Operations& operations, std::string_view repo_type);

/// At most this many files are asked about in one request.
inline constexpr std::size_t files_per_request = 256;

/// Body of the request that asks how files are to be uploaded.
json::value preupload_request(std::span<Addition* const> additions, const std::optional<std::string>& gitignore);
/// Takes the answer over into the additions. Throws InvalidArgumentError where it is malformed.
void take_preupload_answer(const json::value& answer, std::span<Addition* const> additions);

/// Whether the repository has the content already.
bool is_unchanged(const Addition& addition);
bool is_unchanged(const Operation& operation);

/// The line of a commit's body for everything but files with their content.
std::string header_line(const CreateCommitOptions& options);
std::string lfs_line(std::string_view path, std::string_view sha256, std::optional<std::uint64_t> size);
std::string deletion_line(const Deletion& deletion);

/// The revision of a pull request by its address: "refs/pr/7". Throws JsonError.
std::string pull_request_revision(std::string_view url);

/// What the answer to a commit in the repository says. Throws JsonError.
CommitInfo read_commit_info(const json::value& answer, const CreateCommitOptions& options, RepoUrl repository);

/// A server's URL at the Hub's default host, turned to the endpoint that stands for the Hub here.
std::string at_endpoint(std::string_view url, std::string_view endpoint);

}  // namespace hfhub::hub
