#include "hub/outages.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

bool is_outage(const std::exception_ptr& failure, bool hurried) {
    try {
        std::rethrow_exception(failure);
    } catch (const ConnectError& error) {
        return !error.permanent;
    } catch (const TimeoutError& error) {
        return !hurried && error.phase != TimeoutPhase::pool && error.phase != TimeoutPhase::deadline;
    } catch (...) {
        return false;
    }
}

Outages& Outages::global() {
    // Never destroyed: the default session ends after statics that are younger than it.
    static auto* const outages = new Outages;
    return *outages;
}

bool Outages::same(const Outage& outage, const Owner& owner, const std::string& endpoint) {
    return !outage.owner.owner_before(owner) && !owner.owner_before(outage.owner) && outage.endpoint == endpoint;
}

void Outages::remember(const Owner& owner, const std::string& endpoint, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    std::erase_if(outages_, [&](const Outage& one) {
        return one.until <= now || one.owner.expired() || same(one, owner, endpoint);
    });
    outages_.push_back({owner, endpoint, now + remembered});
}

void Outages::forget(const Owner& owner, const std::string& endpoint) {
    const std::lock_guard lock(mutex_);
    std::erase_if(outages_, [&](const Outage& one) { return same(one, owner, endpoint); });
}

bool Outages::is_down(const Owner& owner, const std::string& endpoint, Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(outages_.begin(), outages_.end(),
                       [&](const Outage& one) { return same(one, owner, endpoint) && now < one.until; });
}

}  // namespace hfhub::hub
