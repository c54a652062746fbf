#pragma once

#include <hfhub/fwd.hpp>

namespace hfhub::http {

/// Whether this thread is running functions of the executor, or of the context around which it is a strand: whoever
/// waits here for what is to run there may wait for ever. For any type of executor, but strands of unusual ones are
/// seen only from their inside.
bool running_here(const asio::any_io_executor& executor);

}  // namespace hfhub::http
