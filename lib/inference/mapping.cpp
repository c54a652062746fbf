#include "inference/mapping.hpp"

namespace hfhub {

// Some servers send one tool call as an object where the others send an array.
void read_json(const json::value& value, ChatToolCalls& out, const JsonPlace& place) {
    std::vector<ChatToolCall>& calls = out;
    out.single_object = value.is_object();
    if (out.single_object) {
        detail::Reader::read(value, calls.emplace_back(), place);
    } else {
        detail::Reader::read(value, calls, place);
    }
}

json::value write_json(const ChatToolCalls& calls) {
    if (calls.single_object && calls.size() == 1) return to_json(calls.front());
    return to_json(static_cast<const std::vector<ChatToolCall>&>(calls));
}

}  // namespace hfhub
