#include "hub/outages.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;
using namespace std::chrono_literals;

TEST_CASE("only a failure to reach the other side is an outage") {
    const auto is = [](auto error) { return is_outage(std::make_exception_ptr(error)); };
    ConnectError lasting("certificate");
    lasting.permanent = true;
    CHECK(is(ConnectError("refused")));
    CHECK(is(TimeoutError(TimeoutPhase::headers, 1s)));
    CHECK(!is(lasting));
    CHECK(!is(ConnectionLostError("reset")));
    CHECK(!is(OfflineModeIsEnabled("x")));
}

TEST_CASE("an outage is remembered for a while, per session and endpoint") {
    Outages outages;
    const auto a = std::make_shared<int>(1), b = std::make_shared<int>(2);
    const auto now = Outages::Clock::now();
    outages.remember(a, "http://x", now);
    CHECK(outages.is_down(a, "http://x", now + 59s));
    CHECK(!outages.is_down(a, "http://x", now + 60s));
    CHECK(!outages.is_down(b, "http://x", now));
    CHECK(!outages.is_down(a, "http://y", now));
    outages.remember(b, "http://x", now);
    outages.forget(a, "http://x");
    CHECK(!outages.is_down(a, "http://x", now));
    CHECK(outages.is_down(b, "http://x", now));
}
