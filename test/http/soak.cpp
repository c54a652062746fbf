// Very many requests of which one in a hundred meets a fault: nothing is lost, nothing grows, nothing is left behind.
// HFHUB_LONG=1: a million; some thousands without. HFHUB_SOAK=N sets the number of requests for each protocol.

#include "http/session.hpp"
#include "support/footprint.hpp"
#include "support/h2_peer.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;
using test::Memory;
using test::memory_tells;
using test::open_descriptors;
using test::Peer;
using test::Server;

namespace {

constexpr std::size_t lanes = 24, idle_cap = 4;

std::size_t requests_of_each_protocol() {
    if (const char* number = std::getenv("HFHUB_SOAK")) return std::strtoul(number, nullptr, 10);
    const char* text = std::getenv("HFHUB_LONG");
    const bool is_long = text != nullptr && *text == '1';
    return is_long ? 500'000 : 2'000;
}

enum class Fault : std::uint8_t { none, reset, failing, overloaded, truncated, stalled, going_away };

// Which fault a request meets; each connection has its own series.
class Faults {
  public:
    explicit Faults(int seed) : random_(static_cast<unsigned>(seed) + 1) {}
    Fault next() {
        if (random_() % 100 > 0) return Fault::none;
        return static_cast<Fault>(1 + random_() % 6);
    }

  private:
    std::minstd_rand random_;
};

constexpr const char* half_an_answer = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";

void play_http1(Peer& peer, int number) {
    Faults faults(number);
    while (const auto request = peer.read_request()) {
        switch (faults.next()) {
            case Fault::none:
                peer.write(test::ok_answer("hello" + request->body));
                break;
            case Fault::reset:
                peer.reset();
                return;
            case Fault::failing:
                peer.write("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops");
                break;
            case Fault::overloaded:
                peer.write("HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy");
                break;
            case Fault::truncated:
                peer.write(half_an_answer);
                return;
            case Fault::stalled:
                peer.write(half_an_answer);
                peer.wait_for_end(5s);
                return;
            case Fault::going_away:
                peer.write(test::ok_answer("hello" + request->body, "connection: close\r\n"));
                return;
        }
    }
}

void play_http2(Peer& peer, int number) {
    Faults faults(number);
    bool over = false;
    test::H2Peer h2;
    h2.on_request = [&](test::H2Peer::Exchange& one) {
        switch (faults.next()) {
            case Fault::none:
                h2.respond(one.id, 200, {}, "hello" + one.body);
                break;
            case Fault::reset:
                h2.reset(one.id, 2);  // INTERNAL_ERROR
                break;
            case Fault::failing:
                h2.respond(one.id, 500, {}, "oops");
                break;
            case Fault::overloaded:
                h2.respond(one.id, 503, {{"retry-after", "0"}}, "busy");
                break;
            case Fault::truncated:
                over = true;
                break;
            case Fault::stalled:
                h2.respond(one.id, 200, {{"content-length", "10"}}, "hello", false);
                break;
            case Fault::going_away:
                h2.respond(one.id, 200, {}, "hello" + one.body);
                h2.send_goaway(one.id);
                break;
        }
    };
    test::serve_h2(peer, h2, [&] {
        std::erase_if(h2.exchanges, [](const auto& one) { return one.second.closed; });
        return !over;
    });
}

struct Soak {
    Loop loop;
    std::optional<Session> session;
    std::string base;
    std::size_t wanted = requests_of_each_protocol(), begun = 0, running = lanes, tries = 0;
    std::vector<std::string> failures;
    Memory half;

    SessionOptions options(bool http2) const {
        SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
        options.http_version = http2 ? HttpVersion::http2_prior_knowledge : HttpVersion::http1;
        options.max_connections = 16;
        options.max_idle_connections = idle_cap;
        options.backoff_base = options.backoff_cap = 1ms;
        return options;
    }

    awaitable<void> lane() {
        while (begun < wanted) {
            const std::size_t number = ++begun;
            if (number == wanted / 2) half = test::memory();
            Request request;
            request.url = Url::parse(base);
            request.buffered = 1 << 16;
            request.timeouts.idle = 150ms;
            std::string body;
            if (number % 10 == 0) body = std::to_string(number) + std::string(500, 'u');
            if (!body.empty()) request.method = Method::put;
            if (!body.empty()) request.body = body;
            std::string failure;
            try {
                Response response = co_await session->state()->pipeline().send(std::move(request));
                tries += static_cast<std::size_t>(response.attempts);
                if (response.status != 200 || response.text != "hello" + body) failure = "another answer";
            } catch (const std::exception& error) {
                failure = error.what();
            }
            if (!failure.empty()) failures.push_back(failure);
        }
        --running;
    }

    void run(bool http2) {
        std::optional<Server> server;
        server.emplace(
            [&](Peer& peer) { http2 ? play_http2(peer, server->accepted()) : play_http1(peer, server->accepted()); });
        const std::size_t before = open_descriptors();
        base = server->url("/");
        session.emplace(loop.io.get_executor(), options(http2));
        const auto begin = Clock::now();
        for (std::size_t i = 0; i < lanes; ++i) loop.submit(lane());
        REQUIRE(loop.until([&] { return running == 0; }, std::chrono::seconds(60 + wanted / 1000)));
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        const Memory end = test::memory();
        Pool& pool = session->state()->pool();
        const auto settled = [&] { return pool.stats().active == 0 && pool.stats().open == pool.stats().idle; };
        CHECK(loop.until(settled));
        CHECK(pool.stats().waiting == 0);
        CHECK(pool.stats().idle <= idle_cap);
        // Both ends of each connection are here.
        const std::size_t room = before + 2 * idle_cap + 2;
        CHECK(loop.until([&] { return open_descriptors() <= room; }));
        CHECK(failures.size() == 0);
        if (!failures.empty()) MESSAGE(failures.front());
        CHECK(tries > wanted + wanted / 500);
        if (memory_tells && wanted >= 100'000) {
            CHECK(end.in_use - half.in_use < 1 << 20);
            CHECK(end.resident - half.resident < 4 << 20);
        }
        MESSAGE(std::string(http2 ? "HTTP/2: " : "HTTP/1.1: "), wanted, " requests, ", tries, " tries, ",
                server->accepted(), " connections, ", took.count(),
                " ms; memory from the half to the end: ", (end.in_use - half.in_use) / 1024, " KiB of the heap, ",
                (end.resident - half.resident) / 1024, " KiB resident of ", end.resident / 1024);
        session.reset();
        loop.turn();
        CHECK(loop.until([&] { return server->open() == 0; }));
        CHECK(open_descriptors() == before);
    }
};

}  // namespace

TEST_SUITE_BEGIN("soak");

TEST_CASE("HTTP/1.1: very many requests, one in a hundred with a fault, leave nothing behind") { Soak().run(false); }

TEST_CASE("HTTP/2: very many requests, one in a hundred with a fault, leave nothing behind") { Soak().run(true); }

TEST_SUITE_END();
