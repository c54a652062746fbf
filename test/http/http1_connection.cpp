#include "http/http1_connection.hpp"

#include "support/footprint.hpp"
#include "support/loop.hpp"
#include "support/script_stream.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;
using test::Script;

namespace {

// A source whose pieces the test gives.
class PieceSource final : public BodySource {
  public:
    PieceSource(std::vector<std::string> pieces, std::optional<std::uint64_t> size)
        : pieces_(std::move(pieces)), size_(size) {}
    std::optional<std::uint64_t> size() const override { return size_; }
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        ++reads;
        if (next_ == pieces_.size()) co_return 0;
        const std::string& piece = pieces_[next_++];
        const std::size_t n = std::min(buffer.size(), piece.size());
        std::memcpy(buffer.data(), piece.data(), n);
        co_return n;
    }
    bool rewind() override {
        next_ = 0;
        return true;
    }
    int reads = 0;

  private:
    std::vector<std::string> pieces_;
    std::optional<std::uint64_t> size_;
    std::size_t next_ = 0;
};

struct Exchange {
    Response response;
    std::string body;
};

struct Fixture {
    Loop loop;
    std::shared_ptr<Script> script = std::make_shared<Script>(loop.io.get_executor());
    std::shared_ptr<Http1Connection> connection =
        std::make_shared<Http1Connection>(loop.waits, script->stream(), false, std::string());
    Request request;

    Fixture() {
        request.url = Url::parse("http://example.test/a?b=c");
        request.timeouts.headers = request.timeouts.idle = request.timeouts.write = 5s;
    }
    ~Fixture() {
        connection->close();
        loop.turn();
    }

    awaitable<void> send(Exchange& out) { out.response = co_await connection->send(request); }
    awaitable<void> send_and_read(Exchange& out) {
        out.response = co_await connection->send(request);
        out.body = co_await read_all(out.response.body.get(), 1 << 20);
        out.response.body.reset();
    }
};

// Takes a part of what it could take at once, or nothing more, as after the peer's close: what came before can be read.
class ReluctantStream final : public Stream {
  public:
    explicit ReluctantStream(std::unique_ptr<Stream> lower) : lower_(std::move(lower)) {}
    IoResult try_read(std::span<std::byte> buffer) override { return lower_->try_read(buffer); }
    IoResult try_write(std::span<const std::byte> bytes) override {
        if (refuses) throw ConnectionLostError("the connection was reset");
        return lower_->try_write(bytes.first(std::min<std::size_t>(bytes.size(), 1000)));
    }
    void async_wait(Direction direction, std::shared_ptr<Readiness> readiness) override {
        lower_->async_wait(direction, std::move(readiness));
    }
    void close() noexcept override { lower_->close(); }
    bool readable() noexcept override { return lower_->readable(); }
    bool refuses = false;

  private:
    std::unique_ptr<Stream> lower_;
};

struct ReluctantFixture : Fixture {
    ReluctantStream* stream;

