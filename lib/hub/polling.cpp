#include "hub/polling.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

Polling::Polling(std::optional<std::chrono::milliseconds> timeout, std::chrono::milliseconds interval)
    : timeout_(timeout), interval_(interval) {
    if (timeout && timeout->count() < 0) throw InvalidArgumentError("timeout cannot be negative");
    if (interval.count() <= 0) throw InvalidArgumentError("poll_interval must be positive");
    const http::Clock::time_point now = http::Clock::now();
    // What cannot be added to the clock's time is no limit.
    if (timeout && *timeout < std::chrono::duration_cast<std::chrono::milliseconds>(end_ - now)) end_ = now + *timeout;
}

awaitable<void> Polling::pause(Client client, std::string state) const {
    const http::Clock::time_point now = http::Clock::now();
    if (timeout_ && now >= end_) throw TimeoutError(TimeoutPhase::deadline, *timeout_, ": " + state);
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - now);
    co_await client.wait_until(interval_ < most ? now + interval_ : end_);
}

}  // namespace hfhub::hub
