#pragma once

// Files of a bucket on their way to this machine.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/buckets.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::hub {

/// What is known of these files, those that are there.
awaitable<std::vector<BucketFile>> paths_info(Client client, std::string id, std::vector<std::string> paths,
                                              OwnedToken token);

/// A file that is wanted.
struct BucketFetch {
    std::string remote_path;
    std::filesystem::path local_path;
    std::optional<std::uint64_t> size;  ///< Where it is known already.
};
awaitable<void> download_bucket_files(Client client, std::string id, std::vector<BucketFetch> files,
                                      bool raise_on_missing_files, OwnedToken token);

}  // namespace hfhub::hub
