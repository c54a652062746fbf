#include "support/h2_peer.hpp"
#include "support/h2_wire.hpp"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <numeric>

using namespace hfhub;
using namespace hfhub::http;
using test::H2Frame;

namespace {

constexpr auto frame = test::h2_frame;
constexpr auto setting = test::h2_setting;
constexpr int end_headers = 4;
constexpr std::int64_t mib = 1 << 20;
const std::string ok = "\x88";  // :status 200 of the static table

std::string update(std::uint32_t stream, std::uint32_t size) {
    return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, test::h2_number(size));
}

struct Reader final : H2Stream {
    void on_news() override {}
    std::size_t take(std::size_t most = static_cast<std::size_t>(-1)) {
        std::vector<std::byte> scrap(std::min(most, received.size()));
        return received.take(scrap);
    }
};

// A client, and what it allows and sends, counted from its frames.
struct Flow : test::H2Wire {
    Flow() {
        request.url = Url::parse("https://example.test/");
        request.method = Method::post;
        pass();
        receive(frame(NGHTTP2_SETTINGS, 0, 0, {}) + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, {}));
    }
    ~Flow() {
        for (const auto& stream : streams) client.release(*stream);
    }
    Reader& open(std::string_view body = {}) {
        streams.push_back(std::make_unique<Reader>());
        streams.back()->outgoing = std::as_bytes(std::span(body));
        client.submit(*streams.back(), request, !body.empty(), std::nullopt);
        pass();
        return *streams.back();
    }
    // The credit that the client has given and that is not used up: the connection's under 0.
    void pass() {
        for (const H2Frame& one : out()) {
            if (one.type == NGHTTP2_WINDOW_UPDATE) credit[one.stream] += one.number(0);
            if (one.type == NGHTTP2_DATA) uploaded[one.stream] += one.payload.size();
            if (one.type == NGHTTP2_DATA) largest = std::max(largest, one.payload.size());
            if (one.type == NGHTTP2_SETTINGS) note_settings(one.payload, one.flags);
        }
    }
    void note_settings(std::string_view payload, int flags) {
        if ((flags & NGHTTP2_FLAG_ACK) != 0) ++acknowledged;
        for (; payload.size() >= 6; payload.remove_prefix(6)) {
            const H2Frame one{0, 0, 0, std::string(payload.substr(2, 4))};
            settings[payload[1]] = one.number(0);
        }
    }
    void receive(std::string_view bytes) {
        CHECK(in(bytes));
        pass();
    }
    // Bytes of an answer's body, in frames as they are usual.
    void receive_data(std::uint32_t stream, std::int64_t size) {
        for (std::int64_t left = size; left > 0; left -= 16'384) {
            const auto n = static_cast<std::size_t>(std::min<std::int64_t>(left, 16'384));
            credit[0] -= static_cast<std::int64_t>(n);
            credit[stream] -= static_cast<std::int64_t>(n);
            receive(frame(NGHTTP2_DATA, 0, stream, std::string(n, 'd')));
        }
    }
    std::int64_t window_of(std::uint32_t stream) {
        return settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE] + credit[stream];
    }
    std::int64_t connection_window() { return 65'535 + credit[0]; }

    Request request;
    std::vector<std::unique_ptr<Reader>> streams;
    std::map<std::uint32_t, std::int64_t> credit;
    std::map<std::uint32_t, std::size_t> uploaded;
    std::map<int, std::uint32_t> settings;
    std::size_t largest = 0;
    int acknowledged = 0;
};

std::uint32_t id_of(const Reader& stream) { return static_cast<std::uint32_t>(stream.id); }

}  // namespace

TEST_CASE("what the client announces: no push, 1 MiB for each stream, 32 MiB for all, a small compression table") {
    Flow flow;
    CHECK(flow.settings.at(NGHTTP2_SETTINGS_ENABLE_PUSH) == 0);
    CHECK(flow.settings.at(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) == mib);
    CHECK(flow.settings.at(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE) == 65'536);
    CHECK_FALSE(flow.settings.contains(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE));  // 4096 bytes
    CHECK(flow.connection_window() == 32 * mib);
}

TEST_CASE("SETTINGS and PING are answered at once") {
    Flow flow;
    CHECK(flow.acknowledged == 1);
    flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20)) +
                 frame(NGHTTP2_PING, 0, 0, "12345678"));
    CHECK(flow.acknowledged == 2);
    CHECK(flow.sent.back().type == NGHTTP2_PING);
    CHECK(flow.sent.back().flags == NGHTTP2_FLAG_ACK);
    CHECK(flow.sent.back().payload == "12345678");
}

