#include "http/pool.hpp"

#include "http/pipeline.hpp"
#include "support/h2_peer.hpp"
#include "support/pooling.hpp"

#include <hfhub/log.hpp>

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::echo_target;
using test::Gate;
using test::Loop;
using test::Peer;
using Fixture = test::PoolFixture;
using test::Server;

TEST_CASE("requests one after the other share one connection") {
    Server server(echo_target());
    Fixture f;
    for (int i = 0; i < 5; ++i) CHECK(f.get(server.url("/a" + std::to_string(i))) == "/a" + std::to_string(i));
    CHECK(server.accepted() == 1);
    CHECK(f.pool->stats().idle == 1);
    CHECK(f.pool->stats().active == 0);
    CHECK(f.pool->stats().connections_opened == 1);
}

TEST_CASE("requests side by side get a connection each, up to the host's limit, and the queue keeps its order") {
    Gate gate;
    Server server(gate.handler());
    PoolOptions options;
    std::size_t limit = 0;
    SUBCASE("one connection") { limit = 1; }
    SUBCASE("two connections") { limit = 2; }
    options.limits.http1_per_host = limit;
    Fixture f(options);
    std::vector<std::string> order, bodies(6);
    const auto fetch = [&](int i) -> awaitable<void> {
        const std::string target = "/slow" + std::to_string(i);
        co_await f.fetch(f.request_for(server.url(target)), bodies[i]);
        order.push_back(bodies[i]);
    };
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (int i = 0; i < 6; ++i) tasks.push_back(f.loop.start(fetch(i)));
    CHECK(f.loop.until([&] { return f.pool->stats().active == limit; }));
    CHECK(f.pool->stats().waiting == 6 - limit);
    for (int i = 0; i < 6; ++i) {
        gate.open.release();
        CHECK(f.loop.until([&] { return order.size() == static_cast<std::size_t>(i) + 1; }));
    }
    for (const auto& task : tasks) CHECK(task->outcome() == "ok");
    for (int i = 0; i < 6 && limit == 1; ++i) CHECK(order[i] == "/slow" + std::to_string(i));
    CHECK(server.accepted() == static_cast<int>(limit));
}

TEST_CASE("a request in the queue gets a new connection when a busy one closes") {
    Gate gate;
    Server server([&](Peer& peer) {
        while (const auto request = peer.read_request()) {
            if (request->target == "/slow") gate.open.try_acquire_for(10s);
            peer.write(test::ok_answer("x", request->target == "/close" ? "connection: close\r\n" : ""));
        }
    });
    PoolOptions options;
    options.limits.http1_per_host = 2;
    Fixture f(options);
    std::string slow, close, third;
    const auto first = f.loop.start(f.fetch(f.request_for(server.url("/slow")), slow));
    const auto second = f.loop.start(f.fetch(f.request_for(server.url("/close")), close));
    const auto waiting = f.loop.start(f.fetch(f.request_for(server.url("/third")), third));
    CHECK(f.loop.until([&] { return waiting->done; }, 3s));
    CHECK_FALSE(first->done);
    gate.open.release(1);
    CHECK(f.loop.until([&] { return first->done; }));
    CHECK(waiting->outcome() == "ok");
}

TEST_CASE("the limit on all connections: an idle one of another origin makes room, a busy one is waited for") {
    Gate gate;
    Server one(gate.handler()), two(echo_target());
    PoolOptions options;
    options.limits.connections = 1;
    Fixture f(options);
    CHECK(f.get(one.url("/a")) == "/a");
    CHECK(f.get(two.url("/b")) == "/b");
    CHECK(f.pool->stats().open == 1);
    std::string slow, other;
    const auto busy = f.loop.start(f.fetch(f.request_for(one.url("/slow")), slow));
    CHECK(f.loop.until([&] { return f.pool->stats().active == 1; }));
    const auto waiting = f.loop.start(f.fetch(f.request_for(two.url("/c")), other));
    f.loop.pass(30ms);
    CHECK_FALSE(waiting->done);
    gate.open.release();
    CHECK(f.loop.until([&] { return busy->done && waiting->done; }, 3s));
    CHECK(other == "/c");
    CHECK(f.pool->stats().open == 1);
}

