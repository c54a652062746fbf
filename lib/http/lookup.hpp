#pragma once

#include "http/workers.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hfhub::http {

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

/// What a name was found to mean.
struct Lookup {
    Endpoints endpoints;
    int error = 0;  ///< As getaddrinfo gives it.
    bool out_of_descriptors = false;
};
/// Looks a name up; called on a thread of its own.
using Resolver = std::function<Lookup(const std::string& host, std::uint16_t port)>;
/// By the system's resolver.
Lookup look_up(const std::string& host, std::uint16_t port);

/// The look-ups of one session. Those of one name that are wanted at the same time are one; nothing is kept after its
/// end, for how long a name may be believed is the system's matter. Used from the session's executor only.
class Lookups {
  public:
    Lookups(Workers& workers, Resolver resolver) : workers_(workers), resolver_(std::move(resolver)) {}
    /// At least one address. Throws UnresolvedHostError, OutOfDescriptorsError, TimeoutError, CancelledError.
    awaitable<Endpoints> find(std::string host, std::uint16_t port, Limit limit);

  private:
    Workers& workers_;
    Resolver resolver_;
    struct UnderWay {
        Workers::Pending<Lookup> pending;
        Clock::time_point begun;
    };
    std::unordered_map<std::string, UnderWay> under_way_;
};

}  // namespace hfhub::http
