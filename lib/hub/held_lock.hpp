#pragma once

#include "core/file_lock.hpp"
#include "hub/client.hpp"

#include <memory>

namespace hfhub::hub {

/// Waits until the lock is ours; says so in the log every 10 s. Throws TimeoutError at the call's deadline,
/// CancelledError, FileError.
awaitable<std::shared_ptr<FileLock>> hold_lock(Client client, PathBeneath path);

}  // namespace hfhub::hub
