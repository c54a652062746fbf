#pragma once

// Whether a request is tried again, and when. No I/O.
//
// A repeated request may do its work twice, so only these are repeated: methods that are idempotent (RFC 9110 9.2.2),
// requests whose caller says that repeating does no harm, and requests that the server cannot have acted on. Answers
// that another try cannot change (400, 401, 403, 404, …) and failures that last (a certificate that is not trusted) are
// final. Every wait has an upper bound, and many clients do not wait for the same moment.

#include "http/request.hpp"

#include <hfhub/error.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::http {

/// Bounds of trying again.
struct RetryPolicy {
    int max_attempts = 6;                       ///< Tries in all; a request may allow fewer.
    Milliseconds base{1000};                    ///< Upper bound of the first wait; doubles with every try.
    Milliseconds cap{8000};                     ///< Upper bound of every wait that the server did not ask for.
    Milliseconds retry_after_ceiling{300'000};  ///< A server that asks for a longer wait is not waited for.
};

/// A rate limit as a server tells it (draft-ietf-httpapi-ratelimit-headers-09).
struct RateLimit {
    std::string resource;                        ///< What is limited, such as "api" or "resolvers".
    std::uint64_t remaining = 0;                 ///< Requests left in this window.
    std::chrono::seconds reset{0};               ///< Until the window ends.
    std::optional<std::uint64_t> quota;          ///< Requests per window.
    std::optional<std::chrono::seconds> window;  ///< Its length.
};

/// One try of a request, and what came of it: an answer or an error.
struct Attempt {
    int number = 1;                    ///< 1 for the first try.
    bool body_replayable = true;       ///< The body can be sent again from its start.
    bool stale_retry_done = false;     ///< A stale connection was met and retried before in this request.
    bool was_malformed = false;        ///< An answer that broke HTTP was met before in this request.
    int turned_away = 0;               ///< How often a connection that went away sent it back, this try included.
    int refusals = 0;                  ///< How often the server sent the request away unprocessed, this try included.
    int unresolved = 0;                ///< How often the host's name could not be looked up, this try included.
    int status = 0;                    ///< Of the answer.
    const Headers* headers = nullptr;  ///< Of the answer.
    const TransportError* error = nullptr;  ///< Set where no answer came.
    Milliseconds silent{0};                 ///< Since the request began, or since its last answer.
};

/// What a decision depends on beside the attempt.
struct RetryMoment {
    Clock::time_point now;
    std::chrono::system_clock::time_point wall_clock;  ///< For Retry-After with a date.
    double random = 0;                                 ///< From 0 to 1.
};

struct RetryDecision {
    bool retry = false;
    Milliseconds wait{0};
    std::string reason;  ///< Why, for the log: "503 Service Unavailable", "the server asks to wait 900 s…".
    bool server_paced =
        false;  ///< The server named the wait: such a retry costs no budget, and others may wait with it.
    bool new_connection = false;  ///< A kept connection was stale: take a new one, not another kept one.
    bool uncounted = false;       ///< The request was never begun: this was no try.
    bool unprocessed = false;     ///< It cost the server next to nothing: such a retry costs no budget.
};

/// Whether a connection that had served others went away before the request was begun (GOAWAY).
bool was_turned_away(const TransportError& error) noexcept;

/// Whether the server sent the request away without acting on it (REFUSED_STREAM, GOAWAY).
bool was_refused(const TransportError& error) noexcept;

/// Whether the host's name could not be looked up.
bool was_unresolved(const TransportError& error) noexcept;

/// 408, 429, 500, 502, 503 and 504.
constexpr bool retryable_status(int status) noexcept {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/// The wait after try number `attempt`: a random share (`random` from 0 to 1) of base * 2^(attempt - 1), at most cap.
Milliseconds backoff(const RetryPolicy& policy, int attempt, double random) noexcept;

/// RateLimit and RateLimit-Policy, such as `"api";r=0;t=55` and `"fixed window";"api";q=500;w=300`. Of several limits
/// the one that is used up for the longest time, else the first. Nothing where the field is missing or cannot be read.
std::optional<RateLimit> parse_rate_limit(const Headers& headers);

/// Retry-After, in seconds or as a date (RFC 9110 10.2.3); a date that is past is no wait.
std::optional<Milliseconds> retry_after(const Headers& headers, std::chrono::system_clock::time_point now);

/// The class in which the Hub counts a request for this URL: "resolvers" (files), "api" or "pages".
std::string_view request_class(const Url& url) noexcept;
/// Which class of requests the server's wait is for; empty where it is for all that go to its origin.
std::string_view paused_class(const Headers& headers);

/// How long the server asks to wait: until the window of a used-up rate limit ends, else Retry-After.
std::optional<Milliseconds> server_wait(const Headers& headers, std::chrono::system_clock::time_point now);

/// Decides about the next try of `request`. It begins within the request's deadline and its longest silence, or there
/// is none.
RetryDecision should_retry(const RetryPolicy& policy, const Request& request, const Attempt& attempt,
                           const RetryMoment& moment);

/// The limits of a try that begins when `left` remains of the longest silence.
Timeouts shortened(Timeouts timeouts, Milliseconds left) noexcept;

/// Keeps the retries of one client in proportion to its requests, so that an outage does not multiply them: when all
/// requests fail, at most 20 % more are sent, after a burst. One per client; not thread-safe.
class RetryBudget {
  public:
    /// `burst` retries may be spent at once.
    explicit RetryBudget(int burst = 100) noexcept : fifths_(burst * 5), most_(burst * 5) {}
    /// To be called once per request, whatever its number of tries.
    void on_request() noexcept {
        if (fifths_ < most_) ++fifths_;
    }
    /// Takes one retry from the budget; false where nothing is left.
    bool take() noexcept {
        if (fifths_ < 5) return false;
        fifths_ -= 5;
        return true;
    }

  private:
    int fifths_;  // of a retry: each request brings one
    int most_;
};

}  // namespace hfhub::http
