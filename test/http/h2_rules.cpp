#include "support/h2_wire.hpp"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

using namespace hfhub;
using namespace hfhub::http;

namespace {

struct Quiet final : H2Stream {
    void on_news() override {}
};

constexpr auto frame = test::h2_frame;
constexpr auto setting = test::h2_setting;
constexpr auto literal = test::h2_field;
std::string number(std::uint32_t value) { return test::h2_number(value); }

const std::string ok = "\x88";  // :status 200 of the static table
const std::string nothing;

// What the client does with frames on a connection whose streams 1 and 3 are open.
struct Meeting : test::H2Wire {
    explicit Meeting(Method method = Method::get) {
        request.url = Url::parse("https://example.test/");
        request.method = method;
        client.submit(wrong, request, false, std::nullopt);
        client.submit(other, request, false, std::nullopt);
        out();
        in(frame(NGHTTP2_SETTINGS, 0, 0, {}) + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, {}));
        out();
    }
    ~Meeting() {
        client.release(wrong);
        client.release(other);
    }
    void out() {
        for (const auto& one : H2Wire::out()) {
            if (one.type == NGHTTP2_GOAWAY) goaway = one.number(4);
            if (one.type == NGHTTP2_RST_STREAM && one.stream == 1) reset = one.number(0);
        }
    }

    Quiet wrong, other;
    Request request;
    std::optional<std::uint32_t> goaway;  // what the client sent
    std::optional<std::uint32_t> reset;   // of stream 1
};

enum class End { connection, stream, fine };
struct Rule {
    std::string name;
    std::string frames;
    End end;
    std::uint32_t code = 0;
};

constexpr int headers = NGHTTP2_HEADERS, data = NGHTTP2_DATA, end_stream = 1, end_headers = 4, padded = 8;

