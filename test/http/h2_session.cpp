#include "http/h2_session.hpp"

#include "support/h2_peer.hpp"
#include "support/loop.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

using namespace hfhub;
using namespace hfhub::http;
using test::H2Peer;

namespace {

struct TestStream final : H2Stream {
    void on_news() override { ++news; }
    std::string take() {
        std::string out(received.size(), '\0');
        received.take(std::as_writable_bytes(std::span(out)));
        return out;
    }
    int news = 0;
};

// A client's session and a server's, joined by memory.
struct Pair {
    explicit Pair(const H2Peer::Settings& settings = {}, bool hold_windows = false) : peer(settings, hold_windows) {
        request.url = Url::parse("https://example.test/a?b=c");
    }

    // Client to server.
    void out() {
        std::vector<std::byte> bytes;
        do {
            bytes.clear();
            client.produce(bytes, 64 * 1024);
            peer.receive({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        } while (!bytes.empty());
    }
    // Server to client.
    void in() {
        const std::string bytes = peer.take();
        client.receive(std::as_bytes(std::span(bytes)));
        client.deliver();
    }
    void settle() {
        for (int i = 0; i < 50; ++i) {
            out();
            in();
        }
    }
    std::unique_ptr<TestStream> open(std::string_view body = {}) {
        auto stream = std::make_unique<TestStream>();
        stream->outgoing = std::as_bytes(std::span(body));
        client.submit(*stream, request, !body.empty(), body.empty() ? std::nullopt : std::optional(body.size()));
        return stream;
    }

    H2Session client;
    H2Peer peer;
    Request request;
};

}  // namespace

TEST_CASE("a request and its answer pass") {
    Pair pair;
    pair.request.method = Method::post;
    pair.request.headers.add("x-a", "1");
    pair.request.headers.add("connection", "keep-alive");
    pair.request.headers.add("host", "other");
    auto stream = pair.open("hello");
    pair.settle();
    const auto& got = pair.peer.exchanges.at(stream->id);
    CHECK(got.field(":method") == "POST");
    CHECK(got.field(":scheme") == "https");
    CHECK(got.field(":authority") == "example.test");
    CHECK(got.field(":path") == "/a?b=c");
    CHECK(got.field("x-a") == "1");
    CHECK(got.field("content-length") == "5");
    CHECK(got.field("connection").empty());
    CHECK(got.field("host").empty());
    CHECK(got.body == "hello");
    CHECK(got.ended);
    CHECK(stream->body_sent);
    pair.peer.respond(stream->id, 201, {{"content-type", "text/plain"}}, "answer");
    pair.settle();
    CHECK(stream->status == 201);
    CHECK(stream->headers_done);
    CHECK(stream->headers.value("content-type") == "text/plain");
    CHECK(stream->take() == "answer");
    CHECK(stream->ended);
    CHECK(stream->closed);
    CHECK(pair.client.open_streams() == 0);
}

TEST_CASE("an answer cut in two anywhere is the same") {
    std::string bytes;
    {
        Pair pair;
        auto stream = pair.open();
        pair.out();
        pair.peer.interim(stream->id, 103, {{"link", "x"}});
        pair.peer.respond(stream->id, 200, {{"a", "b"}}, "body");
        bytes = pair.peer.take();
    }
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        Pair pair;
        auto stream = pair.open();
        pair.out();
        const auto all = std::as_bytes(std::span(bytes));
        pair.client.receive(all.first(cut));
        pair.client.deliver();
        pair.client.receive(all.subspan(cut));
        pair.client.deliver();
        REQUIRE(stream->status == 200);
        REQUIRE(stream->headers.size() == 1);
        REQUIRE(stream->take() == "body");
        REQUIRE(stream->ended);
    }
}

TEST_CASE("interim answers leave nothing behind, and trailers are no fields") {
    Pair pair;
    auto stream = pair.open();
    pair.out();
    pair.peer.interim(stream->id, 103, {{"x-interim", "1"}});
    pair.in();
    CHECK_FALSE(stream->headers_done);
    pair.peer.respond(stream->id, 200, {{"x-final", "1"}}, "ab", false);
    pair.settle();
    CHECK(stream->headers_done);
    CHECK_FALSE(stream->headers.contains("x-interim"));
    pair.peer.trailers(stream->id, {{"x-trailer", "1"}});
    pair.settle();
    CHECK(stream->ended);
    CHECK_FALSE(stream->headers.contains("x-trailer"));
    CHECK(stream->take() == "ab");
    CHECK(pair.client.open_streams() == 0);
}

TEST_CASE("how the peer resets a stream is told") {
    struct Case {
        std::uint32_t code;
        bool unprocessed;
    };
    for (const Case one : {Case{NGHTTP2_REFUSED_STREAM, true}, Case{NGHTTP2_CANCEL, false},
                           Case{NGHTTP2_INTERNAL_ERROR, false}, Case{NGHTTP2_NO_ERROR, false},
                           Case{NGHTTP2_ENHANCE_YOUR_CALM, false}, Case{NGHTTP2_HTTP_1_1_REQUIRED, false}}) {
        Pair pair;
        auto stream = pair.open();
        pair.out();
        pair.peer.reset(stream->id, one.code);
        pair.settle();
        CHECK(stream->closed);
        CHECK_FALSE(stream->ended);
        CHECK(stream->error_code == one.code);
        CHECK(stream->unprocessed == one.unprocessed);
        CHECK(stream->news == 1);
        CHECK(pair.client.open_streams() == 0);
    }
}

TEST_CASE("a reset without error after the whole answer takes nothing from it") {
    Pair pair({}, true);
    const std::string large(200'000, 'x');
    auto stream = pair.open(large);
    pair.settle();
    pair.peer.respond(stream->id, 413, {}, "too large");
    pair.in();
    pair.peer.reset(stream->id, NGHTTP2_NO_ERROR);
    pair.settle();
    CHECK(stream->ended);
    CHECK(stream->closed);
    CHECK(stream->status == 413);
    CHECK(stream->take() == "too large");
    CHECK(pair.client.open_streams() == 0);
}

TEST_CASE("GOAWAY: streams beyond its last are unprocessed, the others go on, none is opened") {
    Pair pair;
    auto first = pair.open(), second = pair.open();
    pair.out();
    pair.peer.send_goaway(first->id);
    pair.in();
    CHECK(pair.client.going_away());
    CHECK(pair.client.free_slots() == 0);
    CHECK_FALSE(first->closed);
    CHECK(second->closed);
    CHECK(second->unprocessed);
    pair.peer.respond(first->id, 200, {}, "done");
    pair.settle();
    CHECK(first->ended);
    CHECK(first->take() == "done");
    CHECK(pair.client.open_streams() == 0);
}

TEST_CASE("a request that was not sent when GOAWAY came is unprocessed") {
    Pair pair;
    auto first = pair.open();
    pair.out();
    pair.peer.send_goaway(first->id);
    auto late = pair.open("body");
    pair.in();
    pair.settle();
    CHECK(late->closed);
    CHECK(late->unprocessed);
    CHECK_FALSE(first->closed);
    CHECK(pair.client.open_streams() == 1);
}

TEST_CASE("headers beyond the limits end the stream, not the connection") {
    for (const bool many : {false, true}) {
        Pair pair;
        auto stream = pair.open(), other = pair.open();
        pair.out();
        H2Peer::Fields fields;
        for (int i = 0; i < (many ? 300 : 5); ++i) {
            fields.emplace_back("x" + std::to_string(i), std::string(many ? 1 : 15'000, 'v'));
        }
        pair.peer.respond(stream->id, 200, fields, "body");
        pair.settle();
        CHECK(stream->closed);
        CHECK_FALSE(stream->violation.empty());
        pair.peer.respond(other->id, 200, {}, "fine");
        pair.settle();
        CHECK(other->ended);
        CHECK(other->take() == "fine");
    }
}

TEST_CASE("a body that is not as long as announced ends the stream as broken, not as complete") {
    Pair pair;
    auto stream = pair.open();
    pair.out();
    pair.peer.respond(stream->id, 200, {{"content-length", "10"}}, "short");
    pair.settle();
    CHECK(stream->closed);
    CHECK_FALSE(stream->ended);
    CHECK(stream->error_code == NGHTTP2_PROTOCOL_ERROR);
    CHECK(pair.client.open_streams() == 0);
}

TEST_CASE("a stream that nobody reads holds up no other, and buffers no more than its window") {
    Pair pair;
    auto stalled = pair.open();
    pair.out();
    pair.peer.respond(stalled->id, 200, {}, std::string(40 << 20, 's'), false);
    pair.settle();
    CHECK(stalled->received.size() >= (1 << 20));
    CHECK(stalled->received.size() <= (8 << 20));
    const std::size_t held = stalled->received.size();
    for (int i = 0; i < 3; ++i) {
        auto stream = pair.open();
        pair.out();
        pair.peer.respond(stream->id, 200, {}, std::string(30 << 20, 'r'));
        std::size_t got = 0;
        for (int turn = 0; turn < 2000 && !(stream->ended && stream->received.empty()); ++turn) {
            pair.in();
            const std::size_t n = stream->take().size();
            pair.client.consumed(*stream, n);
            got += n;
            pair.out();
        }
        CHECK(got == 30 << 20);
    }
    CHECK(stalled->received.size() == held);
    // Once it is read it goes on.
    const std::size_t n = stalled->take().size();
    pair.client.consumed(*stalled, n);
    pair.settle();
    CHECK(stalled->received.size() > 0);
}

TEST_CASE("bytes go straight to a waiting reader's buffer") {
    Pair pair;
    auto stream = pair.open();
    pair.out();
    std::array<std::byte, 4> buffer;
    stream->destination = buffer;
    pair.peer.respond(stream->id, 200, {}, "abcdefg", false);
    pair.in();
    CHECK(stream->delivered == 4);
    CHECK(std::memcmp(buffer.data(), "abcd", 4) == 0);
    CHECK(stream->take() == "efg");
}

TEST_CASE("a released stream is reset, its late bytes keep the connection's window open, and the rest goes on") {
    Pair pair;
    auto stream = pair.open();
    const auto id = stream->id;
    pair.out();
    pair.peer.respond(id, 200, {}, std::string(2 << 20, 'x'), false);
    pair.in();
    const std::string late = pair.peer.take();
    pair.client.release(*stream);
    stream.reset();
    pair.client.receive(std::as_bytes(std::span(late)));
    pair.client.deliver();
    pair.settle();
    CHECK(pair.peer.exchanges.at(id).reset == NGHTTP2_CANCEL);
    CHECK(pair.client.open_streams() == 0);
    auto next = pair.open();
    pair.out();
    pair.peer.respond(next->id, 200, {}, "next");
    pair.settle();
    CHECK(next->take() == "next");
}

TEST_CASE("a stream released before its request left is never heard of") {
    Pair pair;
    auto first = pair.open(), second = pair.open("body");
    pair.client.release(*second);
    second.reset();
    pair.settle();
    CHECK(pair.client.open_streams() == 1);
    CHECK(pair.peer.exchanges.size() == 1);
    CHECK_FALSE(first->closed);
}

TEST_CASE("the peer's MAX_CONCURRENT_STREAMS is kept: 1, then 0, then more") {
    Pair pair({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}});
    CHECK(pair.client.free_slots() == 100);
    pair.settle();
    CHECK(pair.client.free_slots() == 1);
    auto first = pair.open();
    CHECK(pair.client.free_slots() == 0);
    pair.settle();
    auto queued = pair.open(), dropped = pair.open();
    pair.settle();
    CHECK(pair.peer.exchanges.size() == 1);
    pair.client.release(*dropped);
    dropped.reset();
    pair.settle();
    CHECK(pair.client.open_streams() == 2);
    pair.peer.respond(first->id, 200);
    pair.settle();
    CHECK(first->ended);
    CHECK(pair.peer.exchanges.size() == 2);
    CHECK(pair.client.open_streams() == 1);
    pair.peer.send_settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}});
    pair.settle();
    CHECK(pair.client.free_slots() == 0);
    pair.peer.respond(queued->id, 200);
    pair.settle();
    CHECK(queued->ended);
    CHECK(pair.client.free_slots() == 0);
    pair.peer.send_settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 7}});
    pair.settle();
    CHECK(pair.client.free_slots() == 7);
}

