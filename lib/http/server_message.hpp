#pragma once

#include <string>
#include <string_view>

namespace hfhub::http {

/// What a server says for people about an error: X-Error-Message, and from the body `error` (text, list or object),
/// `error_description`, `message`, `detail` and the messages in `errors` of JSON, Code and Message of XML, else text
/// that is no HTML. One line per text; what another line says too is there once. Access tokens that a server repeats
/// are masked.
std::string server_message(std::string_view header_message, std::string_view content_type, std::string_view body);

/// ASCII letters in lower case.
std::string to_lower(std::string_view text);

}  // namespace hfhub::http
