#pragma once

#include "http/lookup.hpp"

#include <string>

namespace hfhub::http {

/// The order in which addresses are tried: families alternate, beginning with that of the first (RFC 8305 4).
Endpoints interleave(Endpoints endpoints);

/// The first of these to connect, tried in this order, each 250 ms after the one before or as soon as that has failed.
/// `name` is for messages, which say what came of each address. Throws ConnectError, TimeoutError, CancelledError.
awaitable<asio::ip::tcp::socket> race_to(Waits& waits, Endpoints endpoints, std::string name, Limit limit);

}  // namespace hfhub::http
