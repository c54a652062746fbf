#pragma once

#include "core/fork.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace hfhub::hub {

/// Whether the failure means that no answer came from the other side, though it had the time for one: limits of the
/// caller, and waiting for one's own connections, say nothing about it. `hurried`: so do timeouts at all.
bool is_outage(const std::exception_ptr& failure, bool hurried = false);

/// Remembers for a while which endpoints a session could not reach, so that a program with a full cache waits once when
/// the network is down, and not for every file. Thread-safe.
class Outages {
  public:
    using Clock = std::chrono::steady_clock;
    using Owner = std::weak_ptr<const void>;  ///< The session.
    static constexpr std::chrono::seconds remembered{60};

    static Outages& global();

    void remember(const Owner& owner, const std::string& endpoint, Clock::time_point now = Clock::now());
    void forget(const Owner& owner, const std::string& endpoint);
    bool is_down(const Owner& owner, const std::string& endpoint, Clock::time_point now = Clock::now()) const;

  private:
    struct Outage {
        Owner owner;
        std::string endpoint;
        Clock::time_point until;
    };
    static bool same(const Outage& outage, const Owner& owner, const std::string& endpoint);

    mutable ForkSafeMutex mutex_;
    std::vector<Outage> outages_;
};

}  // namespace hfhub::hub
