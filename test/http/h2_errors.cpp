#include "http/decode.hpp"
#include "http/h2_connection.hpp"
#include "support/h2_frames.hpp"
#include "support/loop.hpp"
#include "support/script_stream.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <zlib.h>

#include <functional>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;
using test::Script;

namespace {

constexpr auto frame = test::h2_frame;
constexpr auto field = test::h2_field;
constexpr int end_stream = 1, end_headers = 4, padded = 8;
const std::string ok = "\x88";  // :status 200 of the static table

// A connection whose peer is the test, frame by frame.
struct Fixture {
    Fixture() {
        request.url = Url::parse("https://example.test/");
        request.timeouts.headers = request.timeouts.idle = request.timeouts.write = 5s;
        connection->start();
        in(frame(NGHTTP2_SETTINGS, 0, 0, {}) + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, {}));
    }
    ~Fixture() {
        connection->close();
        loop.turn();
    }
    void in(std::string_view bytes) {
        loop.turn();
        script->send(bytes);
        loop.turn();
    }
    // How many frames of that type the client has sent since the last call.
    std::size_t sent(int type) {
        std::size_t count = 0;
        loop.turn();
        for (const auto& one : test::h2_frames(script->take())) {
            count += one.type == type ? 1 : 0;
            if (one.type == type) last = one;
        }
        return count;
    }
    std::shared_ptr<Loop::Task> fetch(std::string& body) {
        const auto work = [this, &body]() -> awaitable<void> {
            Response response = co_await connection->send(request);
            body = co_await read_all(response.body.get(), 64 << 20);
        };
        works.push_back(std::make_unique<std::function<awaitable<void>()>>(work));
        auto task = loop.start((*works.back())());
        loop.turn();
        return task;
    }

    Loop loop;
    std::vector<std::unique_ptr<std::function<awaitable<void>()>>> works;  // coroutines look into their lambda
    std::shared_ptr<Script> script = std::make_shared<Script>(loop.io.get_executor());
    std::shared_ptr<H2Connection> connection = std::make_shared<H2Connection>(loop.waits, script->stream());
    Request request;
    test::H2Frame last;
};

}  // namespace

TEST_CASE("an answer that breaks HTTP/2 is an error of its request; the other one is answered") {
    struct Case {
        std::string name;
        std::string frames;
        std::string error = "ProtocolError";
    };
    const std::string open = frame(NGHTTP2_HEADERS, end_headers, 1, ok);
    const Case cases[] = {
        {"in the headers", frame(NGHTTP2_HEADERS, end_headers, 1, ok + field("connection", "close"))},
        {"headers beyond the limit",
         [] {
             std::string fields = ok;
             for (int i = 0; i < 257; ++i) fields += field("a", "b");
             return frame(NGHTTP2_HEADERS, end_headers, 1, fields);
         }()},
        {"in the body",
         frame(NGHTTP2_HEADERS, end_headers, 1, ok + field("content-length", "2")) + frame(NGHTTP2_DATA, 0, 1, "four"),
         "TruncatedError"},
        {"in the trailers", open + frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, ok)},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        Fixture f;
        std::string body, other_body;
        const auto task = f.fetch(body), other = f.fetch(other_body);
        f.in(one.frames);
        CHECK(task->outcome() == one.error);
        CHECK_FALSE(f.connection->closed());
        f.in(frame(NGHTTP2_HEADERS, end_headers, 3, ok) + frame(NGHTTP2_DATA, end_stream, 3, "fine"));
        CHECK(other->outcome() == "ok");
        CHECK(other_body == "fine");
        CHECK(f.connection->free_slots() > 0);
        CHECK(f.connection->active() == 0);
    }
}

TEST_CASE("what breaks the connection's rules is a ProtocolError of all requests, which no reuse of it excuses") {
    Fixture f;
    std::string first, body, other_body;
    const auto served = f.fetch(first);
    f.in(frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, ok));
    REQUIRE(served->outcome() == "ok");
    const auto task = f.fetch(body), other = f.fetch(other_body);
    f.script->take();
    std::string expected;
    SUBCASE("a frame on the wrong stream") {
        f.in(frame(NGHTTP2_DATA, 0, 0, "x"));
        expected = "DATA: stream_id == 0";
    }
    SUBCASE("a flood") {
        std::string flood;
        for (int i = 0; i < 900; ++i) flood += frame(NGHTTP2_PRIORITY, 0, 3, test::h2_number(0) + "x");
        f.in(flood);
        expected = "it floods the connection";
    }
    for (const auto& one : {task, other}) {
        REQUIRE(one->outcome() == "ProtocolError");
        CAPTURE(test::message_of(one->error));
        CHECK(test::message_of(one->error).find(expected) != std::string::npos);
        try {
            std::rethrow_exception(one->error);
        } catch (const TransportError& error) {
            CHECK(error.maybe_processed);
            CHECK_FALSE(error.stale_connection);
        }
    }
    CHECK(f.connection->closed());
    CHECK(f.sent(NGHTTP2_GOAWAY) == 1);
    CHECK(f.script->closed);
}

