#pragma once

// Waiting for a state by asking for it again and again.

#include "hub/client.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace hfhub::hub {

/// How often, and until when. Its time begins when it is made.
class Polling {
  public:
    /// Throws InvalidArgumentError for a negative timeout or an interval that is not positive. No timeout: until the
    /// deadline of the call.
    Polling(std::optional<std::chrono::milliseconds> timeout, std::chrono::milliseconds interval);

    /// Whether the time is over, so that pause would throw.
    bool is_over() const noexcept;
    /// Waits for the next question. Throws TimeoutError, which ends in `state`, where the time is over; CancelledError.
    awaitable<void> pause(Client client, std::string state) const;

  private:
    std::optional<std::chrono::milliseconds> timeout_;
    std::chrono::milliseconds interval_;
    http::Clock::time_point end_ = http::Clock::time_point::max();
};

}  // namespace hfhub::hub
