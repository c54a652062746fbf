// One session under everything at once: blocking calls, coroutines on several executors, streams that are left early,
// stop tokens, API objects that come and go.

#include "streams.hpp"
#include "support/h2_peer.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <set>
#include <stop_token>
#include <thread>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

namespace {

// Answers /api/models/a/NAME with that name, asks for a stream with events without an end, and keeps silent on /silent.
// The session of nghttp2 behind it ends a connection whose frames are out of order.
class MixedServer {
  public:
    MixedServer() : server_([this](Peer& peer) { play(peer); }) {}
    std::string url(std::string_view target = "") const { return server_.url(target); }
    int broken() const noexcept { return broken_; }

  private:
    void play(Peer& peer) {
        H2Peer h2({{3, 50}});  // MAX_CONCURRENT_STREAMS
        std::set<std::int32_t> ids;
        h2.on_request = [&](H2Peer::Exchange& one) {
            if (!ids.insert(one.id).second) ++broken_;
            answer(h2, one);
        };
        serve_h2(peer, h2, [&] {
            std::erase_if(h2.exchanges, [](const auto& one) { return one.second.closed; });
            return true;
        });
        if (h2.goaway.value_or(0) != 0) ++broken_;
    }

    void answer(H2Peer& h2, H2Peer::Exchange& one) {
        constexpr std::string_view models = "/api/models/a/";
        const std::string path = one.field(":path");
        if (path.ends_with("silent")) return;
        if (path.starts_with(models)) {
            const std::string name = path.substr(models.size());
            return h2.respond(one.id, 200, {{"content-type", "application/json"}}, R"({"id": "a/)" + name + "\"}");
        }
        std::string events;
        for (char letter = 'a'; letter <= 'e'; ++letter) events += event(std::string(1, letter));
        h2.respond(one.id, 200, {{"content-type", "text/event-stream"}}, events, false);
    }

    std::atomic<int> broken_ = 0;
    Server server_;
};

SessionOptions options_at(const MixedServer& server) {
    SessionOptions options(Environment::from(
        [&](std::string_view name) { return name == "HF_ENDPOINT" ? std::optional(server.url()) : std::nullopt; }));
    options.http_version = HttpVersion::http2_prior_knowledge;
    return options;
}

struct Totals {
    std::atomic<int> right = 0, wrong = 0, cancelled = 0, left = 0;
    void count(const std::string& got, const std::string& wanted) { ++(got == wanted ? right : wrong); }
};

void block(const Session& session, int number, int times, Totals& totals) {
    const HfApi kept(session);
    for (int i = 0; i < times; ++i) {
        const std::string name = "b" + std::to_string(number) + "-" + std::to_string(i);
        const HfApi api = i % 3 == 0 ? HfApi(session) : kept;
        totals.count(api.model_info("a/" + name).id, "a/" + name);
    }
}

awaitable<void> await(Session session, int number, int times, Totals& totals) {
    const AsyncHfApi kept(session);
    for (int i = 0; i < times; ++i) {
        const std::string name = "c" + std::to_string(number) + "-" + std::to_string(i);
        std::optional<AsyncHfApi> api(kept);
        if (i % 3 == 0) api.emplace(session);
        const std::string repo = "a/" + name;
        const ModelInfo info = co_await api->model_info(repo);
        totals.count(info.id, repo);
    }
}

void leave_early(const Session& session, const MixedServer& server, int number, int times, Totals& totals) {
    InferenceClientOptions options;
    options.base_url = server.url("/v1");
    for (int i = 0; i < times; ++i) {
        const Taken taken = take(InferenceClient(session, options), 1 + (number + i) % 5);
        const std::string whole = "abcde";
        totals.count(taken.outcome + taken.text, "ok" + whole.substr(0, taken.text.size()));
        if (!taken.text.empty()) ++totals.left;
    }
}

void stop(const Session& session, int times, Totals& totals) {
    for (int i = 0; i < times; ++i) {
        std::stop_source source;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(200 * (i % 10)));
            source.request_stop();
        });
        const HfApi api = HfApi(session).with_stop(source.get_token());
        const std::string end = outcome([&] { api.model_info("a/silent"); });
        totals.count(end, "CancelledError");
        ++totals.cancelled;
    }
}

}  // namespace

TEST_CASE("64 threads and coroutines on several executors use one session at once, each with its own answers") {
    const int times = std::getenv("HFHUB_LONG") != nullptr ? 200 : 12;
    MixedServer server;
    std::optional<Session> session(options_at(server));
    Totals totals;
    asio::thread_pool pool(4);
    std::vector<std::unique_ptr<asio::io_context>> contexts;
    std::vector<std::thread> threads;
    const auto add = [&](auto work) {
        threads.emplace_back([&, work] {
            const std::string end = outcome(work);
            if (end == "ok") return;
            ++totals.wrong;
            MESSAGE(end);
        });
    };
    for (int i = 0; i < 32; ++i) add([&, i] { block(*session, i, times, totals); });
    for (int i = 0; i < 16; ++i) {
        const auto failed = [&](const std::exception_ptr& error) { totals.wrong += error ? 1 : 0; };
        asio::co_spawn(asio::make_strand(pool), await(*session, 100 + i, times, totals), failed);
        if (i % 4 != 0) continue;
        auto& io = *contexts.emplace_back(std::make_unique<asio::io_context>(1));
        for (int k = 0; k < 4; ++k) asio::co_spawn(io, await(*session, 200 + 4 * i + k, times, totals), failed);
        add([&io] { io.run(); });
    }
    for (int i = 0; i < 12; ++i) add([&, i] { leave_early(*session, server, i, times, totals); });
    for (int i = 0; i < 6; ++i) add([&] { stop(*session, times, totals); });
    add([&] {
        for (int i = 0; i < times * 20; ++i) totals.wrong += session->stats().open_connections > 100 ? 1 : 0;
    });
    pool.join();
    for (std::thread& one : threads) one.join();
    CHECK(totals.wrong == 0);
    CHECK(totals.right == (32 + 16 + 16 + 12 + 6) * times);
    CHECK(totals.left == 12 * times);
    CHECK(totals.cancelled == 6 * times);
    CHECK(server.broken() == 0);
    const auto quiet = std::chrono::steady_clock::now() + 10s;
    while (session->stats().active_requests > 0 && std::chrono::steady_clock::now() < quiet) {
        std::this_thread::sleep_for(1ms);
    }
    CHECK(session->stats().active_requests == 0);
    CHECK(session->stats().connects_failed == 0);
    session.reset();
}
