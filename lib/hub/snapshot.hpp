#pragma once

#include "hub/client.hpp"
#include "hub/snapshot_listing.hpp"

#include <hfhub/hub/download.hpp>

#include <filesystem>
#include <vector>

namespace hfhub::hub {

struct Snapshot {
    std::filesystem::path folder;
    std::vector<DryRunFileInfo> plan{};  ///< Instead of files, where that was asked for.
    bool listed = true;                  ///< False where nobody knows all files of the commit.
};

/// Brings the wanted files of a commit to this machine; as snapshot_download.
awaitable<Snapshot> fetch_snapshot(Client client, SnapshotRequest request);

}  // namespace hfhub::hub