TEST_CASE("a connect that fails is told to all who wait for it, and the next request tries anew") {
    const std::string url = "http://127.0.0.1:" + std::to_string(test::refused_port()) + "/";
    PoolOptions options;
    options.limits.http1_per_host = 1;
    Fixture f(options);
    std::vector<std::string> bodies(4);
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& body : bodies) tasks.push_back(f.loop.submit(f.fetch(f.request_for(url), body)));
    f.loop.turn();
    for (const auto& task : tasks) {
        CHECK(f.loop.until([&] { return task->done; }, 3s));
        CHECK(task->outcome() == "ConnectError");
        CHECK(test::message_of(task->error).find("refused") != std::string::npos);
    }
    CHECK(f.pool->stats().waiting == 0);
    CHECK(f.pool->stats().open == 0);
    CHECK(test::outcome([&] { f.get(url); }) == "ConnectError");
}

TEST_CASE("the one who asked for a connection is cancelled: the connection is made and serves the next") {
    Server server(echo_target());
    Fixture f;
    std::string body;
    const auto task = f.loop.submit(f.fetch(f.request_for(server.url("/a")), body));
    f.loop.io.restart();
    while (f.pool->stats().waiting == 0 && f.loop.io.poll_one() > 0) {
    }
    REQUIRE(f.pool->stats().waiting == 1);
    task->cancel();
    CHECK(f.loop.until([&] { return task->done; }));
    CHECK(task->outcome() != "ok");  // by the wait or, where that had just ended, by Asio at the next one
    CHECK(f.pool->stats().waiting == 0);
    CHECK(f.loop.until([&] { return f.pool->stats().idle == 1; }));
    CHECK(f.get(server.url("/b")) == "/b");
    CHECK(server.accepted() == 1);
}

TEST_CASE("waiting in the queue has a limit of its own") {
    Gate gate;
    Server server(gate.handler());
    PoolOptions options;
    options.limits.http1_per_host = 1;
    Fixture f(options);
    std::string slow, late;
    const auto first = f.loop.start(f.fetch(f.request_for(server.url("/slow")), slow));
    Request request = f.request_for(server.url("/late"));
    request.timeouts.pool = 30ms;
    const auto second = f.loop.start(f.fetch(std::move(request), late));
    CHECK(f.loop.until([&] { return second->done; }, 2s));
    CHECK(second->outcome() == "TimeoutError");
    CHECK(f.pool->stats().waiting == 0);
    gate.open.release();
    CHECK(f.loop.until([&] { return first->done; }));
    CHECK(first->outcome() == "ok");
}

TEST_CASE("not more connections than allowed are kept idle, and none longer than its time") {
    Gate gate;
    Server server(gate.handler());
    PoolOptions options;
    options.limits.idle = 2;
    options.limits.http1_idle = 1s;
    Fixture f(options);
    std::vector<std::string> bodies(5);
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& body : bodies) tasks.push_back(f.loop.start(f.fetch(f.request_for(server.url("/slow")), body)));
    CHECK(f.loop.until([&] { return f.pool->stats().active == 5; }));
    gate.open.release(5);
    for (const auto& task : tasks) CHECK(f.loop.until([&] { return task->done; }));
    CHECK(f.loop.until([&] { return f.pool->stats().open == 2; }, 500ms));
    CHECK(f.loop.until([&] { return f.pool->stats().open == 0; }, 3s));
}

