#include "core/json.hpp"

#include <hfhub/error.hpp>

#include <boost/json/stream_parser.hpp>

namespace hfhub {

json::value parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
    if (text.size() > limits.bytes) {
        throw JsonError(std::string(what) + " has " + std::to_string(text.size()) + " bytes of JSON; at most " +
                        std::to_string(limits.bytes) + " are read");
    }
    json::parse_options options;
    options.max_depth = limits.depth;
    json::stream_parser parser({}, options);
    boost::system::error_code error;
    const std::size_t read = parser.write_some(text, error);
    if (!error && text.find_first_not_of(" \t\r\n", read) != std::string_view::npos) error = json::error::extra_data;
    if (!error) parser.finish(error);
    if (!error) return parser.release();
    throw JsonError(std::string(what) + " is not JSON: " + error.message() + " at byte " + std::to_string(read));
}

std::string_view kind_name(const json::value& value) noexcept {
    switch (value.kind()) {
        case json::kind::null:
            return "null";
        case json::kind::bool_:
            return "a boolean";
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::double_:
            return "a number";
        case json::kind::string:
            return "a string";
        case json::kind::array:
            return "an array";
        case json::kind::object:
            return "an object";
    }
    return "something else";
}

const json::value* find_member(const json::value& value, std::string_view name) noexcept {
    const json::object* object = value.if_object();
    return object ? object->if_contains(name) : nullptr;
}

std::string_view text_member(const json::value& value, std::string_view name) noexcept {
    const json::value* member = find_member(value, name);
    const json::string* text = member ? member->if_string() : nullptr;
    return text ? std::string_view(*text) : std::string_view();
}

}  // namespace hfhub
