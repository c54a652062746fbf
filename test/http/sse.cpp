#include "http/sse.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::string_literals;

namespace {

struct Event {
    std::string event, data, id;
    bool operator==(const Event&) const = default;
};

[[maybe_unused]] std::ostream& operator<<(std::ostream& out, const Event& event) {
    return out << "{" << event.event << "|" << event.data << "|" << event.id << "}";
}

struct Case {
    const char* name;
    std::string stream;
    std::vector<Event> events;
    std::size_t comments = 0;
};

struct Outcome {
    std::vector<Event> events;
    std::size_t comments = 0;
};

/// Each piece lives in memory of its own that is gone before the next one comes.
Outcome parse(const std::vector<std::string_view>& pieces, SseMode mode = SseMode::events) {
    SseParser parser(mode);
    Outcome outcome;
    SseEvent event;
    const auto drain = [&] {
        while (parser.next(event)) {
            outcome.events.push_back({std::string(event.event), std::string(event.data), std::string(event.id)});
        }
    };
    for (std::string_view piece : pieces) {
        const auto block = std::make_unique<char[]>(piece.size() + 1);
        piece.copy(block.get(), piece.size());
        parser.feed({block.get(), piece.size()});
        drain();
    }
    parser.finish();
    drain();
    outcome.comments = parser.comments();
    return outcome;
}

void check_at_every_cut(const Case& test, SseMode mode) {
    CAPTURE(std::string(test.name));
    const std::string_view stream = test.stream;
    const Outcome whole = parse({stream}, mode);
    CHECK(whole.events == test.events);
    CHECK(whole.comments == test.comments);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        const Outcome two = parse({stream.substr(0, cut), stream.substr(cut)}, mode);
        REQUIRE_MESSAGE(two.events == test.events, test.name << " cut at " << cut);
        REQUIRE(two.comments == test.comments);
    }
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < stream.size(); ++i) bytes.push_back(stream.substr(i, 1));
    REQUIRE(parse(bytes, mode).events == test.events);
}

Event message(std::string data, std::string id = {}) { return {"message", std::move(data), std::move(id)}; }

const std::string bom = "\xEF\xBB\xBF";

