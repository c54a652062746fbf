#pragma once

#include "core/url.hpp"
#include "http/body.hpp"
#include "http/headers.hpp"

#include <cstdint>
#include <string>

namespace hfhub::http {

enum class Protocol : std::uint8_t { http1, http2 };
/// "HTTP/1.1" or "HTTP/2".
std::string_view to_string(Protocol protocol) noexcept;

/// An answer whose headers are complete; its body is still to be read. A status of 400 or more is an answer too.
struct Response {
    int status = 0;
    Protocol protocol = Protocol::http1;
    Headers headers;
    Body body;         ///< Null where the answer has none.
    std::string text;  ///< The whole body, where the request asked for it.
    Url url;           ///< What was asked last, after redirects.
    int attempts = 1;
};

}  // namespace hfhub::http