TEST_CASE("what the server said before it closed is heard, although writing failed first") {
    Fixture f;
    std::string first, second, third;
    const auto answered = f.fetch(first), cut = f.fetch(second);
    f.script->hide_pieces = true;
    f.script->send(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    f.script->send(frame(NGHTTP2_DATA, end_stream, 1, "answer"));
    f.script->send(frame(NGHTTP2_GOAWAY, 0, 0, test::h2_number(3) + test::h2_number(0)));
    f.script->on_write = [] { throw ConnectionLostError("broken pipe"); };
    const auto late = f.fetch(third);
    CHECK(answered->outcome() == "ok");
    CHECK(first == "answer");
    CHECK(f.connection->closed());
    for (const auto& one : {cut, late}) {
        CAPTURE(test::message_of(one->error));
        REQUIRE(one->outcome() == "ConnectionLostError");
        try {
            std::rethrow_exception(one->error);
        } catch (const TransportError& error) {
            CHECK(error.maybe_processed == (one == cut));
            CHECK(error.stale_connection);
        }
    }
    f.script->on_write = {};
}

TEST_CASE("a request whose headers are too large to be sent says so, and the connection goes on") {
    for (const std::size_t size : {65'000UL, 65'500UL, 100'000UL}) {
        CAPTURE(size);
        Fixture f;
        std::string body, other_body;
        f.request.headers.add("x-large", std::string(size, '~'));
        const auto task = f.fetch(body);
        if (size == 65'000) {
            CHECK_FALSE(task->done);
            CHECK(f.sent(NGHTTP2_CONTINUATION) >= 3);
            continue;
        }
        REQUIRE(task->outcome() == "ProtocolError");
        CHECK(test::message_of(task->error).find("64 KiB") != std::string::npos);
        f.request.headers.clear();
        const auto other = f.fetch(other_body);
        f.in(frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, ok));
        CHECK(other->outcome() == "ok");
    }
}

TEST_CASE("who is sent away in peace or for HTTP/1.1 comes back at once, who is for an error does not") {
    struct Case {
        std::uint32_t code;
        bool at_once;
    };
    for (const Case one : {Case{NGHTTP2_NO_ERROR, true}, Case{NGHTTP2_HTTP_1_1_REQUIRED, true},
                           Case{NGHTTP2_ENHANCE_YOUR_CALM, false}, Case{NGHTTP2_INTERNAL_ERROR, false}}) {
        CAPTURE(one.code);
        Fixture f;
        std::string first, body;
        f.fetch(first);
        f.in(frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, ok));
        const auto task = f.fetch(body);
        f.in(frame(NGHTTP2_GOAWAY, 0, 0, test::h2_number(1) + test::h2_number(one.code)));
        REQUIRE(task->outcome() == "ConnectionLostError");
        try {
            std::rethrow_exception(task->error);
        } catch (const TransportError& error) {
            CHECK_FALSE(error.maybe_processed);
            CHECK(error.stale_connection == one.at_once);
        }
        CHECK(f.connection->closed());
    }
}

TEST_CASE("errors repeat no field of the answer, which may be a secret") {
    Fixture f;
    std::string bodies[3];
    const auto control = f.fetch(bodies[0]), upper = f.fetch(bodies[1]), other = f.fetch(bodies[2]);
    f.in(frame(NGHTTP2_HEADERS, end_headers, 1, ok + field("x-echo\x01", "canary")));
    f.in(frame(NGHTTP2_HEADERS, end_headers, 3, ok + field("X-Canary", "canary")));
    f.in(frame(NGHTTP2_DATA, 0, 0, "x"));
    for (const auto& one : {control, upper, other}) {
        REQUIRE(one->outcome() == "ProtocolError");
        CHECK(test::message_of(one->error).find("anary") == std::string::npos);
    }
    CHECK(test::message_of(other->error).find("DATA") != std::string::npos);
}

