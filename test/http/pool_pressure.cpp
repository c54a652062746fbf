// The pool when descriptors are short, and when origins are slow or dead.

#include "support/no_descriptors.hpp"
#include "support/pooling.hpp"
#include "support/silent_address.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::echo_target;
using test::Gate;
using test::Loop;
using test::Peer;
using test::Server;
using tcp = asio::ip::tcp;

namespace {

// A port that takes connections without a descriptor: its connections wait for an accept that never comes.
struct QuietPort {
    asio::io_context io;
    tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/"; }
};

struct Fixture : test::PoolFixture {
    using PoolFixture::PoolFixture;

    awaitable<void> acquire(Request request, std::shared_ptr<Connection>& connection) {
        auto work = pool->acquire(request);
        connection = co_await std::move(work);
    }
    // Requests that are answered late: all of them are under way when this returns.
    std::vector<std::shared_ptr<Loop::Task>> keep_busy(const Server& server, std::size_t count) {
        auto tasks = submit(count, request_for(server.url("/slow")));
        // The server needs descriptors, too.
        const auto served = [&] {
            return pool->stats().active == count && server.accepted() == static_cast<int>(count);
        };
        CHECK(loop.until(served));
        return tasks;
    }
    // Requests, `count` of them, that come to the pool at once.
    std::vector<std::shared_ptr<Loop::Task>> submit(std::size_t count, const Request& request) {
        std::vector<std::shared_ptr<Loop::Task>> tasks;
        bodies.resize(count);
        for (auto& body : bodies) tasks.push_back(loop.submit(fetch(request, body)));
        loop.turn();
        return tasks;
    }
    void expect(const std::vector<std::shared_ptr<Loop::Task>>& tasks, std::string_view outcome) {
        for (const auto& task : tasks) {
            CHECK(loop.until([&] { return task->done; }));
            CHECK(task->outcome() == outcome);
        }
    }
    std::vector<std::string> bodies;
};

PoolOptions at_most(std::size_t connections) {
    PoolOptions options;
    options.limits.connections = options.limits.http1_per_host = connections;
    return options;
}

}  // namespace

TEST_CASE("without descriptors an idle connection makes room; without one the error comes at once" *
          doctest::skip(test::needs_descriptors)) {
    Server one(echo_target());
    const QuietPort two;
    Fixture f;
    std::shared_ptr<Connection> connection;
    const auto acquire = [&] { return f.acquire(f.request_for(two.url()), connection); };
    {
        const test::NoDescriptors none;
        const auto begin = Clock::now();
        CHECK(test::message([&] { f.loop.run(acquire()); }).find("ulimit -n") != std::string::npos);
        CHECK(Clock::now() - begin < 2s);
    }
    CHECK(f.get(one.url("/a")) == "/a");
    const test::NoDescriptors none;
    f.loop.run(acquire());
    CHECK(connection->free_slots() == 1);
    CHECK(f.pool->stats().open == 1);
    CHECK(f.pool->stats().connections_opened == 2);
}

TEST_CASE("without descriptors a request waits for a connection of its origin that is there" *
          doctest::skip(test::needs_descriptors)) {
    Gate gate;
    Server server(gate.handler());
    Fixture f;
    const auto busy = f.keep_busy(server, 1);
    std::string body;
    {
        const test::NoDescriptors none;
        const auto task = f.loop.start(f.fetch(f.request_for(server.url("/b")), body));
        f.loop.pass(50ms);
        CHECK_FALSE(task->done);
        CHECK(f.pool->stats().waiting == 1);
        gate.open.release();
        CHECK(f.loop.until([&] { return task->done && busy[0]->done; }));
        CHECK(task->outcome() == "ok");
    }
    CHECK(body == "/b");
    CHECK(server.accepted() == 1);
}

TEST_CASE("without descriptors a request waits for what another origin's connection gives back" *
          doctest::skip(test::needs_descriptors)) {
    Gate gate;
    Server server(gate.handler());
    const QuietPort quiet;
    Fixture f;
    const auto busy = f.keep_busy(server, 1);
    const test::NoDescriptors none;
    std::shared_ptr<Connection> connection;
    const auto task = f.loop.start(f.acquire(f.request_for(quiet.url()), connection));
    f.loop.pass(50ms);
    CHECK_FALSE(task->done);
    gate.open.release();
    CHECK(f.loop.until([&] { return task->done; }));
    CHECK(task->outcome() == "ok");
    CHECK(busy[0]->outcome() == "ok");
    CHECK(f.pool->stats().open == 1);
}

