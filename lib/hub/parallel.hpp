#pragma once

#include "hub/client.hpp"

#include <cstddef>
#include <functional>

namespace hfhub::hub {

/// Runs work(0) … work(count - 1), begun in this order, at most `limit` of them at a time, on the session's executor.
/// The first failure cancels the others. Returns, or throws that failure, when all have ended.
awaitable<void> run_parallel(Client client, std::size_t count, std::size_t limit,
                             std::function<awaitable<void>(std::size_t)> work);

}  // namespace hfhub::hub