TEST_CASE("frames that bring no byte of the body do not renew the limit for its silence") {
    std::string bytes;
    SUBCASE("empty DATA") { bytes = frame(NGHTTP2_DATA, 0, 1, {}); }
    SUBCASE("DATA that is padding") { bytes = frame(NGHTTP2_DATA, padded, 1, std::string("\x02\0\0", 3)); }
    SUBCASE("PING") { bytes = frame(NGHTTP2_PING, 0, 0, "12345678"); }
    Fixture f;
    f.request.timeouts.idle = 100ms;
    std::string body;
    const auto task = f.fetch(body);
    f.in(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    const auto begin = Clock::now();
    while (!task->done && Clock::now() - begin < 1s) {
        f.in(bytes);
        f.loop.pass(20ms);
    }
    CHECK(task->outcome() == "TimeoutError");
    CHECK(Clock::now() - begin < 500ms);
}

TEST_CASE("a connection in doubt again soon after a PING sends no other; it serves nobody new and ends with its last") {
    Fixture f;
    f.request.timeouts.headers = 5s;
    std::string long_body, body;
    const auto other = f.fetch(long_body);
    f.sent(NGHTTP2_PING);
    f.request.timeouts.headers = 30ms;
    std::size_t pings = 0;
    for (int i = 0; i < 3; ++i) {
        const auto task = f.fetch(body);
        REQUIRE(f.loop.until([&] { return task->done; }));
        pings += f.sent(NGHTTP2_PING);
        f.in(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, std::string(8, '\0')));
        CHECK((f.connection->free_slots() > 0) == (i == 0));
        if (f.connection->free_slots() == 0) break;
    }
    CHECK(pings == 1);
    CHECK_FALSE(f.connection->closed());
    f.in(frame(NGHTTP2_HEADERS, end_headers | end_stream, 1, ok));
    CHECK(other->outcome() == "ok");
    CHECK(f.connection->closed());
}

TEST_CASE("several limits that pass in the same silence are one doubt") {
    Fixture f;
    f.request.timeouts.headers = 30ms;
    std::string body, other_body;
    const auto task = f.fetch(body), other = f.fetch(other_body);
    f.sent(NGHTTP2_PING);
    REQUIRE(f.loop.until([&] { return task->done && other->done; }));
    CHECK(f.connection->free_slots() == 0);
    CHECK(f.sent(NGHTTP2_PING) == 1);
    f.in(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, std::string(8, '\0')));
    CHECK(f.connection->free_slots() > 0);
}

TEST_CASE("after its time a connection in doubt sends another PING") {
    Fixture f;
    f.connection->ping_interval = 20ms;
    f.request.timeouts.headers = 30ms;
    std::string body;
    std::size_t pings = 0;
    for (int i = 0; i < 3; ++i) {
        const auto task = f.fetch(body);
        REQUIRE(f.loop.until([&] { return task->done; }));
        pings += f.sent(NGHTTP2_PING);
        f.in(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, std::string(8, '\0')));
        CHECK(f.connection->free_slots() > 0);
    }
    CHECK(pings == 3);
}

TEST_CASE("requests whose limit passes while the peer sends to others ask for no sign of life") {
    Fixture f;
    f.request.timeouts.headers = 60ms;
    std::string long_body, body;
    const auto other = f.fetch(long_body);
    f.in(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    f.sent(NGHTTP2_PING);
    const auto task = f.fetch(body);
    const auto begin = Clock::now();
    while (!task->done && Clock::now() - begin < 5s) {
        f.in(frame(NGHTTP2_DATA, 0, 1, "x"));
        f.loop.pass(2ms);
    }
    CHECK(task->outcome() == "TimeoutError");
    CHECK(f.sent(NGHTTP2_PING) == 0);
    CHECK(f.connection->free_slots() > 0);
    CHECK_FALSE(other->done);
}

TEST_CASE("an answer that grows out of proportion is ended, and the connection goes on") {
    std::string zeros(4 << 20, '\0'), packed(1 << 20, '\0');
    uLongf size = packed.size();
    REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(zeros.data()),
                     zeros.size()) == Z_OK);
    packed.resize(size);
    Fixture f;
    const auto read = [&]() -> awaitable<void> {
        Response response = co_await f.connection->send(f.request);
        response.body = decode_body(std::move(response.body), "deflate", DecodeLimits{.ratio = 50, .free_bytes = 1000});
        co_await read_all(response.body.get(), 64 << 20);
    };
    const auto task = f.loop.start(read());
    f.in(frame(NGHTTP2_HEADERS, end_headers, 1, ok) + frame(NGHTTP2_DATA, 0, 1, packed));
    CHECK(task->outcome() == "ProtocolError");
    CHECK(f.sent(NGHTTP2_RST_STREAM) == 1);
    CHECK(f.connection->active() == 0);
    CHECK(f.connection->free_slots() > 0);
}
