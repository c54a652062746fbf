#include "http/pool_plan.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace hfhub::http;

TEST_CASE("the plan for the first request of the queue") {
    const ConnectionView http1_free{Protocol::http1, 1}, http1_busy{Protocol::http1, 0};
    const ConnectionView http2_free{Protocol::http2, 50}, http2_full{Protocol::http2, 0};
    const ConnectionView http2_draining{Protocol::http2, 0, true};
    PoolLimits limits;
    limits.connections = 10;
    limits.http1_per_host = 3;
    limits.http2_per_host = 2;
    using V = std::vector<ConnectionView>;
    struct Case {
        const char* name;
        KnownProtocol known;
        V connections;
        std::size_t connecting, waiting, open, idle_elsewhere;
        Plan expected;
    };
    const auto unknown = KnownProtocol::unknown, h1 = KnownProtocol::http1, h2 = KnownProtocol::http2;
    const Plan wait{PlanAction::wait, 0}, open{PlanAction::open, 0}, evict{PlanAction::open_after_eviction, 0};
    const auto use = [](std::size_t index) { return Plan{PlanAction::use, index}; };
    const Case cases[] = {
        {"nothing is known: one connection", unknown, {}, 0, 1, 0, 0, open},
        {"nothing is known: the others wait for it", unknown, {}, 1, 5, 1, 0, wait},
        {"HTTP/1.1: as many as wait", h1, {}, 1, 2, 1, 0, open},
        {"HTTP/1.1: not more than wait", h1, {}, 2, 2, 2, 0, wait},
        {"HTTP/1.1: the one that was used last", h1, V{http1_free, http1_free, http1_busy}, 0, 1, 3, 0, use(1)},
        {"HTTP/1.1: all busy", h1, V{http1_busy, http1_busy}, 0, 1, 2, 0, open},
        {"HTTP/1.1: limit of the host", h1, V{http1_busy, http1_busy, http1_busy}, 0, 1, 3, 0, wait},
        {"HTTP/1.1: those being made count", h1, V{http1_busy, http1_busy}, 1, 2, 3, 0, wait},
        {"HTTP/2: shared", h2, V{http2_full, http2_free}, 0, 1, 2, 0, use(1)},
        {"HTTP/2 before HTTP/1.1", h2, V{http2_free, http1_free}, 0, 1, 2, 0, use(0)},
        {"HTTP/2: full, a second one", h2, V{http2_full}, 0, 1, 1, 0, open},
        {"HTTP/2: only one is made at a time", h2, V{http2_full}, 1, 9, 2, 0, wait},
        {"HTTP/2: limit of the host", h2, V{http2_full, http2_full}, 0, 1, 2, 0, wait},
        {"HTTP/2: those that drain do not count", h2, V{http2_draining, http2_full, http2_draining}, 0, 1, 3, 0, open},
        {"pool full", h1, {}, 0, 1, 10, 0, wait},
        {"pool full, another origin has an idle one", h1, {}, 0, 1, 10, 2, evict},
        {"pool full, but a free one is here", h1, V{http1_free}, 0, 1, 10, 2, use(0)},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const HostView view{one.known, one.connections, one.connecting, one.waiting, one.open, one.idle_elsewhere};
        CHECK(pool_plan(view, limits) == one.expected);
    }
}

TEST_CASE("HTTP/1.1: how many connections an origin may have and make at a time, by what is open") {
    PoolLimits limits;
    limits.connections = limits.http1_per_host = 100;
    const auto may_open = [&](std::size_t open, std::size_t connecting) {
        const std::vector<ConnectionView> busy(open, {Protocol::http1, 0});
        const HostView view{KnownProtocol::http1, busy, connecting, 1000, open + connecting, 0};
        return pool_plan(view, limits).action == PlanAction::open;
    };
    // One that does not answer takes little.
    CHECK(may_open(0, 7));
    CHECK_FALSE(may_open(0, 8));
    CHECK(may_open(3, 7));
    CHECK_FALSE(may_open(3, 8));
    CHECK(may_open(10, 19));
    CHECK_FALSE(may_open(10, 20));
    // One that is slow leaves room for others.
    CHECK(share_of_host(100) == 88);
    CHECK(share_of_host(7) == 7);
    CHECK(share_of_host(1) == 1);
    CHECK(may_open(80, 7));
    CHECK_FALSE(may_open(80, 8));
    CHECK(may_open(87, 0));
    CHECK_FALSE(may_open(88, 0));
    const std::vector<ConnectionView> many(89, {Protocol::http1, 0}), streams(99, {Protocol::http2, 0});
    CHECK(exceeds_share({KnownProtocol::http1, many}, limits));
    CHECK_FALSE(exceeds_share({KnownProtocol::http1, std::span(many).first(88)}, limits));
    CHECK_FALSE(exceeds_share({KnownProtocol::http2, streams}, limits));
}

TEST_CASE("requests that share the work on one thing spread over connections") {
    using V = std::vector<ConnectionView>;
    PoolLimits limits;
    limits.connections = 10;
    limits.http2_per_host = 3;
    const auto h2 = [](std::size_t active, std::size_t free = 50) {
        return ConnectionView{Protocol::http2, free, false, active};
    };
    const auto plan = [&](const V& connections, std::size_t connecting = 0, std::size_t open = 1) {
        return spread_plan({KnownProtocol::http2, connections, connecting, 0, open, 0}, limits);
    };
    CHECK_FALSE(plan({}));
    CHECK_FALSE(plan({h2(1, 0)}));
    CHECK(plan({h2(2), h2(0), h2(1)}) == SpreadPlan{1, false});
    CHECK(plan({h2(2), h2(1)}) == SpreadPlan{1, true});
    CHECK(plan({h2(2), h2(1)}, 1) == SpreadPlan{1, false});
    CHECK(plan({h2(2), h2(1), h2(3)}) == SpreadPlan{1, false});
    CHECK(plan({h2(1)}, 0, 10) == SpreadPlan{0, false});
}
