// HTTP/1.1 answers: however the bytes are cut, the same comes of them, and nothing that could pass for another field.

#include "fuzz.hpp"
#include "http/http1_parser.hpp"

#include <hfhub/error.hpp>

#include <string>
#include <tuple>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

enum class End { done, no_head, truncated, malformed };

struct Answer {
    End end = End::done;
    int status = 0;
    std::string fields;
    std::string body;
    bool keep_alive = false;
    std::size_t left_over = 0;
    auto tie() const { return std::tie(end, status, fields, body, keep_alive, left_over); }
};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// One step; false where the parser waits for more.
bool step(Http1Parser& parser, std::string& pending, std::span<std::byte> out, Answer& answer) {
    if (!parser.head_done()) {
        const std::size_t taken = parser.read_head(bytes_of(pending));
        require(taken <= pending.size(), "no more is taken than is there");
        pending.erase(0, taken);
        return taken > 0;
    }
    if (pending.empty()) return false;
    const auto progress = parser.read_body(bytes_of(pending), out);
    require(progress.taken <= pending.size() && progress.written <= out.size(), "progress is within both buffers");
    answer.body.append(reinterpret_cast<const char*>(out.data()), progress.written);
    pending.erase(0, progress.taken);
    return progress.taken > 0 || progress.written > 0;
}

Answer read(std::string_view input, bool head_request, unsigned how, std::size_t out_size) {
    Answer answer;
    Http1Parser parser(head_request);
    std::vector<std::byte> out(out_size);
    std::string pending;
    try {
        for (const std::string_view piece : pieces(input, how)) {
            pending += piece;
            while (!parser.body_done() && step(parser, pending, out, answer)) {
            }
            require(pending.size() <= 64 * 1024 + piece.size() || parser.body_done(), "what waits is bounded");
        }
        if (!parser.head_done()) {
            answer.end = End::no_head;
        } else if (!parser.body_done()) {
            parser.finish(answer.body.size());
        }
    } catch (const TruncatedError&) {
        answer.end = End::truncated;
    } catch (const ProtocolError&) {
        answer.end = End::malformed;
    }
    if (answer.end != End::done) return {answer.end, 0, {}, {}, false, 0};
    answer.status = parser.status();
    require(answer.status >= 200 && answer.status <= 999, "a final answer has a final status");
    require(parser.headers().size() <= 256 && parser.headers().bytes() <= 64 * 1024, "fields are bounded");
    for (const Headers::Field field : parser.headers()) {
        require(!field.name.empty(), "a field has a name");
        require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == field.value.npos, "a value is one line");
        answer.fields.append(field.name).append(":").append(field.value).append("\n");
    }
    answer.keep_alive = parser.keep_alive();
    answer.left_over = pending.size();
    return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const unsigned choice = input.choice();
    const bool head_request = (choice & 1) != 0;
    const Answer whole = read(input.rest(), head_request, 0, 4096);
    for (const unsigned how : {1U, 2 + choice}) {
        Answer other = read(input.rest(), head_request, how, 1 + choice);
        // What follows the answer is not fed once it is done.
        other.left_over = whole.left_over;
        require(other.tie() == whole.tie(), "an answer is the same however it is cut");
    }
    require(whole.body.size() <= size, "a body has no more bytes than came");
    return 0;
}
