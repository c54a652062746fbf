#pragma once

// Which files a revision of a repository has and where they belong, before several of them are fetched.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace hfhub::hub {

struct SnapshotRequest {
    std::string repo_type = "model";
    std::string repo_id{};
    std::string revision = "main";
    std::string cache_dir{};  ///< Empty: the environment's.
    std::string local_dir{};  ///< Empty: into the cache.
    bool force_download = false;
    bool dry_run = false;
    OwnedToken token{};
};

struct SnapshotListing {
    std::filesystem::path folder;      ///< Where the files are or will be.
    std::string commit{};              ///< Empty where the Hub could not be asked: then nothing is to be fetched.
    std::vector<std::string> files{};  ///< Those of the commit; where there is none, those in the folder.
};

/// Asks the Hub, and remembers which commit the branch or tag is at, so that the files are found without it later.
/// Where it cannot be asked, the folder that an earlier download has left stands in. Throws LocalEntryNotFoundError
/// where there is none, RepositoryNotFoundError, RevisionNotFoundError, HfValidationError and what requests throw.
awaitable<SnapshotListing> list_snapshot(Client client, SnapshotRequest request);

}  // namespace hfhub::hub