TEST_CASE("a kept connection that the server closed is not used again") {
    Server server([](Peer& peer) {
        if (const auto request = peer.read_request()) peer.write(test::ok_answer(request->target));
    });
    Fixture f;
    for (int i = 0; i < 5; ++i) {
        CHECK(f.get(server.url("/x")) == "/x");
        CHECK(f.loop.until([&] { return server.open() == 0; }));
        // Not a single turn of the loop in between: use() itself has to look at the socket.
    }
    CHECK(server.accepted() == 5);
}

TEST_CASE(
    "an HTTP/2 connection that ended while nobody ran the executor is not used again, which a POST would not survive") {
    bool goaway = false;
    SUBCASE("without a word") {}
    SUBCASE("with GOAWAY") { goaway = true; }
    std::atomic<int> requests = 0;
    Server server([&](Peer& peer) {
        test::H2Peer h2;
        bool answered = false;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            ++requests;
            h2.respond(one.id, 200, {}, "x");
            if (goaway) h2.send_goaway(one.id);
            answered = true;
        };
        test::serve_h2(peer, h2, [&] { return !answered; });
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    Fixture f(options);
    for (int i = 1; i <= 5; ++i) {
        Request request = f.request_for(server.url());
        request.method = Method::post;
        request.body = std::string("body");
        std::string body;
        f.loop.run(f.fetch(std::move(request), body));
        CHECK(body == "x");
        for (int wait = 0; wait < 2000 && server.open() != 0; ++wait) std::this_thread::sleep_for(1ms);
        REQUIRE(server.open() == 0);
        std::this_thread::sleep_for(2ms);  // what came just now is not looked for
        CHECK(requests == i);
        CHECK(server.accepted() == i);
    }
}

TEST_CASE("a fresh connection is asked for: kept ones are closed first") {
    Server server(echo_target());
    Fixture f;
    f.get(server.url("/a"));
    CHECK(f.get(server.url("/b"), true) == "/b");
    CHECK(server.accepted() == 2);
    CHECK(f.pool->stats().open == 1);
}

TEST_CASE(
    "HTTP/2: requests side by side share a connection; one that is full gets a second beside it, up to the limit") {
    std::atomic<int> most = 0;
    Server server([&](Peer& peer) {
        test::H2Peer h2({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2}});
        std::vector<std::pair<std::int32_t, Clock::time_point>> due;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            due.emplace_back(one.id, Clock::now() + 40ms);
            if (static_cast<int>(due.size()) > most) most = static_cast<int>(due.size());
        };
        test::serve_h2(peer, h2, [&] {
            while (!due.empty() && due.front().second <= Clock::now()) {
                h2.respond(due.front().first, 200, {}, "x");
                due.erase(due.begin());
            }
            return true;
        });
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    options.limits.http2_per_host = 3;
    Fixture f(options);
    f.get(server.url());
    std::vector<std::string> bodies(15);
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& body : bodies) tasks.push_back(f.loop.submit(f.fetch(f.request_for(server.url()), body)));
    f.loop.turn();
    for (const auto& task : tasks) {
        CHECK(f.loop.until([&] { return task->done; }));
        CHECK(task->outcome() == "ok");
    }
    CHECK(server.accepted() == 3);
    CHECK(most == 2);
    CHECK(f.pool->stats().active == 0);
}

TEST_CASE("HTTP/2: a peer that lets nobody begin any more gets a second connection, and no request fails") {
    std::atomic<bool> open = false;
    Server server([&](Peer& peer) {
        test::H2Peer h2;
        bool told = false;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            h2.respond(one.id, 200, {}, "x");
            if (!open) h2.send_settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}});
        };
        test::serve_h2(peer, h2, [&] {
            if (open && !std::exchange(told, true)) h2.send_settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 5}});
            return true;
        });
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    options.limits.http2_per_host = 2;
    Fixture f(options);
    for (int connections = 1; connections <= 2; ++connections) {
        CHECK(f.get(server.url()) == "x");
        CHECK(f.loop.until([&] { return f.pool->stats().idle == static_cast<std::size_t>(connections); }));
        CHECK(server.accepted() == connections);
    }
    // Both are full now: who comes waits until one of them takes requests again.
    std::vector<std::string> bodies(12);
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& body : bodies) tasks.push_back(f.loop.start(f.fetch(f.request_for(server.url()), body)));
    CHECK(f.pool->stats().waiting == bodies.size());
    open = true;
    for (const auto& task : tasks) {
        CHECK(f.loop.until([&] { return task->done; }));
        CHECK(task->outcome() == "ok");
    }
    CHECK(server.accepted() == 2);
}