TEST_CASE("the window of a stream that is read grows to 8 MiB, and stays there") {
    Flow flow;
    Reader& stream = flow.open();
    flow.receive(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    CHECK(flow.window_of(1) == mib);
    std::int64_t least = 8 * mib, most = 0;
    for (int i = 0; i < 40; ++i) {
        flow.receive_data(1, mib / 2);
        flow.client.consumed(stream, stream.take());
        flow.pass();
        if (i > 1) least = std::min(least, flow.window_of(1));
        most = std::max(most, flow.window_of(1));
    }
    CHECK(least >= 4 * mib);
    CHECK(most == 8 * mib);
}

TEST_CASE("streams that nobody reads hold 1 MiB each, and nothing of the connection's window") {
    Flow flow;
    for (int i = 0; i < 40; ++i) {
        const std::uint32_t id = id_of(flow.open());
        flow.receive(frame(NGHTTP2_HEADERS, end_headers, id, ok));
        flow.receive_data(id, mib);
        CHECK(flow.window_of(id) == 0);
    }
    CHECK(flow.connection_window() >= 16 * mib);
    for (const auto& stream : flow.streams) CHECK(stream->received.size() == mib);
    // Once it is read it goes on.
    flow.client.consumed(*flow.streams[7], flow.streams[7]->take());
    flow.pass();
    CHECK(flow.window_of(id_of(*flow.streams[7])) >= mib);
}

TEST_CASE("a reader that takes bytes slowly gets credit for what it takes, however little") {
    Flow flow;
    Reader& stream = flow.open();
    flow.receive(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    std::int64_t buffered = 0, total = 0;
    for (int i = 0; i < 4000; ++i) {
        const std::int64_t n = std::min<std::int64_t>(flow.window_of(1), 16'384);
        flow.receive_data(1, n);
        total += n;
        flow.client.consumed(stream, stream.take(5'000));
        flow.pass();
        buffered = std::max(buffered, static_cast<std::int64_t>(stream.received.size()));
    }
    CHECK(buffered <= 8 * mib);
    CHECK(total >= 4000 * 5'000);
}

TEST_CASE("bytes that go straight to a reader's buffer are credited as well") {
    Flow flow;
    Reader& stream = flow.open();
    flow.receive(frame(NGHTTP2_HEADERS, end_headers, 1, ok));
    std::vector<std::byte> buffer(16'384);
    for (int i = 0; i < 1000; ++i) {
        stream.destination = buffer;
        stream.delivered = 0;
        flow.receive_data(1, 16'384);
        REQUIRE(stream.delivered == 16'384);
    }
    CHECK(flow.window_of(1) >= 4 * mib);
}

TEST_CASE("an upload keeps to both windows, also where the peer gives credit only when they are used up") {
    Flow flow;
    const std::string body(400'000, 'u');
    const Reader& stream = flow.open(body);
    std::size_t allowed = 65'535;
    CHECK(flow.uploaded[1] == allowed);
    while (allowed < 300'000) {
        flow.receive(update(1, 30'000));
        CHECK(flow.uploaded[1] == allowed);  // the connection's window is still used up
        flow.receive(update(0, 30'000));
        allowed += 30'000;
        CHECK(flow.uploaded[1] == allowed);
    }
    flow.receive(update(0, 1 << 20));
    CHECK(flow.uploaded[1] == allowed);  // the stream's
    flow.receive(update(1, 1 << 20));
    CHECK(flow.uploaded[1] == body.size());
    CHECK(stream.body_sent);
    CHECK(flow.largest <= 16'384);
}

TEST_CASE("INITIAL_WINDOW_SIZE that changes later counts for open streams, below zero, too") {
    Flow flow;
    const std::string body(400'000, 'u');
    flow.open(body);
    flow.receive(update(0, 1 << 20));
    REQUIRE(flow.uploaded[1] == 65'535);
    flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1'000)));  // 64 535 below
    flow.receive(update(1, 64'535));
    CHECK(flow.uploaded[1] == 65'535);
    flow.receive(update(1, 500));
    CHECK(flow.uploaded[1] == 65'535 + 500);
    flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 11'000)));
    CHECK(flow.uploaded[1] == 65'535 + 500 + 10'000);
    flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0)));
    flow.open("x");
    CHECK(flow.uploaded[3] == 0);
    flow.receive(update(3, 1));
    CHECK(flow.uploaded[3] == 1);
}

TEST_CASE("frames stay within the peer's MAX_FRAME_SIZE, headers by CONTINUATION") {
    Flow flow;
    SUBCASE("as it is at first") {}
    SUBCASE("as it was raised") {
        flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20)));
    }
    flow.receive(update(0, 1 << 24));
    flow.receive(frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24)));
    flow.request.headers.add("x-long", std::string(40'000, '~'));
    const std::string body(3'000'000, 'u');
    const std::size_t before = flow.sent.size();
    flow.open(body);
    CHECK(flow.uploaded[1] == body.size());
    std::size_t largest = 0, of_headers = 0;
    for (std::size_t i = before; i < flow.sent.size(); ++i) {
        const H2Frame& one = flow.sent[i];
        largest = std::max(largest, one.payload.size());
        if (one.type == NGHTTP2_HEADERS || one.type == NGHTTP2_CONTINUATION) of_headers += one.payload.size();
    }
    CHECK(largest <= 16'384);
    CHECK(of_headers > 40'000);
}

TEST_CASE("the peer's HEADER_TABLE_SIZE is kept, at 0 and when it changes, and never larger than 64 KiB") {
    test::H2Peer peer({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0}});
    test::H2Wire wire;
    Request request;
    request.url = Url::parse("https://example.test/path");
    std::vector<std::unique_ptr<Reader>> streams;
    const auto exchange = [&] {
        streams.push_back(std::make_unique<Reader>());
        wire.client.submit(*streams.back(), request, false, std::nullopt);
        for (int i = 0; i < 3; ++i) {
            std::vector<std::byte> bytes;
            wire.client.produce(bytes, 1 << 20);
            peer.receive({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
            CHECK(wire.in(peer.take()));
        }
    };
    for (const std::uint32_t size : {0U, 4096U, 100U, 1U << 30, 0U}) {
        CAPTURE(size);
        peer.send_settings({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, size}});
        for (int i = 0; i < 20; ++i) {
            request.headers.clear();
            request.headers.add("x-number", std::to_string(i % 3));
            exchange();
            const auto& seen = peer.exchanges.at(streams.back()->id);
            CHECK(seen.field("x-number") == std::to_string(i % 3));
            CHECK(seen.field(":path") == "/path");
            peer.respond(seen.id, 200);
        }
    }
    CHECK_FALSE(peer.goaway.has_value());
    CHECK_FALSE(wire.client.broken());
    for (const auto& stream : streams) wire.client.release(*stream);
}

TEST_CASE("one stream that nobody reads beside 99 that are read at very different rates: all of these end") {
    Flow flow;
    constexpr std::int64_t size = 700'000;
    std::vector<std::int64_t> left(100, size);
    for (int i = 0; i < 100; ++i) {
        const std::uint32_t id = id_of(flow.open());
        flow.receive(frame(NGHTTP2_HEADERS, end_headers, id, ok));
    }
    std::size_t read_whole = 0;
    for (int turn = 0; turn < 400 && read_whole < 99; ++turn) {
        read_whole = 0;
        for (std::size_t i = 0; i < 100; ++i) {
            Reader& stream = *flow.streams[i];
            const std::uint32_t id = id_of(stream);
            const std::int64_t n =
                std::min({left[i], flow.window_of(id), flow.connection_window(), std::int64_t{100'000}});
            flow.receive_data(id, n);
            left[i] -= n;
            if (i > 0) flow.client.consumed(stream, stream.take(2'000 * i));
            flow.pass();
            if (i > 0 && left[i] == 0 && stream.received.empty()) ++read_whole;
        }
    }
    CHECK(read_whole == 99);
    CHECK(flow.streams[0]->received.size() == size);
}
