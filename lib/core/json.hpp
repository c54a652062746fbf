#pragma once

// JSON text from servers and files: bounded, and with errors that name their place.

#include <hfhub/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace hfhub {

/// What is refused before it costs memory.
struct JsonLimits {
    std::size_t bytes = std::size_t{64} << 20;
    std::size_t depth = 128;
};

/// The value that the text is. `what` names the text in errors, such as "the answer of https://…". Throws JsonError for
/// text that is no JSON, is longer or nests deeper than the limits allow.
json::value parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});

/// "an object", "a string", …, for messages.
std::string_view kind_name(const json::value& value) noexcept;

/// A member of an object; null where it is missing, or where the value is no object.
const json::value* find_member(const json::value& value, std::string_view name) noexcept;

/// A member that is text; empty where it is missing or something else.
std::string_view text_member(const json::value& value, std::string_view name) noexcept;

}  // namespace hfhub