std::vector<Rule> connection_rules() {
    const auto c = End::connection;
    const std::string open = frame(headers, end_headers, 1, ok);
    return {
        {"DATA on stream 0", frame(data, 0, 0, "x"), c, NGHTTP2_PROTOCOL_ERROR},
        {"HEADERS on stream 0", frame(headers, end_headers, 0, ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"DATA on an idle stream", frame(data, 0, 9, "x"), c, NGHTTP2_PROTOCOL_ERROR},
        {"HEADERS on an even stream", frame(headers, end_headers, 2, ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"HEADERS on an idle stream", frame(headers, end_headers, 9, ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"RST_STREAM on stream 0", frame(NGHTTP2_RST_STREAM, 0, 0, number(0)), c, NGHTTP2_PROTOCOL_ERROR},
        {"RST_STREAM on an idle stream", frame(NGHTTP2_RST_STREAM, 0, 9, number(0)), c, NGHTTP2_PROTOCOL_ERROR},
        {"RST_STREAM of 3 bytes", frame(NGHTTP2_RST_STREAM, 0, 1, "abc"), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"PUSH_PROMISE", frame(NGHTTP2_PUSH_PROMISE, end_headers, 1, number(2) + ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"SETTINGS on a stream", frame(NGHTTP2_SETTINGS, 0, 1, {}), c, NGHTTP2_PROTOCOL_ERROR},
        {"SETTINGS of 5 bytes", frame(NGHTTP2_SETTINGS, 0, 0, "abcde"), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"SETTINGS ACK with payload", frame(NGHTTP2_SETTINGS, 1, 0, setting(3, 1)), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"ENABLE_PUSH 2", frame(NGHTTP2_SETTINGS, 0, 0, setting(2, 2)), c, NGHTTP2_PROTOCOL_ERROR},
        {"ENABLE_PUSH 1 by a server", frame(NGHTTP2_SETTINGS, 0, 0, setting(2, 1)), c, NGHTTP2_PROTOCOL_ERROR},
        {"window of 2^31", frame(NGHTTP2_SETTINGS, 0, 0, setting(4, 1U << 31)), c, NGHTTP2_FLOW_CONTROL_ERROR},
        {"MAX_FRAME_SIZE 1", frame(NGHTTP2_SETTINGS, 0, 0, setting(5, 1)), c, NGHTTP2_PROTOCOL_ERROR},
        {"MAX_FRAME_SIZE 2^24", frame(NGHTTP2_SETTINGS, 0, 0, setting(5, 1U << 24)), c, NGHTTP2_PROTOCOL_ERROR},
        {"PING on a stream", frame(NGHTTP2_PING, 0, 1, "12345678"), c, NGHTTP2_PROTOCOL_ERROR},
        {"PING of 7 bytes", frame(NGHTTP2_PING, 0, 0, "1234567"), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"GOAWAY on a stream", frame(NGHTTP2_GOAWAY, 0, 1, number(1) + number(0)), c, NGHTTP2_PROTOCOL_ERROR},
        {"GOAWAY of 4 bytes", frame(NGHTTP2_GOAWAY, 0, 0, number(1)), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"WINDOW_UPDATE 0 of the connection", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0)), c, NGHTTP2_PROTOCOL_ERROR},
        // RFC 9113 5.4.1 lets a stream's error be the connection's; nghttp2 does so with these two.
        {"DATA before HEADERS", frame(data, 0, 1, "x"), c, NGHTTP2_PROTOCOL_ERROR},
        {"WINDOW_UPDATE 0 of a stream", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(0)), c, NGHTTP2_PROTOCOL_ERROR},
        {"connection window over 2^31 - 1", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0x7fffffff)), c,
         NGHTTP2_FLOW_CONTROL_ERROR},
        {"WINDOW_UPDATE of 3 bytes", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "abc"), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"DATA padded beyond its end", open + frame(data, padded, 1, "\x05x"), c, NGHTTP2_PROTOCOL_ERROR},
        {"HEADERS padded beyond its end", frame(headers, end_headers | padded, 1, "\x09" + ok), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"a frame of more than 16384 bytes", open + frame(data, 0, 1, std::string(16'385, 'x')), c,
         NGHTTP2_FRAME_SIZE_ERROR},
        {"CONTINUATION alone", frame(NGHTTP2_CONTINUATION, end_headers, 1, ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"a frame between HEADERS and CONTINUATION", frame(headers, 0, 1, ok) + frame(NGHTTP2_PING, 0, 0, "12345678"),
         c, NGHTTP2_PROTOCOL_ERROR},
        {"CONTINUATION of another stream", frame(headers, 0, 1, ok) + frame(NGHTTP2_CONTINUATION, end_headers, 3, {}),
         c, NGHTTP2_PROTOCOL_ERROR},
        {"CONTINUATION on stream 0", frame(NGHTTP2_CONTINUATION, end_headers, 0, ok), c, NGHTTP2_PROTOCOL_ERROR},
        {"CONTINUATION after the end of the headers", open + frame(NGHTTP2_CONTINUATION, end_headers, 1, {}), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"an unknown frame between HEADERS and CONTINUATION", frame(headers, 0, 1, ok) + frame(0x77, 0, 1, "x"), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"DATA between HEADERS and CONTINUATION", frame(headers, 0, 1, ok) + frame(data, 0, 1, "x"), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"PUSH_PROMISE on stream 0", frame(NGHTTP2_PUSH_PROMISE, end_headers, 0, number(2) + ok), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"PRIORITY on stream 0", frame(NGHTTP2_PRIORITY, 0, 0, number(0) + "x"), c, NGHTTP2_PROTOCOL_ERROR},
        {"PRIORITY of 4 bytes", frame(NGHTTP2_PRIORITY, 0, 1, number(0)), c, NGHTTP2_FRAME_SIZE_ERROR},
        {"SETTINGS ACK that nobody waits for", frame(NGHTTP2_SETTINGS, 1, 0, {}), c, NGHTTP2_PROTOCOL_ERROR},
        {"GOAWAY that names more than the one before",
         frame(NGHTTP2_GOAWAY, 0, 0, number(1) + number(0)) + frame(NGHTTP2_GOAWAY, 0, 0, number(3) + number(0)), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"GOAWAY that names an even stream", frame(NGHTTP2_GOAWAY, 0, 0, number(2) + number(0)), c,
         NGHTTP2_PROTOCOL_ERROR},
        {"WINDOW_UPDATE on an idle stream", frame(NGHTTP2_WINDOW_UPDATE, 0, 9, number(1)), c, NGHTTP2_PROTOCOL_ERROR},
        {"HPACK table size after a field", frame(headers, end_headers, 1, ok + "\x20"), c, NGHTTP2_COMPRESSION_ERROR},
        {"HPACK number without end", frame(headers, end_headers, 1, std::string("\xff\xff\xff\xff\xff\xff\xff", 7)), c,
         NGHTTP2_COMPRESSION_ERROR},
        {"HPACK field cut off", frame(headers, end_headers, 1, ok + std::string("\0\x09x", 3)), c,
         NGHTTP2_COMPRESSION_ERROR},
        {"HPACK index that is not there", frame(headers, end_headers, 1, "\xff\x70"), c, NGHTTP2_COMPRESSION_ERROR},
        {"HPACK table larger than allowed", frame(headers, end_headers, 1, "\x3f\xe1\xff\x7f" + ok), c,
         NGHTTP2_COMPRESSION_ERROR},
    };
}

std::vector<Rule> stream_rules() {
    const auto s = End::stream, f = End::fine;
    const auto answer = [](const std::string& fields) { return frame(headers, end_headers | end_stream, 1, fields); };
    const std::string open = frame(headers, end_headers, 1, ok);
    const std::string ended = frame(headers, end_headers | end_stream, 1, ok);
    const std::uint32_t most = 0x7fffffff;
    std::string window;  // of a stream, and one byte more
    for (int i = 0; i < 64; ++i) window += frame(data, 0, 1, std::string(16'384, 'x'));
    window += frame(data, 0, 1, "x");
    const std::string early =
        "\x08\x03"
        "103";  // :status by its name in the static table
    const std::uint32_t wrong = NGHTTP2_PROTOCOL_ERROR;
    return {
        {"no :status", answer(literal("a", "b")), s, wrong},
        {":status of two digits", answer(literal(":status", "20")), s, wrong},
        {":status that is no number", answer(literal(":status", "2x0")), s, wrong},
        {"status 101", answer(literal(":status", "101")), s, wrong},
        {"an empty name", answer(ok + literal("", "x")), s, wrong},
        {"a space in a name", answer(ok + literal("a b", "x")), s, wrong},
        {"a colon in a name", answer(ok + literal("a:b", "x")), s, wrong},
        {"NUL in a value", answer(ok + literal("a", std::string_view("x\0y", 3))), s, wrong},
        {"LF in a value", answer(ok + literal("a", "x\ny")), s, wrong},
        {"CR in a value", answer(ok + literal("a", "x\ry")), s, wrong},
        {"two :status", answer(ok + ok), s, wrong},
        {":status after a field", answer(literal("a", "b") + ok), s, wrong},
        {"a pseudo-header of requests", answer(ok + literal(":path", "/")), s, wrong},
        {"an unknown pseudo-header", answer(ok + literal(":x", "/")), s, wrong},
        {"upper case", answer(ok + literal("Content-Type", "x")), s, wrong},
        {"connection", answer(ok + literal("connection", "close")), s, wrong},
        {"keep-alive", answer(ok + literal("keep-alive", "5")), s, wrong},
        {"proxy-connection", answer(ok + literal("proxy-connection", "close")), s, wrong},
        {"upgrade", answer(ok + literal("upgrade", "h2c")), s, wrong},
        {"transfer-encoding", answer(ok + literal("transfer-encoding", "chunked")), s, wrong},
        {"content-length that is no number", answer(ok + literal("content-length", "1x")), s, wrong},
        {"two content-lengths", answer(ok + literal("content-length", "0") + literal("content-length", "0")), s, wrong},
        {"less than content-length", answer(ok + literal("content-length", "4")), s, wrong},
        {"more than content-length",
         frame(headers, end_headers, 1, ok + literal("content-length", "1")) + frame(data, end_stream, 1, "xx"), s,
         wrong},
        {"trailers with :status", open + answer(ok), s, wrong},
        {"204 with a body", frame(headers, end_headers, 1, "\x89") + frame(data, end_stream, 1, "x"), s, wrong},
        {"304 with a body", frame(headers, end_headers, 1, "\x8b") + frame(data, end_stream, 1, "x"), s, wrong},
        {"trailers with connection", open + answer(literal("connection", "close")), s, wrong},
        {"trailers that end nothing", open + frame(headers, end_headers, 1, literal("a", "b")), s, wrong},
        {"103 that ends the stream", answer(early), s, wrong},
        {"window over 2^31 - 1", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(0x7fffffff)), s, NGHTTP2_FLOW_CONTROL_ERROR},
        // RFC 9113 6.9.2 would end the connection; nghttp2 ends the stream.
        {"a stream's window over 2^31 - 1 by SETTINGS",
         frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(1)) + frame(NGHTTP2_SETTINGS, 0, 0, setting(4, most)), s,
         NGHTTP2_FLOW_CONTROL_ERROR},
        {"more than a stream's window", open + window, s, NGHTTP2_FLOW_CONTROL_ERROR},
        {"white space around a value", answer(ok + literal("a", " \tb ")), f},
        {"8-bit characters in a value", answer(ok + literal("a", "\xc3\xa4")), f},
        {"304 with a length", answer("\x8b" + literal("content-length", "4")), f},
        {"HEADERS after the end of a stream", ended + ended, f},
        {"DATA after the end of a stream", ended + frame(data, 0, 1, "x"), f},
        {"RST_STREAM after the end of a stream", ended + frame(NGHTTP2_RST_STREAM, 0, 1, number(0)), f},
        {"WINDOW_UPDATE after the end of a stream", ended + frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(5)), f},
        {"PING ACK that nobody waits for", frame(NGHTTP2_PING, 1, 0, "12345678") + answer(ok), f},
        {"ALTSVC", frame(0xa, 0, 1, "whatever") + answer(ok), f},
        {"HEADERS with a priority", frame(headers, end_headers | end_stream | 0x20, 1, number(0) + "x" + ok), f},
        {"padded HEADERS", frame(headers, end_headers | end_stream | padded, 1, "\x01" + ok + '\0'), f},
        {"an unknown frame", frame(0x77, 0xff, 1, "whatever") + answer(ok), f},
        {"PRIORITY", frame(NGHTTP2_PRIORITY, 0, 1, number(0) + "x") + answer(ok), f},
        {"an unknown setting", frame(NGHTTP2_SETTINGS, 0, 0, setting(0x55, 7)) + answer(ok), f},
        {"the reserved bit of the stream's number", frame(headers, end_headers | end_stream, 0x80000001, ok), f},
        {"flags that mean nothing here", frame(NGHTTP2_PING, 0xfe, 0, "12345678") + answer(ok), f},
        {"103 before the answer", frame(headers, end_headers, 1, early) + answer(ok), f},
        {"padding", open + frame(data, padded | end_stream, 1, std::string("\x03", 1) + "x" + std::string(3, '\0')), f},
        {"trailers", open + answer(literal("a", "b")), f},
        {"CONTINUATION", frame(headers, end_stream, 1, nothing) + frame(NGHTTP2_CONTINUATION, end_headers, 1, ok), f},
    };
}

}  // namespace

