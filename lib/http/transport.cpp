#include "http/transport.hpp"

namespace hfhub::http {

// No coroutine of its own where a connection is free, which is nearly always; the pool keeps the connection alive until
// the returned one has begun.
awaitable<Response> PoolTransport::send(const Request& request, bool fresh) {
    if (const auto connection = pool_.try_acquire(request, fresh)) return connection->send(request);
    return send_when_acquired(request);
}

awaitable<Response> PoolTransport::send_when_acquired(const Request& request) {
    auto waiting = pool_.acquire(request);
    const auto connection = co_await std::move(waiting);
    auto sending = connection->send(request);
    co_return co_await std::move(sending);
}

}  // namespace hfhub::http
