#pragma once

#include "http/retry.hpp"
#include "http/transport.hpp"
#include "http/wait.hpp"

#include <hfhub/session.hpp>

#include <functional>
#include <random>
#include <string>
#include <unordered_map>

namespace hfhub::http {

/// What a pipeline does beside sending.
struct PipelineOptions {
    RetryPolicy retry;
    bool offline = false;    ///< Every request is refused (HF_HUB_OFFLINE).
    std::string user_agent;  ///< Sent where a request has none.
    Hooks hooks;
};

/// The way of every request: operation (headers, offline check, hooks) → redirects → retries → one attempt → decoding →
/// transport. Used from the session's executor only.
class Pipeline {
  public:
    Pipeline(Waits& waits, Transport& transport, PipelineOptions options);

    /// An answer of any status. Throws OfflineModeIsEnabled, TransportError, CancelledError, InvalidArgumentError.
    awaitable<Response> send(Request request);
    Waits& waits() noexcept { return waits_; }
    /// For those who try again by themselves: false where the budget of retries is used up.
    bool take_retry() noexcept { return budget_.take(); }

  private:
    awaitable<Response> with_retries(Request& request);
    awaitable<void> sleep(Milliseconds length, Clock::time_point deadline);
    Milliseconds rest_of_pause(const Request& request);
    void prepare(Request& request);
    void tell(const Request& request, const Response& response, Clock::time_point begin);

    Waits& waits_;
    Transport& transport_;
    PipelineOptions options_;
    RetryBudget budget_;
    std::minstd_rand random_{std::random_device{}()};
    // Until when an origin asked to be left alone, by all requests or by those of one class.
    std::unordered_map<std::string, Clock::time_point> pauses_;
};

}  // namespace hfhub::http
