#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace hfhub {

/// RFC 4648 section 4, with padding.
std::string base64_encode(std::span<const std::byte> bytes);
std::string base64_encode(std::string_view bytes);
/// RFC 4648 section 5 ('-' and '_'), with padding, as Python's urlsafe_b64encode.
std::string base64url_encode(std::span<const std::byte> bytes);
std::string base64url_encode(std::string_view bytes);

/// The bytes of base64 text (RFC 4648 section 4). Throws InvalidArgumentError on other characters, blanks included, on
/// missing padding and on a length that no bytes have.
std::string base64_decode(std::string_view text);

}  // namespace hfhub
