#pragma once

// Which files a revision of a repository has, where they belong, and which of them are there, before any is fetched.

#include "hub/cache_layout.hpp"
#include "hub/client.hpp"
#include "hub/download_request.hpp"
#include "hub/repo_tree.hpp"
#include "hub/snapshot_plan.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::hub {

/// Those that are wanted. May be called more than once, with the commit's files or with those that are here.
using ChooseFiles = std::function<std::vector<std::string>(const std::vector<std::string>& files)>;

struct SnapshotRequest : DownloadRequest {
    ChooseFiles choose{};  ///< Null: all.
    std::size_t max_workers = 8;
};

/// The places of one request; its functions block.
class SnapshotJob {
  public:
    explicit SnapshotJob(SnapshotRequest wanted);

    const SnapshotRequest request;

    std::filesystem::path folder_of(const std::string& commit) const;
    PathBeneath tree_file_of(const std::string& commit) const;
    /// The commit that the revision is, or was at last.
    std::optional<std::string> last_commit() const;
    /// "org/model at main", for people.
    std::string place() const;

    struct Remains {
        Left left = Left::nothing;
        std::optional<std::string> commit{};
        std::filesystem::path folder{};
        std::vector<std::string> wanted{}, missing{};
    };
    /// What an earlier download has left of that commit.
    Remains remains(const std::optional<std::string>& commit) const;

    /// The wanted ones among a commit's files. Throws HfValidationError where a name must not become a path.
    std::vector<TreeEntry> chosen(const RepoTree& tree) const;
    bool is_here(const std::string& commit, const TreeEntry& file) const;
    bool ref_is_useful() const;
    void remember(const std::string& commit) const noexcept;
    /// A commit without files has a folder too.
    void make_folder(const std::string& commit) const noexcept;

  private:
    std::vector<std::string> choose(const std::vector<std::string>& names) const;

    RepoCache cache_;
    std::filesystem::path local_dir_;
};
using SharedSnapshotJob = std::shared_ptr<const SnapshotJob>;

struct SnapshotListing {
    std::filesystem::path folder;    ///< Where the files are or will be.
    std::string commit{};            ///< Empty where the Hub could not be asked: then nothing is to be fetched.
    std::vector<TreeEntry> files{};  ///< The wanted ones; none where all are known to be there.
    bool listed = true;              ///< False where nobody knows all files of the commit.
};

using SharedTree = std::shared_ptr<const RepoTree>;

/// The commit that the revision is, which the Hub is asked for where it is a branch or tag.
awaitable<std::string> resolve_commit(Client client, SharedSnapshotJob job, bool patient);
/// The commit's files, from the file that an earlier call has kept, or from the Hub, and then kept.
awaitable<SharedTree> tree_of(Client client, SharedSnapshotJob job, std::string commit, bool patient);

/// Asks for the commit of a branch or tag, and for its files unless they are known: one or two requests, or none. Where
/// the Hub cannot be asked, what an earlier download has left stands in, if may_stand_in allows it. Throws
/// IncompleteSnapshotError, LocalEntryNotFoundError, DryRunError, RepositoryNotFoundError, RevisionNotFoundError,
/// HfValidationError and what requests throw.
awaitable<SnapshotListing> list_snapshot(Client client, SharedSnapshotJob job);

}  // namespace hfhub::hub
