#include "http/pool_plan.hpp"

namespace hfhub::http {

namespace {

bool may_open(const HostView& host, const PoolLimits& limits) {
    std::size_t http1 = 0, http2 = 0;
    for (const ConnectionView& connection : host.connections) {
        if (!connection.draining) ++(connection.protocol == Protocol::http2 ? http2 : http1);
    }
    switch (host.known) {
        case KnownProtocol::unknown:
            return host.connecting == 0;  // its protocol decides how many are needed
        case KnownProtocol::http2:
            return host.connecting == 0 && http2 < limits.http2_per_host;
        case KnownProtocol::http1:
            return host.connecting < host.waiting && http1 + host.connecting < limits.http1_per_host;
    }
    return false;
}

}  // namespace

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