const std::vector<Case> cases = {
    {"an empty stream", "", {}},
    {"one event", "data: hello\n\n", {message("hello")}},
    {"no blank after the colon", "data:hello\n\n", {message("hello")}},
    {"only one blank is dropped", "data:  hello \n\n", {message(" hello ")}},
    {"a tab is kept", "data:\thello\n\n", {message("\thello")}},
    {"CR line ends", "data: a\r\rdata: b\r\r", {message("a"), message("b")}},
    {"CRLF line ends", "data: a\r\n\r\ndata: b\r\n\r\n", {message("a"), message("b")}},
    {"mixed line ends", "data: a\r\n\rdata: b\n\r\ndata: c\r\r\n", {message("a"), message("b"), message("c")}},
    {"CR and LF apart are two line ends only where they are not CRLF",
     "data: a\n\r\ndata: b\r\n\n",
     {message("a"), message("b")}},
    {"data of several lines", "data: YHOO\ndata: +2\ndata: 10\n\n", {message("YHOO\n+2\n10")}},
    {"data of several CR lines", "data: x\rdata: y\r\r", {message("x\ny")}},
    {"JSON over lines", "data: {\ndata:   \"a\": 1\ndata: }\n\n", {message("{\n  \"a\": 1\n}")}},
    {"data without colon is an empty line of data", "data\n\n", {message("")}},
    {"two empty data lines", "data\ndata\n\n", {message("\n")}},
    {"empty data with colon", "data:\n\n", {message("")}},
    {"empty data line in front", "data:\ndata:a\n\n", {message("\na")}},
    {"empty data line behind", "data:a\ndata:\n\n", {message("a\n")}},
    {"the standard's third example", "data\n\ndata\ndata\n\ndata:", {message(""), message("\n")}},
    {"the standard's fourth example", "data:test\n\ndata: test\n\n", {message("test"), message("test")}},
    {"an event without its blank line is dropped", "data: a\n\ndata: b\n", {message("a")}},
    {"an unterminated line is dropped", "data: a\n\ndata: b", {message("a")}},
    {"an event name", "event: add\ndata: 7\n\n", {{"add", "7", ""}}},
    {"an event name after the data", "data: 7\nevent: add\n\n", {{"add", "7", ""}}},
    {"the last event name counts", "event: a\nevent: b\ndata: 7\n\n", {{"b", "7", ""}}},
    {"the name does not last", "event: add\ndata: 7\n\ndata: 8\n\n", {{"add", "7", ""}, message("8")}},
    {"an empty name is the default name", "event:\ndata: 7\n\n", {message("7")}},
    {"a name without data is no event and does not last", "event: add\n\ndata: 7\n\n", {message("7")}},
    {"an id", "id: 1\ndata: a\n\n", {message("a", "1")}},
    {"an id lasts", "id: 1\ndata: a\n\ndata: b\n\n", {message("a", "1"), message("b", "1")}},
    {"an id without data lasts too", "id: 5\n\ndata: b\n\n", {message("b", "5")}},
    {"an empty id resets", "id: 1\ndata: a\n\nid\ndata: b\n\n", {message("a", "1"), message("b")}},
    {"an empty id with colon resets", "id: 1\ndata: a\n\nid:\ndata: b\n\n", {message("a", "1"), message("b")}},
    {"an id with NUL is ignored", "id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n"s, {message("a", "1"), message("b", "1")}},
    {"an id is text", "id: 12 ü/…\ndata: a\n\n", {message("a", "12 ü/…")}},
    {"a comment", ": hi\n\ndata: a\n\n", {message("a")}, 1},
    {"an empty comment", ":\n\n", {}, 1},
    {"comments within an event", "data: a\n: one\n:two\ndata: b\n\n", {message("a\nb")}, 2},
    {"a comment that looks like data", ":data: a\n\n", {}, 1},
    {"keep-alives only", ":\n\n:\n\n: \n\n", {}, 3},
    {"blank lines only", "\n\n\r\n\r\r", {}},
    {"many blank lines between events", "\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", {message("a"), message("b")}},
    {"unknown fields", "foo: bar\ndata: a\nbar\n\n", {message("a")}},
    {"field names are case-sensitive", "Data: x\nDATA: y\ndata: z\n\n", {message("z")}},
    {"a blank in front makes another field", " data: x\ndata: z\n\n", {message("z")}},
    {"a blank before the colon makes another field", "data : x\ndata: z\n\n", {message("z")}},
    {"a longer name is another field", "datax: 1\ndat: 2\ndata: z\n\n", {message("z")}},
    {"colons in data", "data: a: b:c\n\n", {message("a: b:c")}},
    {"NUL in data", "data: a\0b\n\n"s, {message("a\0b"s)}},
    {"a byte order mark", bom + "data: a\n\n", {message("a")}},
    {"only one byte order mark is skipped", bom + bom + "data: a\n\ndata: b\n\n", {message("b")}},
    {"a byte order mark in front of a comment", bom + ": c\ndata: a\n\n", {message("a")}, 1},
    {"a byte order mark later is part of the name", "data: a\n\n" + bom + "data: b\n\n", {message("a")}},
    {"half a byte order mark is text", "\xEF\xBB: x\ndata: a\n\n", {message("a")}},
    {"a stream of half a byte order mark", "\xEF\xBB", {}},
    {"several bytes per character",
     "data: 豆腐 😀 \xC2\x85\xE2\x80\xA8\n\n",
     {message("豆腐 😀 \xC2\x85\xE2\x80\xA8")}},
    {"invalid UTF-8 passes", "data: \xFF\xC3(\n\n", {message("\xFF\xC3(")}},
    {"other line separators are text",
     "data: a\x0B\x0C\x1C\x1E"
     "b\n\n",
     {message("a\x0B\x0C\x1C\x1E"
              "b")}},
    {"retry alone is no event", "retry: 1000\n\n", {}},
    {"everything at once",
     bom + ": c\r\nevent: e\r\nid: 9\r\nretry: 5\r\ndata: x\r\ndata: y\r\n\r\n",
     {{"e", "x\ny", "9"}},
     1},
};

const std::vector<Case> line_cases = {
    {"single newlines", "data: a\ndata: b\ndata: [DONE]\n", {message("a"), message("b"), message("[DONE]")}},
    {"blank lines as well", "data: a\n\ndata: b\r\n\r\n", {message("a"), message("b")}},
    {"CR only", "data: a\r\rdata: b\r\r", {message("a"), message("b")}},
    {"two lines of one event", "data: a\ndata: b\n\n", {message("a"), message("b")}},
    {"the last line needs no end", "data: a\ndata: b", {message("a"), message("b")}},
    {"comments, names and ids",
     ": c\nevent: e\nid: 1\ndata: a\n\ndata: b\n",
     {{"e", "a", "1"}, {"message", "b", "1"}},
     1},
    {"the name lasts to the blank line",
     "event: e\ndata: a\ndata: b\n\ndata: c\n",
     {{"e", "a", ""}, {"e", "b", ""}, message("c")}},
    {"an empty line of data", "data:\ndata: a\n", {message(""), message("a")}},
    {"a byte order mark", bom + "data: a\n", {message("a")}},
};

}  // namespace

