#include "hub/outages.hpp"

#include "support/server.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

#include <future>
#include <thread>

using namespace hfhub;
using namespace hfhub::hub;
using namespace std::chrono_literals;

TEST_CASE("only a failure to reach the other side is an outage") {
    const auto is = [](auto error) { return is_outage(std::make_exception_ptr(error)); };
    ConnectError lasting("certificate");
    lasting.permanent = true;
    CHECK(is(ConnectError("refused")));
    CHECK(is(TimeoutError(TimeoutPhase::headers, 1s)));
    CHECK(is(TimeoutError(TimeoutPhase::connect, 1s)));
    CHECK(!is(TimeoutError(TimeoutPhase::pool, 1s)));
    CHECK(!is(TimeoutError(TimeoutPhase::deadline, 1s)));
    CHECK(!is_outage(std::make_exception_ptr(TimeoutError(TimeoutPhase::headers, 1s)), true));
    CHECK(is_outage(std::make_exception_ptr(ConnectError("refused")), true));
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

namespace {

/// A Hub that takes connections and never answers.
struct Silence {
    explicit Silence(std::string etag_timeout)
        : options(Environment::from([&](std::string_view name) {
              std::optional<std::string> value;
              if (name == "HF_HOME") value = home.path().string();
              if (name == "HF_ENDPOINT") value = server.url("");
              if (name == "HF_HUB_ETAG_TIMEOUT" && !etag_timeout.empty()) value = etag_timeout;
              return value;
          })) {}

    /// Whether the endpoint counts as down after a download that is given up.
    bool is_down_after_download(std::chrono::milliseconds etag_timeout = {}) {
        const Session session(options);
        try {
            HfApi(session).with_timeout(400ms).hf_hub_download("a/b", "f", {.etag_timeout = etag_timeout});
        } catch (const TimeoutError&) {
        }
        return is_down(session);
    }
    static bool is_down(const Session& session) {
        return Outages::global().is_down(session.state(), session.environment().endpoint);
    }

    test::TempDir home;
    test::Server server{[](test::Peer& peer) { peer.wait_for_end(20s); }};
    SessionOptions options;
};

}  // namespace

TEST_CASE("a Hub that does not answer is down, unless the caller did not wait for it") {
    CHECK(Silence("0.05").is_down_after_download());
    CHECK(!Silence("").is_down_after_download(50ms));
    CHECK(!Silence("").is_down_after_download());  // the limit of the call, before that of the question
}

TEST_CASE("a Hub is not down because all connections are in use") {
    Silence hub("0.05");
    hub.options.max_connections = 1;
    const Session session(hub.options);
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&] {
        try {
            HfApi(session).with_stop(stop.get_token()).model_info("a/b");
        } catch (const CancelledError&) {
        }
    });
    while (hub.server.accepted() == 0) std::this_thread::sleep_for(1ms);
    CHECK_THROWS_AS(HfApi(session).with_timeout(300ms).hf_hub_download("a/b", "f"), TimeoutError);
    CHECK(!Silence::is_down(session));
    stop.request_stop();
    running.get();
}