TEST_CASE("descriptors that the program gives back are found within seconds" * doctest::skip(test::needs_descriptors)) {
    Gate gate;
    Server server(gate.handler());
    const QuietPort quiet;
    Fixture f;
    const auto busy = f.keep_busy(server, 1);
    auto none = std::make_optional<test::NoDescriptors>();
    std::shared_ptr<Connection> connection;
    const auto task = f.loop.start(f.acquire(f.request_for(quiet.url()), connection));
    f.loop.pass(20ms);
    CHECK_FALSE(task->done);
    none.reset();
    CHECK(f.loop.until([&] { return task->done; }, 4s));
    CHECK(task->outcome() == "ok");
    CHECK_FALSE(busy[0]->done);
    gate.open.release();
    CHECK(f.loop.until([&] { return busy[0]->done; }));
}

TEST_CASE("without descriptors, and where nothing moves, waiting ends with its limit and says what to do" *
          doctest::skip(test::needs_descriptors)) {
    Gate gate;
    Server server(gate.handler());
    const QuietPort quiet;
    Fixture f;
    const auto busy = f.keep_busy(server, 1);
    {
        const test::NoDescriptors none;
        Request request = f.request_for(quiet.url());
        request.timeouts.pool = 100ms;
        std::shared_ptr<Connection> connection;
        const auto begin = Clock::now();
        const auto task = f.loop.start(f.acquire(std::move(request), connection));
        CHECK(f.loop.until([&] { return task->done; }));
        CHECK(Clock::now() - begin >= 100ms);
        REQUIRE(task->outcome() == "ConnectError");
        CHECK(test::message_of(task->error).find("ulimit -n") != std::string::npos);
        try {
            std::rethrow_exception(task->error);
        } catch (const ConnectError& error) {
            CHECK(error.permanent);
        }
    }
    gate.open.release();
    CHECK(f.loop.until([&] { return busy[0]->done; }));
    CHECK(f.pool->stats().waiting == 0);
}

TEST_CASE("without descriptors an origin whose queue has no end gives connections back to others" *
          doctest::skip(test::needs_descriptors)) {
    Gate gate;
    Server server(gate.handler());
    const QuietPort quiet;
    Fixture f;
    auto busy = f.keep_busy(server, 8);
    std::shared_ptr<Connection> connection;
    std::vector<std::string> bodies(20);
    {
        const test::NoDescriptors none;
        for (auto& body : bodies) busy.push_back(f.loop.start(f.fetch(f.request_for(server.url("/slow")), body)));
        const auto other = f.loop.start(f.acquire(f.request_for(quiet.url()), connection));
        f.loop.pass(20ms);
        CHECK_FALSE(other->done);
        for (int i = 0; i < 8 && !other->done; ++i) {
            gate.open.release();
            f.loop.until([&] { return other->done; }, 100ms);
        }
        CHECK(other->outcome() == "ok");
        CHECK(f.pool->stats().waiting >= 10);
    }
    gate.open.release(100);
    f.expect(busy, "ok");
}

TEST_CASE("a dead origin does not hold up another one") {
    // 127.0.0.1 with a full backlog would answer; an address that drops packets is played by a server that never
    // accepts TLS: the handshake hangs until its limit.
    Server dead([](Peer& peer) { peer.wait_for_end(); }), alive(echo_target());
    Fixture f;
    Request request = f.request_for("https://127.0.0.1:" + std::to_string(dead.port()) + "/");
    request.timeouts.connect = 300ms;
    const auto tasks = f.submit(20, request);
    const auto begin = Clock::now();
    CHECK(f.get(alive.url("/x")) == "/x");
    CHECK(Clock::now() - begin < 250ms);
    f.expect(tasks, "TimeoutError");
    CHECK(f.pool->stats().waiting == 0);
}

TEST_CASE("an origin that does not answer takes few connections, and all who wait for it hear of it together") {
    const test::SilentAddress silent({asio::ip::make_address("127.0.0.2"), 0});
    Server alive(echo_target());
    Fixture f(at_most(12));
    Request request = f.request_for("http://127.0.0.2:" + std::to_string(silent.port()) + "/");
    request.timeouts.connect = 1s;
    const auto tasks = f.submit(60, request);
    const auto begin = Clock::now();
    CHECK(f.get(alive.url("/x")) == "/x");
    CHECK(Clock::now() - begin < 900ms);
    f.expect(tasks, "TimeoutError");
    CHECK(Clock::now() - begin < 5s);  // not one handful after the other
    CHECK(f.loop.until([&] { return f.pool->stats().connects_failed == 8; }));
    CHECK(f.pool->stats().waiting == 0);
}

TEST_CASE("an origin that keeps all its connections busy leaves room for others") {
    Gate gate;
    Server slow(gate.handler()), other(echo_target());
    Fixture f(at_most(8));
    const auto tasks = f.submit(30, f.request_for(slow.url("/slow")));
    CHECK(f.loop.until([&] { return f.pool->stats().active == 7; }));
    CHECK(f.get(other.url("/b")) == "/b");
    CHECK(f.pool->stats().open == 8);
    gate.open.release(30);
    f.expect(tasks, "ok");
    CHECK(slow.accepted() <= 8);
}
