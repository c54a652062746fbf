#pragma once

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/cache.hpp>

#include <string>

namespace hfhub::hub {

/// As the methods of BasicCache.
awaitable<FolderVerification> verify_repo_checksums(Client client, std::string repo_id,
                                                    Owned<VerifyRepoChecksumsOptions> options);
awaitable<CacheVerification> verify_cache(Client client, Owned<VerifyCacheOptions> options);

}  // namespace hfhub::hub