TEST_CASE("what breaks the connection's rules ends it, and the peer is told why") {
    for (const Rule& rule : connection_rules()) {
        CAPTURE(rule.name);
        Meeting m;
        m.in(rule.frames);
        m.out();
        CHECK(m.client.broken());
        CHECK_FALSE(m.wrong.ended);
        CHECK_FALSE(m.other.ended);
        CHECK(m.goaway.value_or(9999) == rule.code);
    }
}

TEST_CASE("what breaks a stream's rules ends that stream, and the other one is answered") {
    for (const Rule& rule : stream_rules()) {
        CAPTURE(rule.name);
        Meeting m;
        CHECK(m.in(rule.frames));
        m.out();
        CHECK_FALSE(m.client.broken());
        CHECK_FALSE(m.goaway.has_value());
        CHECK(m.wrong.ended == (rule.end == End::fine));
        if (rule.end == End::stream) CHECK(m.reset.value_or(9999) == rule.code);
        CHECK(m.in(frame(headers, end_headers | end_stream, 3, ok)));
        CHECK(m.other.ended);
    }
}

TEST_CASE("an answer to HEAD has no body, whatever its length; one that has is refused") {
    Meeting m(Method::head);
    CHECK(m.in(frame(headers, end_headers | end_stream, 3, ok + literal("content-length", "500"))));
    CHECK(m.other.ended);
    CHECK(m.in(frame(headers, end_headers, 1, ok) + frame(data, end_stream, 1, "x")));
    m.out();
    CHECK_FALSE(m.wrong.ended);
    CHECK(m.reset == NGHTTP2_PROTOCOL_ERROR);
}

