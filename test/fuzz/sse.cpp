// Server-sent events: the same events wherever the stream is cut, and those that a plain reading of the standard gives.

#include "http/sse.hpp"

#include "fuzz.hpp"

#include <hfhub/error.hpp>

#include <memory>
#include <string>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

struct Event {
    std::string event, data, id;
    bool operator==(const Event&) const = default;
};

struct Outcome {
    std::vector<Event> events;
    std::size_t comments = 0;
    std::optional<std::chrono::milliseconds> retry;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view stream, SseMode mode, unsigned how, std::size_t limit) {
    SseParser parser(mode, limit);
    Outcome outcome;
    SseEvent event;
    const auto drain = [&] {
        while (parser.next(event)) {
            outcome.events.push_back({std::string(event.event), std::string(event.data), std::string(event.id)});
        }
    };
    try {
        for (const std::string_view piece : pieces(stream, how)) {
            // In memory of its own that is gone before the next one comes.
            const auto block = std::make_unique<char[]>(piece.size() + 1);
            piece.copy(block.get(), piece.size());
            parser.feed({block.get(), piece.size()});
            drain();
        }
        parser.finish();
        drain();
    } catch (const ProtocolError&) {
        outcome.refused = true;
    }
    outcome.comments = parser.comments();
    outcome.retry = parser.retry();
    return outcome;
}

std::vector<std::string> lines_of(std::string_view stream) {
    if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < stream.size(); ++i) {
        if (stream[i] == '\r' && i + 1 < stream.size() && stream[i + 1] == '\n') ++i;
        if (stream[i] == '\r' || stream[i] == '\n') {
            lines.emplace_back();
        } else {
            lines.back() += stream[i];
        }
    }
    lines.pop_back();  // without an end
    return lines;
}

/// WHATWG HTML 9.2.6, word by word.
std::vector<Event> read_plainly(std::string_view stream) {
    std::vector<Event> events;
    std::string data, event, id;
    bool has_data = false;
    for (const std::string& line : lines_of(stream)) {
        if (line.empty()) {
            if (has_data) events.push_back({event.empty() ? "message" : event, data.substr(0, data.size() - 1), id});
            data.clear();
            event.clear();
            has_data = false;
            continue;
        }
        const std::size_t colon = line.find(':');
        const std::string name = line.substr(0, colon);
        std::string value = colon == line.npos ? "" : line.substr(colon + 1);
        if (value.starts_with(' ')) value.erase(0, 1);
        if (name == "event") event = value;
        if (name == "data") data += value + "\n";
        if (name == "data") has_data = true;
        if (name == "id" && value.find('\0') == value.npos) id = value;
    }
    return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const unsigned choice = input.choice();
    const SseMode mode = (choice & 1) != 0 ? SseMode::data_lines : SseMode::events;
    const Outcome whole = parse(input.rest(), mode, 0, SseParser::default_limit);
    for (const unsigned how : {1U, 2 + choice}) {
        require(parse(input.rest(), mode, how, SseParser::default_limit) == whole,
                "the events are the same wherever the stream is cut");
    }
    if (mode == SseMode::events) {
        require(whole.events == read_plainly(input.rest()), "the events are those of the standard");
    }
    for (const Event& event : whole.events) {
        require(event.data.find('\r') == event.data.npos, "a CR ends a line");
    }
    const std::size_t limit = 1 + choice / 4;
    for (const Event& event : parse(input.rest(), mode, 2 + choice, limit).events) {
        require(event.data.size() <= limit, "no event is longer than the limit");
    }
    return 0;
}
