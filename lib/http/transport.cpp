#include "http/transport.hpp"

namespace hfhub::http {

awaitable<Response> PoolTransport::send(const Request& request, bool fresh) {
    auto connection = pool_.try_acquire(request, fresh);
    if (!connection) {
        auto waiting = pool_.acquire(request);
        connection = co_await std::move(waiting);
    }
    auto sending = connection->send(request);
    co_return co_await std::move(sending);
}

}  // namespace hfhub::http