    ReluctantFixture() {
        script = std::make_shared<Script>(loop.io.get_executor());
        auto made = std::make_unique<ReluctantStream>(script->stream());
        stream = made.get();
        connection = std::make_shared<Http1Connection>(loop.waits, std::move(made), false, std::string());
        request.method = Method::put;
        request.body = std::string(100'000, 'x');
    }
};

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("a request is written as RFC 9112 says") {
    Fixture f;
    Exchange out;
    f.request.headers.add("Accept", "*/*");
    f.request.headers.add("host", "other");
    f.request.headers.add("content-length", "99");
    f.request.headers.add("transfer-encoding", "chunked");
    SUBCASE("GET has no body") {
        f.loop.start(f.send(out));
        CHECK(f.script->written == "GET /a?b=c HTTP/1.1\r\nhost: example.test\r\naccept: */*\r\n\r\n");
    }
    SUBCASE("POST without a body says so") {
        f.request.method = Method::post;
        f.loop.start(f.send(out));
        CHECK(f.script->written.ends_with("\r\ncontent-length: 0\r\n\r\n"));
    }
    SUBCASE("a small body leaves with the head, in one write") {
        f.request.method = Method::post;
        f.request.body = std::string("{}");
        f.loop.start(f.send(out));
        CHECK(f.script->written.ends_with("content-length: 2\r\n\r\n{}"));
        CHECK(f.script->writes == 1);
    }
    SUBCASE("a source of unknown length is chunked") {
        f.request.method = Method::put;
        f.request.body =
            std::make_shared<PieceSource>(std::vector<std::string>{"hello", std::string(17, 'x')}, std::nullopt);
        f.loop.start(f.send(out));
        CHECK(f.script->written.ends_with("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n11\r\n" +
                                          std::string(17, 'x') + "\r\n0\r\n\r\n"));
    }
    SUBCASE("a source of known length is not") {
        f.request.method = Method::put;
        f.request.body = std::make_shared<PieceSource>(std::vector<std::string>{"hel", "lo"}, 5);
        f.loop.start(f.send(out));
        CHECK(f.script->written.ends_with("content-length: 5\r\n\r\nhello"));
    }
    SUBCASE("a proxy that forwards gets the whole URL and its password") {
        f.script = std::make_shared<Script>(f.loop.io.get_executor());
        f.connection = std::make_shared<Http1Connection>(f.loop.waits, f.script->stream(), true, "Basic eA==");
        f.loop.start(f.send(out));
        CHECK(f.script->written.starts_with(
            "GET http://example.test/a?b=c HTTP/1.1\r\nhost: example.test\r\nproxy-authorization: Basic eA==\r\n"));
    }
}

TEST_CASE("a connection is kept and serves one request after the other") {
    Fixture f;
    for (int i = 0; i < 3; ++i) {
        Exchange out;
        const auto task = f.loop.start(f.send_and_read(out));
        CHECK(f.connection->active() == 1);
        CHECK(f.connection->free_slots() == 0);
        f.script->send(ok);
        f.loop.turn();
        CHECK(task->outcome() == "ok");
        CHECK(out.body == "ok");
        CHECK(f.connection->free_slots() == 1);
        CHECK(f.connection->alive());
        CHECK(f.connection->used);
    }
}

TEST_CASE("an answer may come in any two pieces") {
    const std::string answers[] = {std::string(ok),
                                   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
                                   "HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + std::string(ok)};
    for (const std::string& answer : answers) {
        for (std::size_t cut = 1; cut < answer.size(); ++cut) {
            CAPTURE(cut);
            Fixture f;
            Exchange out;
            const auto task = f.loop.start(f.send_and_read(out));
            f.script->send(std::string_view(answer).substr(0, cut));
            f.loop.turn();
            CHECK_FALSE(task->done);
            f.script->send(std::string_view(answer).substr(cut));
            f.loop.turn();
            REQUIRE(task->outcome() == "ok");
            REQUIRE(out.body == "ok");
            REQUIRE(f.connection->free_slots() == 1);
        }
    }
}

TEST_CASE("a connection closes after an answer that ends it") {
    const std::pair<const char*, const char*> cases[] = {
        {"Connection: close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"},
        {"more bytes than the answer has", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"},
    };
    for (const auto& [name, answer] : cases) {
        CAPTURE(name);
        Fixture f;
        Exchange out;
        const auto task = f.loop.start(f.send_and_read(out));
        f.script->send(answer);
        f.loop.turn();
        CHECK(task->outcome() == "ok");
        CHECK(out.body == "ok");
        CHECK(f.connection->closed());
        CHECK(f.script->closed);
    }
}

TEST_CASE("a kept connection is used as long as the server keeps it, less a second") {
    struct Case {
        const char* field;
        bool kept, usable;
    };
    const Case cases[] = {
        {"keep-alive: timeout=5, max=100\r\n", true, true},
        {"Keep-Alive: max=3,  Timeout=2\r\n", true, true},
        {"keep-alive: timeout=1\r\n", false, false},
        {"keep-alive: timeout=0\r\n", false, false},
        {"keep-alive: max=3, \ttimeout=1\r\n", false, false},
        {"keep-alive: timeout=x\r\n", true, true},
        {"keep-alive: timeout=\r\n", true, true},
        {"keep-alive: 4294967296\r\n", true, true},
        {"", true, true},
    };
    for (const Case& one : cases) {
        CAPTURE(one.field);
        Fixture f;
        Exchange out;
        const auto task = f.loop.start(f.send_and_read(out));
        f.script->send("HTTP/1.1 200 OK\r\n" + std::string(one.field) + "content-length: 2\r\n\r\nok");
        f.loop.turn();
        CHECK(task->outcome() == "ok");
        CHECK(f.connection->closed() == !one.kept);
        CHECK(f.connection->alive() == one.usable);
    }
    Fixture f, renewed;
    for (Fixture* one : {&f, &renewed}) {
        Exchange out;
        one->loop.start(one->send_and_read(out));
        one->script->send("HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\nok");
        one->loop.turn();
    }
    Exchange out;
    renewed.loop.start(renewed.send_and_read(out));
    renewed.script->send(ok);  // the last answer counts
    renewed.loop.turn();
    f.loop.pass(1100ms);
    CHECK_FALSE(f.connection->closed());
    CHECK_FALSE(f.connection->alive());
    CHECK(renewed.connection->alive());
}

TEST_CASE("an idle connection holds no buffer" * doctest::skip(!test::memory_tells)) {
    constexpr std::size_t count = 64;
    Loop loop;
    Request request;
    request.url = Url::parse("http://example.test/");
    std::vector<std::shared_ptr<Script>> scripts;
    std::vector<std::shared_ptr<Http1Connection>> connections;
    const auto exchange = [&](std::size_t i) -> awaitable<void> {
        const Response response = co_await connections[i]->send(request);
        CHECK(response.status == 204);
    };
    for (std::size_t i = 0; i < count; ++i) {
        scripts.push_back(std::make_shared<Script>(loop.io.get_executor()));
        connections.push_back(
            std::make_shared<Http1Connection>(loop.waits, scripts[i]->stream(), false, std::string()));
    }
    const long before = test::memory().in_use;
    for (std::size_t i = 0; i < count; ++i) {
        scripts[i]->send("HTTP/1.1 204 No Content\r\n\r\n");
        loop.run(exchange(i));
    }
    CHECK(test::memory().in_use - before < static_cast<long>(count * 4096));
    for (const auto& connection : connections) {
        CHECK(connection->alive());
        connection->close();
    }
    loop.turn();
}

TEST_CASE("bytes that follow a body of known length are not read as its own, and end the connection") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
    f.loop.turn();
    f.script->send("body and more");
    f.loop.turn();
    CHECK(task->outcome() == "ok");
    CHECK(out.body == "body");
    CHECK(f.connection->closed());
}

TEST_CASE("what a proxy that forwards answers for itself is its error") {
    Fixture f;
    Exchange out;
    const std::string answer = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno";
    SUBCASE("an origin that sends 407 has answered") {
        const auto task = f.loop.start(f.send_and_read(out));
        f.script->send(answer);
        f.loop.turn();
        CHECK(task->outcome() == "ok");
        CHECK(out.response.status == 407);
    }
    SUBCASE("a proxy") {
        f.script = std::make_shared<Script>(f.loop.io.get_executor());
        f.connection = std::make_shared<Http1Connection>(f.loop.waits, f.script->stream(), true, "");
        const auto task = f.loop.start(f.send_and_read(out));
        f.script->send(answer);
        f.loop.turn();
        REQUIRE(task->outcome() == "ProxyError");
        try {
            std::rethrow_exception(task->error);
        } catch (const ProxyError& error) {
            CHECK(error.status == 407);
            CHECK(error.permanent);
            CHECK(std::string(error.what()).find("user and password") != std::string::npos);
        }
        CHECK(f.connection->closed());
    }
}

TEST_CASE("a body that broke off never ends well, however often it is asked") {
    for (const bool silent : {false, true}) {
        Fixture f;
        Exchange out;
        f.request.timeouts.idle = 20ms;
        f.loop.start(f.send(out));
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc");
        if (!silent) f.script->end();
        f.loop.turn();
        REQUIRE(out.response.body);
        for (int i = 0; i < 3; ++i) {
            const auto read = [&] { f.loop.run(read_all(out.response.body.get(), 1 << 20)); };
            CHECK(test::outcome(read) == (silent ? "TimeoutError" : "TruncatedError"));
            CHECK_FALSE(out.response.body->remaining().has_value());
        }
        CHECK(f.connection->closed());
    }
}

TEST_CASE("a body without framing ends with the connection") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 200 OK\r\n\r\nall ");
    f.script->send("of it");
    f.loop.turn();
    CHECK_FALSE(task->done);
    f.script->end();
    f.loop.turn();
    CHECK(task->outcome() == "ok");
    CHECK(out.body == "all of it");
    CHECK(f.connection->closed());
}

TEST_CASE("an answer cut at any byte is an error, and a stale connection is told from a broken one") {
    const std::string answer(ok);
    for (std::size_t got = 0; got < answer.size(); ++got) {
        for (const bool second : {false, true}) {
            CAPTURE(got);
            CAPTURE(second);
            Fixture f;
            Exchange out;
            if (second) {
                const auto first = f.loop.start(f.send_and_read(out));
                f.script->send(ok);
                f.loop.turn();
                REQUIRE(first->outcome() == "ok");
            }
            const auto task = f.loop.start(f.send_and_read(out));
            if (got > 0) f.script->send(answer.substr(0, got));
            f.script->end();
            f.loop.turn();
            const bool in_body = got >= answer.size() - 2;
            REQUIRE(task->outcome() == (in_body ? "TruncatedError" : "ConnectionLostError"));
            CHECK(f.connection->closed());
            try {
                std::rethrow_exception(task->error);
            } catch (const ConnectionLostError& error) {
                CHECK(error.stale_connection == (second && got == 0));
            }
        }
    }
}

TEST_CASE("a reset before the answer of a kept connection is stale too") {
    Fixture f;
    Exchange out;
    f.loop.start(f.send_and_read(out));
    f.script->send(ok);
    f.loop.turn();
    f.script->reset();
    const auto task = f.loop.start(f.send_and_read(out));
    CHECK(task->outcome() == "ConnectionLostError");
    try {
        std::rethrow_exception(task->error);
    } catch (const ConnectionLostError& error) {
        CHECK(error.stale_connection);
    }
}

TEST_CASE("an idle connection that the peer ends or speaks on is closed") {
    for (const bool speaks : {false, true}) {
        Fixture f;
        Exchange out;
        f.loop.start(f.send_and_read(out));
        f.script->send(ok);
        f.loop.turn();
        CHECK(f.connection->alive());
        if (speaks) f.script->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
        if (!speaks) f.script->end();
        CHECK_FALSE(f.connection->alive());
        f.loop.turn();
        CHECK(f.connection->closed());
    }
}

TEST_CASE("limits: headers, body, writing, the whole call") {
    Fixture f;
    Exchange out;
    std::string expected = "headers";
    std::shared_ptr<Loop::Task> task;
    SUBCASE("headers") {
        f.request.timeouts.headers = 20ms;
        task = f.loop.start(f.send_and_read(out));
    }
    SUBCASE("part of the headers is not enough") {
        f.request.timeouts.headers = 20ms;
        task = f.loop.start(f.send_and_read(out));
        f.script->send("HTTP/1.1 200 OK\r\n");
    }
    SUBCASE("idle") {
        expected = "idle";
        f.request.timeouts.idle = 20ms;
        task = f.loop.start(f.send_and_read(out));
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
    }
    SUBCASE("write") {
        expected = "write";
        f.request.timeouts.write = 20ms;
        f.script->room = 5;
        task = f.loop.start(f.send_and_read(out));
    }
    SUBCASE("deadline") {
        expected = "deadline";
        f.request.deadline = Clock::now() + 20ms;
        task = f.loop.start(f.send_and_read(out));
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
    }
    SUBCASE("deadline before the headers") {
        expected = "deadline";
        f.request.deadline = Clock::now() + 20ms;
        task = f.loop.start(f.send_and_read(out));
    }
    SUBCASE("deadline while the peer takes nothing") {
        expected = "deadline";
        f.request.deadline = Clock::now() + 20ms;
        f.script->room = 5;
        task = f.loop.start(f.send_and_read(out));
    }
    CHECK(f.loop.until([&] { return task->done; }));
    REQUIRE(task->outcome() == "TimeoutError");
    try {
        std::rethrow_exception(task->error);
    } catch (const TimeoutError& error) {
        CHECK(to_string(error.phase) == expected);
        CHECK_FALSE(error.stale_connection);
    }
    out.response.body.reset();
    CHECK(f.connection->closed());
    CHECK(f.script->closed);
    CHECK(f.connection->active() == 0);
}

TEST_CASE("each byte that arrives starts the idle limit anew") {
    Fixture f;
    Exchange out;
    f.request.timeouts.idle = 60ms;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n");
    for (int i = 0; i < 6; ++i) {
        f.loop.pass(20ms);
        f.script->send("x");
    }
    CHECK(f.loop.until([&] { return task->done; }));
    CHECK(task->outcome() == "ok");
    CHECK(out.body == "xxxxxx");
}

TEST_CASE("cancelling closes the connection, while sending, waiting and reading") {
    for (const int phase : {0, 1, 2}) {
        CAPTURE(phase);
        Fixture f;
        Exchange out;
        if (phase == 0) f.script->room = 5;
        const auto task = f.loop.start(f.send_and_read(out));
        if (phase == 2) f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
        f.loop.turn();
        task->cancel();
        f.loop.turn();
        CHECK(task->outcome() == "CancelledError");
        out.response.body.reset();
        CHECK(f.connection->closed());
        CHECK(f.connection->active() == 0);
    }
}

TEST_CASE("an answer during the upload stops the body and closes the connection") {
    Fixture f;
    Exchange out;
    const auto source = std::make_shared<PieceSource>(std::vector<std::string>(100, std::string(1000, 'x')), 100'000);
    f.request.method = Method::put;
    f.request.body = source;
    f.script->room = 3000;
    SUBCASE("while bytes still pass") {
        f.script->on_write = [&] {
            if (f.script->written.size() == 3000) {
                f.script->send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
                f.script->room = 10;
            }
        };
    }
    SUBCASE("while the peer takes nothing") {}
    const auto task = f.loop.start(f.send_and_read(out));
    if (!task->done) {
        f.script->send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
        f.loop.turn();
    }
    CHECK(f.loop.until([&] { return task->done; }, 1s));
    CHECK(task->outcome() == "ok");
    CHECK(out.response.status == 413);
    CHECK(out.body == "no");
    CHECK(source->reads < 10);
    CHECK(f.connection->closed());
}

TEST_CASE("an answer stops the body though the peer would take all of it") {
    ReluctantFixture f;
    Exchange out;
    f.script->on_write = [&] {
        if (f.script->writes == 3) f.script->send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
    };
    const auto task = f.loop.start(f.send_and_read(out));
    CHECK(f.loop.until([&] { return task->done; }, 1s));
    CHECK(task->outcome() == "ok");
    CHECK(out.response.status == 413);
    CHECK(f.script->written.size() < 10'000);
    CHECK(f.connection->closed());
}

TEST_CASE("a server that answers and closes during the upload has answered") {
    ReluctantFixture f;
    Exchange out;
    f.script->room = 3000;
    const auto task = f.loop.start(f.send_and_read(out));
    CHECK_FALSE(task->done);
    f.stream->refuses = true;
    SUBCASE("with an answer") {
        f.script->send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
        f.script->allow(1000);
        CHECK(f.loop.until([&] { return task->done; }, 1s));
        CHECK(task->outcome() == "ok");
        CHECK(out.response.status == 413);
        CHECK(out.body == "no");
    }
    SUBCASE("without") {
        f.script->allow(1000);
        CHECK(f.loop.until([&] { return task->done; }, 1s));
        CHECK(task->outcome() == "ConnectionLostError");
    }
    CHECK(f.connection->closed());
}

TEST_CASE("a peer that ends or resets its side during the upload ends the request, whatever the limits") {
    Fixture f;
    Exchange out;
    f.request.method = Method::put;
    f.request.body = std::string(100'000, 'x');
    f.request.timeouts.write = 0ms;
    f.script->room = 3000;
    SUBCASE("half-closed before the upload") { f.script->end(); }
    SUBCASE("half-closed after a part of the head") {
        f.script->send("HTTP/1.1 200 OK\r\n");
        f.script->end();
    }
    SUBCASE("half-closed or reset later") {}
    const auto task = f.loop.submit(f.send_and_read(out));
    f.loop.pass(5ms);
    if (!task->done) f.script->end();
    REQUIRE(f.loop.until([&] { return task->done; }, 2s));
    CHECK(task->outcome() == "ConnectionLostError");
    CHECK(f.connection->closed());
}

TEST_CASE("only bytes that the peer takes start the write limit anew") {
    Fixture f;
    Exchange out;
    f.request.method = Method::put;
    f.request.body = std::string(100'000, 'x');
    f.request.timeouts.write = 60ms;
    f.script->room = 3000;
    const auto task = f.loop.start(f.send_and_read(out));
    for (int i = 0; i < 6; ++i) {
        f.loop.pass(20ms);
        f.script->allow(10);
    }
    CHECK_FALSE(task->done);
    f.script->send("HTTP/1.1 200 OK\r\nx: ");
    for (int i = 0; i < 10; ++i) {
        f.loop.pass(20ms);
        f.script->send("y");
    }
    CHECK(task->outcome() == "TimeoutError");
}

TEST_CASE("an interim answer during the upload does not stop the body") {
    Fixture f;
    Exchange out;
    f.request.method = Method::put;
    f.request.body = std::make_shared<PieceSource>(std::vector<std::string>(5, std::string(1000, 'x')), 5000);
    f.script->room = 1500;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 100 Continue\r\n\r\n");
    f.loop.turn();
    f.script->allow(700);
    f.loop.turn();
    f.script->allow(100'000);
    f.loop.turn();
    CHECK(f.script->written.ends_with("\r\n\r\n" + std::string(5000, 'x')));
    f.script->send(ok);
    f.loop.turn();
    CHECK(task->outcome() == "ok");
    CHECK(out.response.status == 200);
    CHECK(f.connection->free_slots() == 1);
}

TEST_CASE("leaving a body early reads what is there, else closes") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send(out));
    SUBCASE("the rest has arrived") {
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        f.script->send(std::string(1000, 'x'));
        f.loop.turn();
        CHECK(task->outcome() == "ok");
        out.response.body.reset();
        CHECK_FALSE(f.connection->closed());
        CHECK(f.connection->free_slots() == 1);
    }
    SUBCASE("the rest has not arrived") {
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        f.loop.turn();
        CHECK(f.connection->active() == 1);
        out.response.body.reset();
        CHECK(f.connection->closed());
    }
    SUBCASE("the rest is large") {
        f.script->send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        f.script->send(std::string(1000000, 'x'));
        f.loop.turn();
        out.response.body.reset();
        CHECK(f.connection->closed());
    }
}

TEST_CASE("a reader with a small buffer gets every byte of a chunked body") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send(out));
    f.script->send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    std::string expected;
    for (int i = 0; i < 50; ++i) {
        const std::string chunk(static_cast<std::size_t>(i) * 37 + 1, static_cast<char>('a' + i % 26));
        expected += chunk;
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
        f.script->send(size + chunk + "\r\n");
    }
    f.script->send("0\r\n\r\n");
    f.loop.turn();
    REQUIRE(task->outcome() == "ok");
    std::string got;
    const auto read = [&]() -> awaitable<void> {
        std::array<std::byte, 3> buffer;
        for (;;) {
            const std::size_t n = co_await read_some(out.response.body.get(), buffer);
            if (n == 0) co_return;
            got.append(reinterpret_cast<const char*>(buffer.data()), n);
        }
    };
    f.loop.run(read());
    CHECK(got == expected);
    CHECK(f.connection->free_slots() == 1);
}

TEST_CASE("a chunk header without end is refused, not stored") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;");
    for (int i = 0; i < 40 && !task->done; ++i) {
        f.script->send(std::string(10'000, 'e'));
        f.loop.turn();
    }
    CHECK(task->outcome() == "ProtocolError");
}

TEST_CASE("a head without end is refused, not stored") {
    Fixture f;
    Exchange out;
    const auto task = f.loop.start(f.send_and_read(out));
    f.script->send("HTTP/1.1 200 OK\r\nx: ");
    for (int i = 0; i < 40 && !task->done; ++i) {
        f.script->send(std::string(10'000, 'e'));
        f.loop.turn();
    }
    CHECK(task->outcome() == "ProtocolError");
    CHECK(f.connection->closed());
}
