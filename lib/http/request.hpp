#pragma once

#include "core/url.hpp"
#include "http/body.hpp"
#include "http/headers.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace hfhub::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options };
std::string_view to_string(Method method) noexcept;
/// RFC 9110 9.2.2: repeating it has the effect of sending it once.
constexpr bool is_idempotent(Method method) noexcept { return method != Method::post && method != Method::patch; }

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

/// Limits of one attempt; zero means none.
struct Timeouts {
    Milliseconds connect{10'000};  ///< DNS, TCP over all addresses, proxy and TLS together.
    Milliseconds write{30'000};    ///< Between two moments at which the peer takes bytes.
    Milliseconds headers{10'000};  ///< From the last byte sent to the first of the answer.
    Milliseconds idle{10'000};     ///< Between two reads of the body that bring bytes.
    Milliseconds pool{60'000};     ///< Waiting for a connection.
};

class AttemptRecord;

/// In memory, from a source, or none. An empty string is a body of length 0.
using RequestBody = std::variant<std::monostate, std::string, std::shared_ptr<BodySource>>;

/// What a request may do beyond one exchange; see retry.hpp and redirect.hpp for how it is used.
struct Request {
    Method method = Method::get;
    Url url;
    Headers headers;
    RequestBody body;
    Timeouts timeouts;
    Clock::time_point deadline = Clock::time_point::max();  ///< For all attempts, waits and redirects together.
    int max_redirects = 20;                                 ///< 0: redirects are answers.
    bool relative_redirects_only = false;                   ///< Absolute Locations are answers (metadata of a file).
    int max_attempts = 6;                                   ///< 1: never repeated.
    bool retry_statuses = true;  ///< Whether 408, 429 and 5xx are tried again, or only failures of the transport.
    bool idempotent = false;     ///< Says that repeating a POST does no harm.
    /// One of several that share the work on one thing: better over a connection that has nothing else to carry.
    bool spread = false;
    /// Above 0: the body of an answer below 300 is read as part of the try, up to so many bytes, into Response::text.
    /// Then one that breaks off is a try that failed.
    std::size_t buffered = 0;
    /// Without an answer for so long, by the end of a wait, no further try begins; one that does is cut short by it.
    Milliseconds max_silence{120'000};
    /// Another try of what an earlier request began: it brings nothing to the budget of retries.
    bool is_retry = false;
    AttemptRecord* record = nullptr;  ///< Of the present attempt; set by the pipeline where somebody wants to be told.
    bool decode = true;  ///< Whether Accept-Encoding is sent and the answer decoded; otherwise identity is asked for.
};

}  // namespace hfhub::http
