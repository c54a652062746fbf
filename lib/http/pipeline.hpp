#pragma once

#include "http/counters.hpp"
#include "http/retry.hpp"
#include "http/transport.hpp"
#include "http/wait.hpp"

#include <hfhub/session.hpp>

#include <functional>
#include <memory>
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
    std::shared_ptr<Counters> counters = std::make_shared<Counters>();
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
    /// To be told of waits between tries, also of those who try again by themselves.
    void on_waited(Milliseconds length) noexcept {
        options_.counters->waited.add(static_cast<std::uint64_t>(length.count()));
    }

  private:
    struct Tries;
    awaitable<Response> with_retries(Request& request);
    void begin_try(Request& request, Tries& tries);
    void on_answer(const Tries& tries, Response& response);
    RetryMoment this_moment();
    RetryDecision after_answer(Request& request, Tries& tries, const Response& response);
    RetryDecision after_failure(Request& request, Tries& tries, TransportError& error, const Response& response);
    RetryDecision within_budget(RetryDecision decision);
    void note(const Request& request, const Tries& tries, const RetryDecision& decision);
    awaitable<void> sleep(Milliseconds length, const Request& request, Tries& tries);
    Milliseconds rest_of_pause(const Request& request);
    void prepare(Request& request);
    void tell(const Request& request, const Response& response, Clock::time_point begin);

    Waits& waits_;
    Transport& transport_;
    PipelineOptions options_;
    std::shared_ptr<const std::function<void(const AttemptTrace&)>> told_;
    RetryBudget budget_;
    std::minstd_rand random_{std::random_device{}()};
    // Until when an origin asked to be left alone, by all requests or by those of one class.
    std::unordered_map<std::string, Clock::time_point> pauses_;
};

}  // namespace hfhub::http