TEST_CASE("an upload waits for the peer's windows and goes on") {
    Pair pair({}, true);
    const std::string body(300'000, 'u');
    auto stream = pair.open(body);
    pair.settle();
    CHECK(pair.peer.exchanges.at(stream->id).body.size() == 65'535);
    CHECK_FALSE(stream->body_sent);
    pair.peer.open_windows();
    pair.settle();
    pair.peer.send_settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}});
    pair.settle();
    CHECK(stream->outgoing.size() < body.size() - 65'535);
}

TEST_CASE("a body that comes in parts is deferred between them") {
    Pair pair;
    TestStream stream;
    stream.last_outgoing = false;
    pair.request.method = Method::put;
    pair.client.submit(stream, pair.request, true, std::nullopt);
    pair.settle();
    CHECK(stream.deferred);
    const std::string parts[] = {"one", "two"};
    for (const std::string& part : parts) {
        stream.outgoing = std::as_bytes(std::span(part));
        pair.client.resume(stream);
        pair.settle();
        CHECK(stream.outgoing.empty());
    }
    CHECK(pair.peer.exchanges.at(stream.id).body == "onetwo");
    CHECK_FALSE(pair.peer.exchanges.at(stream.id).ended);
    stream.last_outgoing = true;
    pair.client.resume(stream);
    pair.settle();
    CHECK(stream.body_sent);
    CHECK(pair.peer.exchanges.at(stream.id).ended);
    pair.client.release(stream);
}

TEST_CASE("when the connection fails every stream hears of it, also those whose owner drops others") {
    struct Dropper final : H2Stream {
        void on_news() override { drop.reset(); }
        std::unique_ptr<TestStream> drop;
    };
    Pair pair;
    Dropper dropper;
    pair.client.submit(dropper, pair.request, false, std::nullopt);
    auto other = pair.open();
    dropper.drop = pair.open();
    pair.out();
    pair.client.fail_all("gone");
    CHECK(dropper.closed);
    CHECK(other->closed);
    CHECK(other->news == 1);
    CHECK(pair.client.open_streams() == 0);
    CHECK(pair.client.free_slots() == 0);
    pair.client.release(*other);
}

TEST_CASE("bytes that are no HTTP/2 break the session once the peer was told") {
    Pair pair;
    auto stream = pair.open();
    pair.out();
    const std::string text = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    pair.client.receive(std::as_bytes(std::span(text)));
    CHECK_FALSE(pair.client.broken());
    pair.out();
    CHECK(pair.client.broken());
    CHECK_FALSE(pair.client.failure().empty());
    CHECK(pair.peer.goaway.has_value());
    pair.client.fail_all("over");
    CHECK(stream->closed);
}
