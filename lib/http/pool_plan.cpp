#include "http/pool_plan.hpp"

#include <algorithm>

namespace hfhub::http {

namespace {

// Until an origin has answered, so many connects at a time show whether it does.
constexpr std::size_t first_connects = 8;

std::size_t count(const HostView& host, Protocol protocol) noexcept {
    return static_cast<std::size_t>(
        std::count_if(host.connections.begin(), host.connections.end(),
                      [&](const ConnectionView& one) { return !one.draining && one.protocol == protocol; }));
}

bool may_open_http1(const HostView& host, const PoolLimits& limits) {
    const std::size_t open = count(host, Protocol::http1);
    const std::size_t most = std::min(limits.http1_per_host, share_of_host(limits.connections));
    return host.connecting < host.waiting && host.connecting < std::max(first_connects, 2 * open) &&
           open + host.connecting < most;
}

bool may_open(const HostView& host, const PoolLimits& limits) {
    switch (host.known) {
        case KnownProtocol::unknown:
            return host.connecting == 0;  // its protocol decides how many are needed
        case KnownProtocol::http2:
            return host.connecting == 0 && count(host, Protocol::http2) < limits.http2_per_host;
        case KnownProtocol::http1:
            return may_open_http1(host, limits);
    }
    return false;
}

}  // namespace

std::size_t share_of_host(std::size_t connections) noexcept { return connections - connections / 8; }

bool exceeds_share(const HostView& host, const PoolLimits& limits) noexcept {
    return count(host, Protocol::http1) > share_of_host(limits.connections);
}

Plan pool_plan(const HostView& host, const PoolLimits& limits) {
    for (std::size_t i = 0; i < host.connections.size(); ++i) {
        const ConnectionView& connection = host.connections[i];
        if (connection.protocol == Protocol::http2 && connection.free_slots > 0) return {PlanAction::use, i};
    }
    for (std::size_t i = host.connections.size(); i-- > 0;) {
        if (host.connections[i].free_slots > 0) return {PlanAction::use, i};
    }
    if (!may_open(host, limits)) return {PlanAction::wait, 0};
    if (host.open_in_pool < limits.connections) return {PlanAction::open, 0};
    if (host.idle_elsewhere > 0) return {PlanAction::open_after_eviction, 0};
    return {PlanAction::wait, 0};
}

std::optional<SpreadPlan> spread_plan(const HostView& host, const PoolLimits& limits) {
    std::optional<SpreadPlan> plan;
    for (std::size_t i = 0; i < host.connections.size(); ++i) {
        const ConnectionView& one = host.connections[i];
        if (one.free_slots > 0 && (!plan || one.active < host.connections[plan->index].active))
            plan = SpreadPlan{i, false};
    }
    if (!plan || host.connections[plan->index].active == 0) return plan;
    plan->open = host.known == KnownProtocol::http2 && may_open(host, limits) && host.open_in_pool < limits.connections;
    return plan;
}

}  // namespace hfhub::http