TEST_CASE("server-sent events come out the same wherever the stream is cut") {
    for (const Case& test : cases) check_at_every_cut(test, SseMode::events);
}

TEST_CASE("in line mode every data line is given at once, wherever the stream is cut") {
    for (const Case& test : line_cases) check_at_every_cut(test, SseMode::data_lines);
}

TEST_CASE("an event is given as soon as its last line end has come") {
    SseParser parser;
    SseEvent event;
    parser.feed("data: a\r\n\r");
    REQUIRE(parser.next(event));
    CHECK(event.data == "a");
    CHECK(!parser.next(event));
    parser.feed("\ndata: b\r\r");
    REQUIRE(parser.next(event));
    CHECK(event.data == "b");
}

TEST_CASE("the reconnection time is taken from digits only") {
    struct Retry {
        const char* line;
        std::int64_t milliseconds;  // -1: none
    };
    for (const Retry& test : std::initializer_list<Retry>{{"retry: 3000", 3000},
                                                          {"retry:0", 0},
                                                          {"retry: 007", 7},
                                                          {"retry", -1},
                                                          {"retry:", -1},
                                                          {"retry: -5", -1},
                                                          {"retry: +5", -1},
                                                          {"retry: 5s", -1},
                                                          {"retry:  5", -1},
                                                          {"retry: 1.5", -1},
                                                          {"retry: 99999999999999999999", -1}}) {
        CAPTURE(std::string(test.line));
        SseParser parser;
        SseEvent event;
        const std::string text = std::string(test.line) + "\n\n";
        parser.feed(text);
        CHECK(!parser.next(event));
        CHECK(parser.retry().value_or(std::chrono::milliseconds(-1)).count() == test.milliseconds);
    }
}

TEST_CASE("data that lies whole in the block is not copied") {
    const std::string block = "data: hello\n\ndata: you\n\n";
    SseParser parser;
    SseEvent event;
    parser.feed(block);
    REQUIRE(parser.next(event));
    CHECK(event.data.data() == block.data() + 6);
    REQUIRE(parser.next(event));
    CHECK(event.data.data() == block.data() + 19);
}

TEST_CASE("an event longer than the limit is refused however it comes") {
    const auto refused = [](const std::string& stream, std::size_t step, SseMode mode) {
        SseParser parser(mode, 100);
        SseEvent event;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            parser.feed(std::string_view(stream).substr(at, step));
            while (parser.next(event)) {
            }
        }
    };
    const std::string fits = "data: " + std::string(94, 'x') + "\n\n";
    const std::string line = "data: " + std::string(95, 'x') + "\n\n";
    const std::string endless(1000, 'x');
    std::string many_lines;
    for (int i = 0; i < 60; ++i) many_lines += "data: x\n";
    for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{5000}}) {
        CAPTURE(step);
        CHECK_NOTHROW(refused(fits, step, SseMode::events));
        CHECK_NOTHROW(refused(many_lines, step, SseMode::data_lines));
        CHECK_THROWS_AS(refused(line, step, SseMode::events), ProtocolError);
        CHECK_THROWS_AS(refused(line, step, SseMode::data_lines), ProtocolError);
        CHECK_THROWS_AS(refused(endless, step, SseMode::events), ProtocolError);
        CHECK_THROWS_AS(refused(many_lines, step, SseMode::events), ProtocolError);
    }
}

TEST_CASE("a large event in many small pieces comes out whole") {
    const std::string data(1 << 20, 'y');
    const std::string stream = "data: " + data + "\n\n";
    SseParser parser;
    SseEvent event;
    int events = 0;
    for (std::size_t at = 0; at < stream.size(); at += 1000) {
        parser.feed(std::string_view(stream).substr(at, 1000));
        while (parser.next(event)) {
            ++events;
            CHECK(event.data == data);
        }
    }
    CHECK(events == 1);
}

TEST_CASE("a block before the last one is used up is a mistake of the caller") {
    SseParser parser;
    parser.feed("data: a\n");
    CHECK_THROWS_AS(parser.feed("\n"), std::logic_error);
}
