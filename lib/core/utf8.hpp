#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hfhub {

/// How many bytes the UTF-8 character (RFC 3629: no surrogates, no overlong forms) takes that the text begins with; 0
/// where it begins with none.
std::size_t utf8_character(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;

/// Whether the text begins with a control character, of ASCII or of U+0080 to U+009F: terminals obey both.
bool begins_with_control(std::string_view text) noexcept;

/// The text as it may be shown to people: '?' for each control character and each byte that is no UTF-8, and no more
/// than `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace hfhub