TEST_CASE("DATA after the end of an answer whose request is still being sent ends the connection") {
    Meeting m(Method::post);
    const std::string body(200'000, 'u');
    Quiet upload;
    upload.outgoing = std::as_bytes(std::span(body));
    m.client.submit(upload, m.request, true, std::nullopt);
    m.out();
    CHECK(m.in(frame(headers, end_headers | end_stream, 5, ok)));
    CHECK(upload.ended);
    CHECK_FALSE(upload.closed);
    m.in(frame(data, 0, 5, "x"));
    m.out();
    CHECK(upload.received.empty());
    CHECK(m.goaway == NGHTTP2_STREAM_CLOSED);
    m.client.release(upload);
}

TEST_CASE("a value's white space is not part of it, and no field is left out in silence") {
    Meeting m;
    CHECK(m.in(
        frame(headers, end_headers | end_stream, 1, ok + literal("etag", " \"a b\"\t") + literal("x-empty", " "))));
    CHECK(m.wrong.headers.value("etag") == "\"a b\"");
    CHECK(m.wrong.headers.contains("x-empty"));
    CHECK(m.wrong.headers.value("x-empty").empty());
}

TEST_CASE("floods of frames that carry nothing end the connection with ENHANCE_YOUR_CALM") {
    struct Flood {
        std::string name;
        std::string begin, again;
        int count = 900;
    };
    const std::string open = frame(headers, end_headers, 1, ok);
    const Flood floods[] = {
        {"PING", {}, frame(NGHTTP2_PING, 0, 0, "12345678")},
        {"SETTINGS", {}, frame(NGHTTP2_SETTINGS, 0, 0, {})},
        {"PRIORITY", {}, frame(NGHTTP2_PRIORITY, 0, 1, number(0) + "x")},
        {"empty DATA", open, frame(data, 0, 1, {})},
        {"DATA that is padding", open, frame(data, padded, 1, std::string("\x02\0\0", 3))},
        {"RST_STREAM", {}, frame(NGHTTP2_RST_STREAM, 0, 1, number(8))},
        {"WINDOW_UPDATE", {}, frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(1)), 21'000},
        {"SETTINGS that change", {}, frame(NGHTTP2_SETTINGS, 0, 0, setting(4, 70'000) + setting(4, 60'000))},
        {"CONTINUATION", frame(headers, 0, 1, ok), frame(NGHTTP2_CONTINUATION, 0, 1, {}), 9},
    };
    for (const Flood& flood : floods) {
        CAPTURE(flood.name);
        Meeting m;
        m.in(flood.begin);
        bool fine = true;
        for (int i = 0; i < flood.count && fine; ++i) {
            fine = m.in(flood.again);
            m.out();
        }
        CHECK_FALSE(fine);
        CHECK(m.goaway.value_or(9999) == NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

TEST_CASE("headers of 256 fields in 8 CONTINUATION frames are taken; of one more, that answer is refused") {
    Meeting m;
    std::string fields = ok;
    for (int i = 0; i < 256; ++i) fields += literal("name" + std::to_string(1000 + i), std::string(100, 'v'));
    const auto answer = [&](std::uint32_t stream) {
        const std::size_t part = fields.size() / 9 + 1;
        for (std::size_t i = 0; i < 9; ++i) {
            const int flags = (i == 0 ? end_stream : 0) | (i == 8 ? end_headers : 0);
            const int type = i == 0 ? headers : NGHTTP2_CONTINUATION;
            CHECK(m.in(frame(type, flags, stream, fields.substr(i * part, part))));
        }
        m.out();
    };
    answer(1);
    CHECK(m.wrong.ended);
    CHECK(m.wrong.headers.size() == 256);
    CHECK(m.wrong.violation.empty());
    fields += literal("one", "more");
    answer(3);
    CHECK_FALSE(m.other.ended);
    CHECK_FALSE(m.other.violation.empty());
    CHECK_FALSE(m.client.broken());
}

TEST_CASE("signs of life between pieces of an answer are no flood") {
    Meeting m;
    m.in(frame(headers, end_headers, 1, ok));
    bool fine = true;
    for (int i = 0; i < 3000 && fine; ++i) {
        fine = m.in(frame(NGHTTP2_PING, 0, 0, "12345678") + frame(data, 0, 1, "x"));
        m.out();
    }
    CHECK(fine);
    CHECK(m.wrong.received_bytes == 3000);
}

TEST_CASE("credit for an upload, byte by byte, is no flood") {
    Meeting m(Method::put);
    const std::string body(100'000, 'u');
    Quiet upload;
    upload.outgoing = std::as_bytes(std::span(body));
    m.client.submit(upload, m.request, true, std::nullopt);
    m.out();
    const std::string credit =
        frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(1)) + frame(NGHTTP2_WINDOW_UPDATE, 0, 5, number(1));
    bool fine = true;
    for (int i = 0; i < 15'000 && fine; ++i) {
        fine = m.in(credit);
        m.out();
    }
    CHECK(fine);
    CHECK(upload.outgoing.size() == body.size() - 65'535 - 15'000);
    m.client.release(upload);
}

TEST_CASE("a connection on which many streams were reset opens no more") {
    Meeting m;
    int opened = 0;
    while (m.client.free_slots() > 0 && opened < 1000) {
        Quiet one;
        m.client.submit(one, m.request, false, std::nullopt);
        m.out();
        m.client.release(one);
        m.out();
        ++opened;
    }
    CHECK(m.client.worn_out());
    CHECK(opened == 100);
    CHECK(m.in(frame(headers, end_headers | end_stream, 3, ok)));
    CHECK(m.other.ended);
}

TEST_CASE("HTTP_1_1_REQUIRED and ENHANCE_YOUR_CALM are remembered, and no stream is opened any more") {
    Meeting m;
    SUBCASE("on a stream") { CHECK(m.in(frame(NGHTTP2_RST_STREAM, 0, 1, number(NGHTTP2_HTTP_1_1_REQUIRED)))); }
    SUBCASE("on the connection") {
        CHECK(m.in(frame(NGHTTP2_GOAWAY, 0, 0, number(0) + number(NGHTTP2_HTTP_1_1_REQUIRED))));
    }
    SUBCASE("too much") {
        CHECK(m.in(frame(NGHTTP2_GOAWAY, 0, 0, number(0) + number(NGHTTP2_ENHANCE_YOUR_CALM))));
        CHECK(m.client.goaway_error() == NGHTTP2_ENHANCE_YOUR_CALM);
    }
    CHECK(m.client.http1_required() == (m.client.goaway_error() != NGHTTP2_ENHANCE_YOUR_CALM));
    CHECK(m.client.free_slots() == 0);
}
