#pragma once

#include "http/response.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hfhub::http {

/// How many connections a pool may hold.
struct PoolLimits {
    std::size_t connections = 100;     ///< In all.
    std::size_t http1_per_host = 100;  ///< HTTP/1.1 connections of one origin, as far as its share allows.
    std::size_t http2_per_host = 6;    ///< HTTP/2 connections of one origin; the second opens when the first is full.
    std::size_t idle = 20;             ///< Kept open without use.
    std::chrono::seconds http1_idle{30};  ///< How long.
    std::chrono::seconds http2_idle{60};
};

/// One connection as the plan sees it.
struct ConnectionView {
    Protocol protocol = Protocol::http1;
    std::size_t free_slots = 0;
    bool draining = false;  ///< Takes no more requests, so another may stand in for it.
    std::size_t active = 0;
};

/// What is known of an origin: by ALPN, by prior knowledge, or by an earlier connection.
enum class KnownProtocol : std::uint8_t { unknown, http1, http2 };

struct HostView {
    KnownProtocol known = KnownProtocol::unknown;
    std::span<const ConnectionView> connections;  ///< In the order in which they became free, latest last.
    std::size_t connecting = 0;
    std::size_t waiting = 0;         ///< Requests that stand in the queue, this one included.
    std::size_t open_in_pool = 0;    ///< Of all origins, connecting ones included.
    std::size_t idle_elsewhere = 0;  ///< Idle connections of other origins, which may make room.
};

enum class PlanAction : std::uint8_t { use, open, open_after_eviction, wait };
struct Plan {
    PlanAction action = PlanAction::wait;
    std::size_t index = 0;  ///< Which connection, for `use`.
    bool operator==(const Plan&) const = default;
};

/// How many of all connections one origin may have over HTTP/1.1: one that is slow or dead leaves room for others.
std::size_t share_of_host(std::size_t connections) noexcept;
/// Whether an origin has more than that, since the limits were wider.
bool exceeds_share(const HostView& host, const PoolLimits& limits) noexcept;

/// Which connection the first request of the queue gets. HTTP/2 shares one connection until it is full; of idle
/// HTTP/1.1 connections the one used last is taken, so that the others can age.
Plan pool_plan(const HostView& host, const PoolLimits& limits);

/// For requests that share the work on one thing: the connection that carries least, and whether one more is to be
/// opened for those who come next, because all carry something. Nothing where none has room.
struct SpreadPlan {
    std::size_t index = 0;
    bool open = false;
    bool operator==(const SpreadPlan&) const = default;
};
std::optional<SpreadPlan> spread_plan(const HostView& host, const PoolLimits& limits);

}  // namespace hfhub::http