TEST_CASE("an origin that asks for HTTP/1.1 gets it, from then on, and a POST reaches it once") {
    std::atomic<int> refused = 0, posts = 0, others = 0;
    Server server([&](Peer& peer) {
        if (server.accepted() > 1) {
            test::http1_answers([&](const test::ServerRequest& request) {
                ++(request.method == "POST" ? posts : others);
                return test::ok_answer("one");
            })(peer);
            return;
        }
        test::H2Peer h2;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            ++refused;
            h2.reset(one.id, NGHTTP2_HTTP_1_1_REQUIRED);
        };
        test::serve_h2(peer, h2);
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    Fixture f(options);
    Pipeline pipeline(*f.loop.waits, *f.transport, {});
    for (const Method method : {Method::post, Method::get}) {
        const auto send = [&]() -> awaitable<void> {
            Request request = f.request_for(server.url());
            request.method = method;
            if (method == Method::post) request.body = std::string("x");
            Response response = co_await pipeline.send(std::move(request));
            CHECK(response.status == 200);
            CHECK(response.protocol == Protocol::http1);
            co_await read_all(response.body.get(), 100);
        };
        f.loop.run(send());
    }
    CHECK(refused == 1);
    CHECK(posts == 1);
    CHECK(others == 1);
    CHECK(server.accepted() == 2);
}

TEST_CASE("HTTP/2: many cancelled requests wear out connections one after the other, and requests go on") {
    std::atomic<int> most = 0;
    Server server([&](Peer& peer) {
        test::H2Peer h2;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            if (one.field(":path") == "/quick") h2.respond(one.id, 200, {}, "quick");
        };
        test::serve_h2(peer, h2, [&] {
            int resets = 0;
            for (const auto& [id, one] : h2.exchanges) resets += one.reset ? 1 : 0;
            most = std::max<int>(most, resets);
            return true;
        });
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    Fixture f(options);
    for (int i = 0; i < 350; ++i) {
        std::string body;
        const auto task = f.loop.start(f.fetch(f.request_for(server.url("/slow")), body));
        REQUIRE(f.loop.until([&] { return f.pool->stats().active == 1; }));
        f.loop.turn();
        task->cancel();
        REQUIRE(f.loop.until([&] { return task->done && f.pool->stats().active == 0; }));
    }
    CHECK(f.get(server.url("/quick")) == "quick");
    CHECK(server.accepted() == 4);
    CHECK(most <= 100);
}

TEST_CASE("HTTP/2: a connection that goes away is replaced while it still serves") {
    std::atomic<bool> release = false;
    Server server([&](Peer& peer) {
        test::H2Peer h2;
        std::optional<std::int32_t> held;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            if (one.field(":path") == "/hold") {
                held = one.id;
                h2.send_goaway(one.id);
            } else {
                h2.respond(one.id, 200, {}, "quick");
            }
        };
        test::serve_h2(peer, h2, [&] {
            if (held && release) {
                h2.respond(*held, 200, {}, "held");
                held.reset();
            }
            return true;
        });
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    Fixture f(options);
    std::string held;
    const auto task = f.loop.start(f.fetch(f.request_for(server.url("/hold")), held));
    CHECK(f.loop.until([&] { return f.pool->stats().active == 1; }));
    f.loop.pass(50ms);
    CHECK(f.get(server.url("/other")) == "quick");
    CHECK(server.accepted() == 2);
    release = true;
    CHECK(f.loop.until([&] { return task->done; }));
    CHECK(held == "held");
    CHECK(f.loop.until([&] { return f.pool->stats().open == 1; }));
}

TEST_CASE("a server that closes as soon as it has let in is a connect that failed, not one to be repeated at once") {
    // What follows the proxy's answer in the same packet is there when HTTP/2 begins.
    Server proxy([](Peer& peer) {
        using namespace std::string_literals;
        peer.read_exactly(3);
        peer.write("\x05\x00"s);
        peer.read_exactly(10);
        test::H2Peer h2;
        h2.send_goaway(0);
        peer.write("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"s + h2.take());
        peer.wait_for_end();
    });
    PoolOptions options;
    options.http2 = Http2::prior_knowledge;
    options.proxies.http = "socks5://127.0.0.1:" + std::to_string(proxy.port());
    Fixture f(options);
    std::vector<std::string> bodies(3);
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (auto& body : bodies) tasks.push_back(f.loop.submit(f.fetch(f.request_for("http://127.0.0.1:1/"), body)));
    for (const auto& task : tasks) {
        CHECK(f.loop.until([&] { return task->done; }, 2s));
        CHECK(task->outcome() == "ConnectError");
    }
    CHECK(proxy.accepted() == 1);
    CHECK(f.pool->stats().connects_failed == 1);
    CHECK(f.pool->stats().connections_opened == 0);
}

TEST_CASE("a proxy that forwards is spoken to in HTTP/1.1, with the login as it was given") {
    std::string authorization;
    Server proxy(test::http1_answers([&](const test::ServerRequest& request) {
        authorization = request.header("proxy-authorization");
        return test::ok_answer(request.target);
    }));
    PoolOptions options;
    SUBCASE("HTTP/1.1") {}
    SUBCASE("HTTP/2 without TLS is for the origin") { options.http2 = Http2::prior_knowledge; }
    options.proxies.http = "http://user:50%@127.0.0.1:" + std::to_string(proxy.port());
    Fixture f(options);
    CHECK(f.get("http://hub.test/a") == "http://hub.test/a");
    CHECK(f.get("http://hub.test/b") == "http://hub.test/b");
    CHECK(authorization == "Basic dXNlcjo1MCU=");
    CHECK(proxy.accepted() == 1);
}

TEST_CASE("a new connection is told to the log: where to, how, and how long each step took") {
    Server server(echo_target());
    Fixture f;
    std::string lines;
    set_log_sink([&](LogLevel, std::string_view text) { lines.append(text).append("\n"); });
    set_log_level(LogLevel::debug);
    f.get(server.url("/a"));
    f.get(server.url("/b"));
    set_log_level(LogLevel::warning);
    set_log_sink({});
    const std::string address = "127.0.0.1:" + std::to_string(server.port());
    CHECK(lines.starts_with("connected to http://" + address + " at " + address + " with HTTP/1.1: look-up "));
    CHECK(lines.find(" ms, TCP ") != std::string::npos);
    CHECK(lines.find("connected", 1) == std::string::npos);
}

TEST_CASE("shutdown ends the queue, and later requests, as cancelled") {
    Gate gate;
    Server server(gate.handler());
    PoolOptions options;
    options.limits.http1_per_host = 1;
    Fixture f(options);
    std::string a, b;
    const auto first = f.loop.start(f.fetch(f.request_for(server.url("/slow")), a));
    const auto second = f.loop.start(f.fetch(f.request_for(server.url("/slow")), b));
    CHECK(f.loop.until([&] { return f.pool->stats().active == 1; }));
    f.loop.waits->shutdown();
    f.pool->shutdown();
    f.loop.turn();
    CHECK(first->outcome() == "CancelledError");
    CHECK(second->outcome() == "CancelledError");
    CHECK(test::outcome([&] { f.get(server.url("/x")); }) == "CancelledError");
    gate.open.release(2);
}
