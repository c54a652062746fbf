#include "hub/polling.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

Polling::Polling(std::optional<std::chrono::milliseconds> timeout, std::chrono::milliseconds interval)
    : timeout_(timeout), interval_(interval) {
    if (timeout && timeout->count() < 0) throw InvalidArgumentError("timeout cannot be negative");
    if (interval.count() <= 0) throw InvalidArgumentError("poll_interval must be positive");
    const http::Clock::time_point now = http::Clock::now();
    // What cannot be added to the clock's time is no limit.
    if (timeout && *timeout < std::chrono::duration_cast<std::chrono::milliseconds>(end_ - now)) end_ = now + *timeout;
}

bool Polling::is_over() const noexcept { return timeout_ && http::Clock::now() >= end_; }

awaitable<void> Polling::pause(Client client, std::string state) const {
    if (is_over()) throw TimeoutError(TimeoutPhase::deadline, *timeout_, ": " + state);
    const http::Clock::time_point now = http::Clock::now();
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - now);
    const http::Clock::time_point next = interval_ < most ? now + interval_ : end_;
    co_await client.wait_until(next);
}

}  // namespace hfhub::hub
