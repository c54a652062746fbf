#include "http/h2_connection.hpp"

#include "support/h2_peer.hpp"
#include "support/loop.hpp"
#include "support/script_stream.hpp"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::H2Peer;
using test::Loop;
using test::Script;

namespace {

class Upload final : public BodySource {
  public:
    Upload(Waits& waits, std::size_t size) : event(waits), left_(size) {}
    std::optional<std::uint64_t> size() const override { return std::nullopt; }
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        ++reads;
        if (stall) co_await event.wait(http::Clock::time_point::max());
        const std::size_t n = std::min({buffer.size(), left_, std::size_t{50'000}});
        std::memset(buffer.data(), 'u', n);
        left_ -= n;
        co_return n;
    }
    bool rewind() override { return false; }
    Event event;
    bool stall = false;
    int reads = 0;

  private:
    std::size_t left_;
};

struct Fixture {
    Loop loop;
    std::shared_ptr<Script> script = std::make_shared<Script>(loop.io.get_executor());
    H2Peer peer;
    std::shared_ptr<H2Connection> connection = std::make_shared<H2Connection>(loop.waits, script->stream());
    Request request;

    explicit Fixture(const H2Peer::Settings& settings = {}, bool hold_windows = false) : peer(settings, hold_windows) {
        request.url = Url::parse("https://example.test/");
        request.timeouts.headers = request.timeouts.idle = request.timeouts.write = 5s;
        connection->start();
        settle();
    }
    ~Fixture() {
        connection->close();
        loop.turn();
    }

    // Carries bytes both ways until both sides are silent.
    void settle() {
        for (int i = 0; i < 100; ++i) {
            loop.turn();
            peer.receive(script->take());
            const std::string bytes = peer.take();
            if (bytes.empty() && script->written.empty()) return;
            if (!bytes.empty()) script->send(bytes);
            loop.turn();
        }
    }
    awaitable<void> send(Response& out) { out = co_await connection->send(request); }
    awaitable<void> fetch(std::string& body) {
        Response response = co_await connection->send(request);
        body = co_await read_all(response.body.get(), 64 << 20);
    }
    std::shared_ptr<Loop::Task> start(Response& out) {
        auto task = loop.start(send(out));
        settle();
        return task;
    }
};

const TransportError& transport_error(const Loop::Task& task) {
    try {
        std::rethrow_exception(task.error);
    } catch (const TransportError& error) {
        static TransportError copy("");
        copy = error;
        return copy;
    }
}

}  // namespace

TEST_CASE("a request over an HTTP/2 connection is answered") {
    Fixture f;
    std::string body;
    const auto task = f.loop.start(f.fetch(body));
    f.settle();
    CHECK(f.connection->active() == 1);
    f.peer.respond(1, 200, {{"content-length", "5"}}, "hello");
    f.settle();
    CHECK(task->outcome() == "ok");
    CHECK(body == "hello");
    CHECK(f.connection->active() == 0);
    CHECK(f.connection->used);
}

TEST_CASE("requests of one turn leave in one write") {
    Fixture f;
    std::vector<std::string> bodies(20);
    const std::size_t before = f.script->writes;
    for (auto& body : bodies) f.loop.submit(f.fetch(body));
    f.loop.turn();
    CHECK(f.script->writes == before + 1);
    f.settle();
    CHECK(f.peer.exchanges.size() == bodies.size());
    for (auto& [id, exchange] : f.peer.exchanges) f.peer.respond(id, 200, {}, "x");
    f.settle();
    for (const auto& body : bodies) CHECK(body == "x");
    CHECK(f.connection->active() == 0);
}

TEST_CASE("answers without a body have none") {
    Fixture f;
    Response response;
    SUBCASE("HEAD") {
        f.request.method = Method::head;
        const auto task = f.start(response);
        f.peer.respond(1, 200, {{"content-length", "500"}});
        f.settle();
        CHECK(task->outcome() == "ok");
    }
    SUBCASE("204") {
        const auto task = f.start(response);
        f.peer.respond(1, 204);
        f.settle();
        CHECK(task->outcome() == "ok");
    }
    SUBCASE("nothing after the headers") {
        const auto task = f.start(response);
        f.peer.respond(1, 200);
        f.settle();
        CHECK(task->outcome() == "ok");
    }
    CHECK(response.body == nullptr);
    CHECK(f.connection->active() == 0);
}

TEST_CASE("a body shorter than announced is a TruncatedError") {
    Fixture f;
    std::string body;
    const auto task = f.loop.start(f.fetch(body));
    f.settle();
    SUBCASE("ended by the server") { f.peer.respond(1, 200, {{"content-length", "10"}}, "short"); }
    SUBCASE("reset by the server") {
        f.peer.respond(1, 200, {{"content-length", "10"}}, "short", false);
        f.settle();
        f.peer.reset(1, NGHTTP2_INTERNAL_ERROR);
    }
    SUBCASE("with the connection") {
        f.peer.respond(1, 200, {{"content-length", "10"}}, "short", false);
        f.settle();
        f.script->end();
    }
    f.settle();
    REQUIRE(task->outcome() == "TruncatedError");
    try {
        std::rethrow_exception(task->error);
    } catch (const TruncatedError& error) {
        CHECK(error.got == 5);
        CHECK(error.expected == 10);
    }
    CHECK(f.connection->active() == 0);
}

TEST_CASE("resets before the answer say whether the server may have acted") {
    Fixture f;
    Response response;
    const auto task = f.start(response);
    SUBCASE("refused") {
        f.peer.reset(1, NGHTTP2_REFUSED_STREAM);
        f.settle();
        CHECK_FALSE(transport_error(*task).maybe_processed);
    }
    SUBCASE("internal error") {
        f.peer.reset(1, NGHTTP2_INTERNAL_ERROR);
        f.settle();
        CHECK(transport_error(*task).maybe_processed);
    }
    CHECK(task->outcome() == "ConnectionLostError");
    CHECK_FALSE(transport_error(*task).stale_connection);
    CHECK(f.connection->active() == 0);
    CHECK_FALSE(f.connection->closed());
}

TEST_CASE("GOAWAY: what it names is finished, the rest is unprocessed, then the connection closes") {
    Fixture f;
    Response first, second;
    const auto one = f.start(first);
    const auto two = f.start(second);
    f.peer.send_goaway(1);
    f.settle();
    CHECK(two->outcome() == "ConnectionLostError");
    CHECK_FALSE(transport_error(*two).maybe_processed);
    CHECK(transport_error(*two).stale_connection);
    CHECK(f.connection->free_slots() == 0);
    CHECK_FALSE(f.connection->closed());
    f.peer.respond(1, 200);
    f.settle();
    CHECK(one->outcome() == "ok");
    CHECK(f.connection->closed());
    CHECK(f.script->closed);
}

TEST_CASE("GOAWAY of a server that has done nothing at all is a refusal, not the end of a kept connection") {
    Fixture f;
    Response response;
    const auto task = f.start(response);
    f.peer.send_goaway(0);
    f.settle();
    REQUIRE(task->outcome() == "ConnectionLostError");
    CHECK_FALSE(transport_error(*task).maybe_processed);
    CHECK_FALSE(transport_error(*task).stale_connection);
}

TEST_CASE("a request submitted as GOAWAY arrives is unprocessed") {
    Fixture f;
    Response first, second;
    f.start(first);
    f.peer.send_goaway(1);
    const std::string bytes = f.peer.take();
    const auto race = [&]() -> awaitable<void> {
        f.script->send(bytes);
        co_await f.send(second);
    };
    f.request.method = Method::post;
    const auto two = f.loop.start(race());
    f.settle();
    REQUIRE(two->outcome() == "ConnectionLostError");
    CHECK_FALSE(transport_error(*two).maybe_processed);
}

TEST_CASE("a connection that ends fails its requests, stale only where it had served before") {
    for (const bool used : {false, true}) {
        Fixture f;
        Response response;
        if (used) {
            f.start(response);
            f.peer.respond(1, 200);
            f.settle();
        }
        const auto task = f.start(response);
        f.script->end();
        f.settle();
        CHECK(task->outcome() == "ConnectionLostError");
        CHECK(transport_error(*task).stale_connection == used);
        CHECK(f.connection->closed());
        CHECK(f.connection->free_slots() == 0);
    }
}

TEST_CASE("bytes that are no HTTP/2 are a ProtocolError for every request") {
    Fixture f;
    Response response;
    const auto task = f.start(response);
    f.script->send("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    f.loop.turn();
    CHECK(task->outcome() == "ProtocolError");
    CHECK(f.connection->closed());
}

TEST_CASE("HTTP/2 limits: headers, idle, write") {
    Fixture f({}, true);
    std::string body;
    std::string expected = "headers";
    std::shared_ptr<Loop::Task> task;
    SUBCASE("headers") {
        f.request.timeouts.headers = 20ms;
        task = f.loop.start(f.fetch(body));
    }
    SUBCASE("idle") {
        expected = "idle";
        f.request.timeouts.idle = 20ms;
        task = f.loop.start(f.fetch(body));
        f.settle();
        f.peer.respond(1, 200, {}, "part", false);
    }
    SUBCASE("write") {
        expected = "write";
        f.request.timeouts.write = 20ms;
        f.request.method = Method::post;
        f.request.body = std::string(200'000, 'u');
        task = f.loop.start(f.fetch(body));
    }
    SUBCASE("write of a source") {
        expected = "write";
        f.request.timeouts.write = 20ms;
        f.request.method = Method::post;
        f.request.body = std::make_shared<Upload>(*f.loop.waits, 200'000);
        task = f.loop.start(f.fetch(body));
    }
    f.settle();
    CHECK(f.loop.until([&] { return task->done; }));
    REQUIRE(task->outcome() == "TimeoutError");
    CHECK(transport_error(*task).what() ==
          test::message_of(std::make_exception_ptr(TimeoutError(expected == "headers" ? TimeoutPhase::headers
                                                                : expected == "idle"  ? TimeoutPhase::idle
                                                                                      : TimeoutPhase::write,
                                                                20ms))));
    f.settle();
    CHECK(f.peer.exchanges.at(1).reset == NGHTTP2_CANCEL);
    CHECK(f.connection->active() == 0);
    CHECK_FALSE(f.connection->closed());
}

TEST_CASE("after a limit in silence nothing new begins until the peer gives a sign of life") {
    Fixture f;
    f.request.timeouts.headers = 30ms;
    Response response;
    const auto task = f.loop.start(f.send(response));
    f.peer.receive(f.script->take());
    REQUIRE(f.loop.until([&] { return task->done; }));
    CHECK(task->outcome() == "TimeoutError");
    f.loop.turn();
    CHECK(f.connection->free_slots() == 0);
    CHECK_FALSE(f.connection->closed());
    f.settle();  // the peer acknowledges the PING
    CHECK(f.connection->free_slots() > 0);
    CHECK_FALSE(f.connection->closed());
}

TEST_CASE("a peer that gives no sign of life is given up, with all that waits for it") {
    Fixture f;
    f.connection->patience = 30ms;
    Response slow, quick;
    const auto other = f.start(slow);
    f.request.timeouts.headers = 30ms;
    const auto task = f.loop.start(f.send(quick));
    REQUIRE(f.loop.until([&] { return f.connection->closed(); }));
    CHECK(task->outcome() == "TimeoutError");
    CHECK(other->outcome() == "ConnectionLostError");
}

TEST_CASE("an upload that moves is not ended by the write limit") {
    Fixture f;
    f.request.method = Method::post;
    f.request.timeouts.write = 60ms;
    f.script->room = 0;
    SUBCASE("from memory") { f.request.body = std::string(600'000, 'x'); }
    SUBCASE("from a source") { f.request.body = std::make_shared<Upload>(*f.loop.waits, 600'000); }
    Response response;
    const auto task = f.start(response);
    const auto begin = Clock::now();
    while (!task->done && Clock::now() - begin < 5s) {
        f.loop.pass(20ms);
        f.script->allow(70'000);
        f.settle();
        const auto& seen = f.peer.exchanges;
        if (seen.contains(1) && seen.at(1).ended) break;
    }
    CHECK(Clock::now() - begin > 120ms);
    f.script->room = static_cast<std::size_t>(-1);
    f.peer.respond(1, 200);
    f.settle();
    CHECK(task->outcome() == "ok");
    CHECK(f.peer.exchanges.at(1).body.size() == 600'000);
}

TEST_CASE("interim answers neither renew the limit nor come without end") {
    Fixture f;
    f.request.timeouts.headers = 80ms;
    Response response;
    const auto patient = f.start(response);
    for (int i = 0; i < 8 && !patient->done; ++i) {
        f.peer.interim(1, 103);
        f.settle();
        f.loop.pass(20ms);
    }
    CHECK(patient->outcome() == "TimeoutError");
    f.request.timeouts.headers = 5s;
    const auto flooded = f.start(response);
    for (int i = 0; i < 30 && !flooded->done; ++i) {
        f.peer.interim(3, 103);
        f.settle();
    }
    CHECK(flooded->outcome() == "ProtocolError");
}

TEST_CASE("a place that a cancelled request leaves is told of as soon as the reset has left") {
    struct Observer final : ConnectionObserver {
        void on_change(Connection& connection) override { slots = connection.free_slots(); }
        std::size_t slots = 99;
    } observer;
    Fixture f({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}});
    Response response;
    const auto task = f.start(response);
    CHECK(f.connection->free_slots() == 0);
    f.connection->observer = &observer;
    task->cancel();
    f.loop.turn();
    CHECK(task->done);
    CHECK(observer.slots == 1);
    f.connection->observer = nullptr;
}

TEST_CASE("a body that has failed goes on failing") {
    Fixture f;
    Response response;
    const auto task = f.start(response);
    f.peer.respond(1, 200, {{"content-length", "10"}}, "half", false);
    f.settle();
    REQUIRE(task->outcome() == "ok");
    std::byte buffer[16];
    CHECK(response.body->try_read(buffer).bytes == 4);
    f.peer.reset(1, NGHTTP2_INTERNAL_ERROR);
    f.settle();
    CHECK(test::outcome([&] { response.body->try_read(buffer); }) == "TruncatedError");
    CHECK(test::outcome([&] { response.body->try_read(buffer); }) == "TruncatedError");
}

TEST_CASE("requests that never left are unprocessed when the connection ends") {
    Fixture f({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}});
    Response first, second;
    const auto sent = f.start(first);
    const auto queued = f.start(second);
    f.script->end();
    f.settle();
    CHECK(transport_error(*sent).maybe_processed);
    CHECK_FALSE(transport_error(*queued).maybe_processed);
}

TEST_CASE("cancelling a request resets its stream and leaves the connection to the others") {
    Fixture f({}, true);
    std::string body, other_body;
    const auto other = f.loop.start(f.fetch(other_body));
    f.settle();
    std::shared_ptr<Loop::Task> task;
    SUBCASE("before it was sent") { task = f.loop.start(f.fetch(body)); }
    SUBCASE("while it uploads") {
        f.request.method = Method::post;
        f.request.body = std::make_shared<Upload>(*f.loop.waits, 500'000);
        task = f.loop.start(f.fetch(body));
        f.settle();
    }
    SUBCASE("while its source is read") {
        auto source = std::make_shared<Upload>(*f.loop.waits, 500'000);
        source->stall = true;
        f.request.method = Method::post;
        f.request.body = source;
        task = f.loop.start(f.fetch(body));
        f.settle();
    }
    SUBCASE("while it waits for headers") {
        task = f.loop.start(f.fetch(body));
        f.settle();
    }
    SUBCASE("within the body") {
        task = f.loop.start(f.fetch(body));
        f.settle();
        f.peer.respond(3, 200, {}, "part", false);
        f.settle();
    }
    task->cancel();
    f.settle();
    CHECK(task->done);
    CHECK(task->outcome() != "ok");
    CHECK(f.connection->active() == 1);
    CHECK(f.peer.exchanges.at(3).reset == NGHTTP2_CANCEL);
    f.peer.respond(1, 200, {}, "other");
    f.settle();
    CHECK(other->outcome() == "ok");
    CHECK(other_body == "other");
    CHECK(f.connection->active() == 0);
}

TEST_CASE("dropping a body resets its stream") {
    Fixture f;
    Response response;
    f.start(response);
    f.peer.respond(1, 200, {}, "part", false);
    f.settle();
    CHECK(f.connection->active() == 1);
    response.body.reset();
    f.settle();
    CHECK(f.peer.exchanges.at(1).reset == NGHTTP2_CANCEL);
    CHECK(f.connection->active() == 0);
}

TEST_CASE("an early answer stops the upload and nothing of the request is touched after it") {
    Fixture f({}, true);
    Response response;
    auto request = std::make_unique<Request>(f.request);
    request->method = Method::post;
    std::shared_ptr<Upload> source;
    SUBCASE("from memory") { request->body = std::string(500'000, 'u'); }
    SUBCASE("from a source") {
        source = std::make_shared<Upload>(*f.loop.waits, 500'000);
        request->body = source;
    }
    const auto send = [&]() -> awaitable<void> { response = co_await f.connection->send(*request); };
    const auto task = f.loop.start(send());
    f.settle();
    f.peer.respond(1, 413, {}, "too ", false);
    f.settle();
    REQUIRE(task->outcome() == "ok");
    CHECK(response.status == 413);
    request.reset();
    const int reads = source ? source->reads : 0;
    CHECK(reads <= 2);  // what fits into the window, and what waits for more
    f.peer.open_windows();
    f.settle();
    f.peer.data(1, "large", true);
    f.settle();
    const std::string body = f.loop.run(read_all(response.body.get(), 1000));
    CHECK(body == "too large");
    if (source) CHECK(source->reads == reads);
    response.body.reset();
    f.settle();
    CHECK(f.connection->active() == 0);
    CHECK(f.peer.exchanges.at(1).body.size() == 65'535);
    CHECK(f.peer.exchanges.at(1).reset.has_value());
}

TEST_CASE("an upload of many windows arrives whole while answers are read") {
    Fixture f;
    std::string body;
    f.request.method = Method::put;
    f.request.body = std::make_shared<Upload>(*f.loop.waits, 3'000'000);
    const auto task = f.loop.start(f.fetch(body));
    f.settle();
    f.settle();
    for (int i = 0; i < 20 && !f.peer.exchanges.at(1).ended; ++i) f.settle();
    CHECK(f.peer.exchanges.at(1).body.size() == 3'000'000);
    f.peer.respond(1, 200, {}, "got it");
    f.settle();
    CHECK(task->outcome() == "ok");
    CHECK(body == "got it");
}

TEST_CASE("a peer that takes bytes slowly gets all of them") {
    Fixture f;
    f.script->room = 0;
    std::string body;
    f.request.method = Method::post;
    f.request.body = std::string(40'000, 'u');
    const auto task = f.loop.start(f.fetch(body));
    for (int i = 0; i < 100; ++i) {
        f.script->allow(1'000);
        f.settle();
    }
    CHECK(f.peer.exchanges.at(1).body.size() == 40'000);
    f.peer.respond(1, 200);
    f.settle();
    CHECK(task->outcome() == "ok");
}

TEST_CASE("bytes that are inside the stream already are read without waiting for more of them") {
    Fixture f;
    std::string body;
    const auto task = f.loop.start(f.fetch(body));
    f.settle();
    f.peer.respond(1, 200, {}, std::string(900'000, 'x'));
    const std::string bytes = f.peer.take();
    REQUIRE(bytes.size() > 900'000);
    // As with TLS: one arrival on the socket, many reads' worth behind it, and the socket is silent afterwards.
    f.script->hide_pieces = true;
    f.script->send(bytes);
    f.script->hide_pieces = false;
    f.script->send("");
    f.script->hide_pieces = true;
    f.loop.turn();
    CHECK(task->outcome() == "ok");
    CHECK(body.size() == 900'000);
}

TEST_CASE("closing fails what is under way and tells the peer") {
    Fixture f;
    Response response;
    const auto task = f.start(response);
    f.connection->close();
    f.peer.receive(f.script->take());
    f.loop.turn();
    CHECK(f.peer.goaway == NGHTTP2_NO_ERROR);
    CHECK(task->outcome() == "ConnectionLostError");
    CHECK(f.connection->active() == 0);
}

TEST_CASE("a body outlives its connection's owner") {
    Fixture f;
    Response response;
    f.start(response);
    f.peer.respond(1, 200, {}, "part", false);
    f.settle();
    std::weak_ptr<H2Connection> weak = f.connection;
    f.connection->close();
    f.connection =
        std::make_shared<H2Connection>(f.loop.waits, std::make_shared<Script>(f.loop.io.get_executor())->stream());
    CHECK_FALSE(weak.expired());
    CHECK(test::outcome([&] { f.loop.run(read_all(response.body.get(), 1000)); }) == "TruncatedError");
    response.body.reset();
    f.loop.turn();
    CHECK(weak.expired());
}
