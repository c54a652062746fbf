// Requests cancelled at random points, over both protocols: afterwards nothing may be left behind. HFHUB_STRESS=N sets
// the number of requests for each protocol.

#include "http/session.hpp"
#include "support/footprint.hpp"
#include "support/h2_peer.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <random>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;
using test::memory_tells;
using test::open_descriptors;
using test::Peer;
using test::Server;

namespace {

std::size_t wanted_requests() {
    const char* text = std::getenv("HFHUB_STRESS");
    return text != nullptr ? std::strtoul(text, nullptr, 10) : 1500;
}

SessionOptions options_of(bool http2) {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    options.http_version = http2 ? HttpVersion::http2_prior_knowledge : HttpVersion::http1;
    options.max_connections = 12;
    options.backoff_base = options.backoff_cap = 1ms;
    return options;
}

// What the server does depends on the target alone: /0 answers at once, /1 later, /2 in two parts, /3 never, /4 ends
// the connection or stream, /5 sends much.
const std::string& large_body() {
    static const std::string bytes(300'000, 'b');
    return bytes;
}

void play_http1(Peer& peer) {
    while (const auto request = peer.read_request()) {
        switch (request->target[1]) {
            case '1':
                std::this_thread::sleep_for(1ms);
                [[fallthrough]];
            case '0':
                peer.write(test::ok_answer("hello"));
                break;
            case '2':
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
                std::this_thread::sleep_for(1ms);
                peer.write("hello");
                break;
            case '3':
                peer.wait_for_end(20s);
                return;
            case '4':
                peer.reset();
                return;
            default:
                peer.write(test::ok_answer(large_body()));
                break;
        }
    }
}

void play_http2(Peer& peer) {
    test::H2Peer h2({{3, 20}});  // MAX_CONCURRENT_STREAMS
    std::vector<std::pair<std::int32_t, char>> open;
    h2.on_request = [&](test::H2Peer::Exchange& one) {
        const char kind = one.field(":path")[1];
        if (kind == '0') h2.respond(one.id, 200, {}, "hello");
        if (kind == '2') h2.respond(one.id, 200, {}, "hello", false);
        if (kind == '4') h2.reset(one.id, 2);
        if (kind == '5') h2.respond(one.id, 200, {}, large_body());
        if (kind == '1' || kind == '2') open.emplace_back(one.id, kind);
    };
    test::serve_h2(peer, h2, [&] {
        for (const auto& [id, kind] : open) {
            if (kind == '1') h2.respond(id, 200, {}, "hello");
            if (kind == '2') h2.data(id, "hello", true);
        }
        open.clear();
        return true;
    });
}

struct Stress {
    Loop loop;
    std::optional<Session> session;
    std::string base;
    std::minstd_rand random{12345};
    long resident_at_half = 0;
    std::size_t begun = 0, wanted = 0, cancelled = 0, good = 0, failed = 0, lanes = 0;

    unsigned up_to(unsigned most) { return static_cast<unsigned>(random() % (most + 1)); }

    awaitable<void> request(std::string url, bool leave_early, bool upload) {
        Request request;
        request.url = Url::parse(url);
        if (upload) {
            request.method = Method::put;
            request.body = std::string(100'000, 'u');
        }
        Response response = co_await session->state()->pipeline().send(std::move(request));
        if (leave_early) co_return;
        co_await read_all(response.body.get(), 1 << 20);
    }

    struct One {
        explicit One(asio::io_context& io) : timer(io) {}
        asio::cancellation_signal signal;
        asio::steady_timer timer;
        bool done = false;
        std::string outcome;
    };

    awaitable<void> lane() {
        while (begun < wanted) {
            if (++begun == wanted / 2) resident_at_half = test::memory().resident;
            const auto one = std::make_shared<One>(loop.io);
            const std::string url = base + std::to_string(up_to(5));
            const bool never_ends = url.back() == '3';
            const bool patient = !never_ends && up_to(9) < 2;
            session->state()->spawn(request(url, up_to(9) == 0, up_to(9) == 0), one->signal.slot(),
                                    [one](std::exception_ptr error) {
                                        one->done = true;
                                        one->outcome = test::outcome_of(error);
                                        one->timer.cancel();
                                    });
            for (int times = 0; !one->done; ++times) {
                one->timer.expires_after(patient ? 10s : std::chrono::microseconds(up_to(times == 0 ? 3000 : 50)));
                boost::system::error_code error;
                co_await one->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
                if (!one->done) one->signal.emit(asio::cancellation_type::terminal);
            }
            if (one->outcome == "CancelledError") ++cancelled;
            if (one->outcome == "ok") ++good;
            if (one->outcome != "ok" && one->outcome != "CancelledError") ++failed;
        }
        --lanes;
    }

    void run(bool http2) {
        Server server(http2 ? Server::Handler(play_http2) : Server::Handler(play_http1));
        const std::size_t before = open_descriptors();
        base = server.url("/");
        wanted = wanted_requests();
        session.emplace(loop.io.get_executor(), options_of(http2));
        lanes = 24;
        for (std::size_t i = 0; i < 24; ++i) loop.submit(lane());
        REQUIRE(loop.until([&] { return lanes == 0; }, std::chrono::seconds(60 + wanted / 100)));
        // Few requests do not fill the heap's free lists.
        if (memory_tells && wanted >= 20'000) CHECK(test::memory().resident < resident_at_half + (8 << 20));
        Pool& pool = session->state()->pool();
        CHECK(loop.until([&] { return pool.stats().active == 0; }));
        CHECK(pool.stats().waiting == 0);
        CHECK(pool.stats().open <= 12);
        // As many at once as there may be connections.
        std::vector<std::shared_ptr<Loop::Task>> tasks;
        for (int i = 0; i < 12; ++i) tasks.push_back(loop.submit(request(base + "1", false, false)));
        CHECK(loop.until(
            [&] { return std::all_of(tasks.begin(), tasks.end(), [](const auto& task) { return task->done; }); }));
        for (const auto& task : tasks) CHECK(task->outcome() == "ok");
        MESSAGE(std::string(http2 ? "HTTP/2: " : "HTTP/1.1: "), good, " answered, ", cancelled, " cancelled, ", failed,
                " failed, ", server.accepted(), " connections");
        CHECK(good > wanted / 20);
        CHECK(cancelled > wanted / 20);
        CHECK(good + cancelled + failed == wanted);
        session.reset();
        loop.turn();
        for (int i = 0; i < 2000 && server.open() > 0; ++i) std::this_thread::sleep_for(1ms);
        CHECK(server.open() == 0);
        CHECK(open_descriptors() == before);
    }
};

}  // namespace

TEST_SUITE_BEGIN("stress");

TEST_CASE("HTTP/1.1 requests cancelled at random points leave nothing behind") { Stress().run(false); }

TEST_CASE("HTTP/2 requests cancelled at random points leave nothing behind") { Stress().run(true); }

TEST_CASE("a session dropped at random points ends its requests and closes its connections") {
    std::minstd_rand random(99);
    for (const bool http2 : {false, true}) {
        Server server(http2 ? Server::Handler(play_http2) : Server::Handler(play_http1));
        const std::size_t before = open_descriptors();
        for (std::size_t round = 0; round < std::min<std::size_t>(wanted_requests() / 30, 500); ++round) {
            auto session = std::make_optional<Session>(options_of(http2));
            std::atomic<int> ended = 0;
            const auto state = session->state();
            const auto request = [&](std::string url) -> awaitable<void> {
                Request request;
                request.url = Url::parse(url);
                Response response = co_await state->pipeline().send(std::move(request));
                co_await read_all(response.body.get(), 1 << 20);
            };
            asio::post(state->executor(), [&] {
                for (int i = 0; i < 20; ++i) {
                    state->spawn(request(server.url("/") + std::to_string(i % 6)), {},
                                 [&](std::exception_ptr) { ++ended; });
                }
            });
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
            session.reset();
            CHECK(ended == 20);
        }
        for (int i = 0; i < 2000 && server.open() > 0; ++i) std::this_thread::sleep_for(1ms);
        CHECK(server.open() == 0);
        CHECK(open_descriptors() <= before + 2);  // the last state may still be closing its own
    }
}

TEST_SUITE_END();
