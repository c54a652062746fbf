#pragma once

// Deleting from the cache: blocks, and belongs on a worker.

#include <hfhub/hub/cache.hpp>

namespace hfhub::hub {

/// Deletes what the strategy says and nothing outside of its cache_dir. Throws IoError, when the rest is done, that
/// names what could not be deleted.
void delete_from_cache(const DeleteCacheStrategy& strategy);

}  // namespace hfhub::hub
