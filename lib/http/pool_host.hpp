#pragma once

#include "http/pool.hpp"

#include <exception>

// What the pool knows of an origin.
namespace hfhub::http {

struct Pool::Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Waiter(Waits& waits, Milliseconds connect_limit) : event(waits), connect_limit(connect_limit) {}
    Event event;
    Milliseconds connect_limit;
    Clock::time_point since = Clock::now();
    std::exception_ptr error;
    std::shared_ptr<const ConnectionFacts> attempt;  // to connect, that ended with the error
};

struct Pool::Host final : ConnectionObserver {
    Host(Pool& pool, Route route) : pool(pool), route(std::move(route)) {}
    void on_change(Connection& connection) override { pool.changed(*this, connection); }

    Pool& pool;
    Route route;
    KnownProtocol known = KnownProtocol::unknown;
    std::vector<std::shared_ptr<Connection>> connections;  // in the order in which they became free
    std::size_t connecting = 0;
    std::size_t expected_slots = 100;  // of an HTTP/2 connection, until it tells its limit; what the last one told
    WaiterList waiters;
};

/// HTTP/2 without TLS is for the origin: a proxy that forwards is spoken to in HTTP/1.1.
inline bool speaks_h2c(const Route& route, Http2 http2) {
    return http2 == Http2::prior_knowledge && !route.target.is_https() && !route.forwards();
}

}  // namespace hfhub::http
