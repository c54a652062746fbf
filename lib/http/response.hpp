#pragma once

#include "core/url.hpp"
#include "http/body.hpp"
#include "http/headers.hpp"

#include <hfhub/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace hfhub::http {

enum class Protocol : std::uint8_t { http1, http2 };
/// "HTTP/1.1" or "HTTP/2".
std::string_view to_string(Protocol protocol) noexcept;

/// An answer whose headers are complete; its body is still to be read. A status of 400 or more is an answer too.
struct Response {
    int status = 0;
    Protocol protocol = Protocol::http1;
    Headers headers;
    Body body;            ///< Null where the answer has none.
    std::string text;     ///< The whole body, where the request asked for it.
    Url url;              ///< What was asked last, after redirects.
    std::string sent_id;  ///< X-Amzn-Trace-Id as it was sent, where a body is still to be read.
    int attempts = 1;
    std::chrono::milliseconds waited{0};                 ///< Between the attempts.
    std::chrono::steady_clock::time_point headers_at{};  ///< When they were complete; noted where a hook is set.
};

/// X-Request-Id, X-Amzn-Trace-Id or x-amz-cf-id; empty where there is none.
std::string_view request_id_of(const Headers& headers);

/// What an error says of the answer that it broke off.
struct AnswerFacts {
    std::string url;  ///< Redacted.
    std::string request_id;
    int status = 0;
    int attempts = 1;
    std::chrono::milliseconds waited{0};
};
AnswerFacts facts_of(const Response& response);
void complete(TransportError& error, const AnswerFacts& answer);

}  // namespace hfhub::http
