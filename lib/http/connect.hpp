#pragma once

#include "core/url.hpp"
#include "http/counters.hpp"
#include "http/stream.hpp"
#include "http/tls.hpp"
#include "http/workers.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hfhub::http {

/// How an origin is reached.
struct Route {
    Url target;                ///< Scheme, host and port count.
    std::optional<Url> proxy;  ///< http, https, socks5 or socks5h.
    bool offer_http2 = true;
    /// Whether requests go to the proxy in absolute form instead of through a tunnel.
    bool forwards() const { return proxy && !target.is_https() && proxy->scheme.starts_with("http"); }
};

/// The process, or the machine, may not open another descriptor: closing a connection helps.
class OutOfDescriptorsError final : public ConnectError {
  public:
    explicit OutOfDescriptorsError(const std::string& peer)
        : ConnectError("cannot connect to " + peer +
                       ": too many open files; raise the limit on descriptors (ulimit -n) or use fewer connections") {}
};

/// What a name was found to mean.
struct Lookup {
    std::vector<asio::ip::tcp::endpoint> endpoints;
    int error = 0;  ///< As getaddrinfo gives it.
    bool out_of_descriptors = false;
};
/// Looks a name up; called on a thread of its own.
using Resolver = std::function<Lookup(const std::string& host, std::uint16_t port)>;
/// By the system's resolver.
Lookup look_up(const std::string& host, std::uint16_t port);

/// Opens connections: look-up on a worker, Happy Eyeballs (RFC 8305) over all addresses, proxies, TLS.
/// Used from the session's executor only.
class Connector {
  public:
    Connector(Waits& waits, Workers& workers, TlsContext& tls, Resolver resolver = look_up,
              std::shared_ptr<Counters> counters = std::make_shared<Counters>())
        : waits_(waits), workers_(workers), tls_(tls), resolver_(std::move(resolver)), counters_(std::move(counters)) {}
    /// Throws ConnectError, ProxyError, TimeoutError, CancelledError.
    awaitable<std::unique_ptr<Stream>> connect(Route route, Limit limit, ConnectTimes* times = nullptr);

  private:
    using Endpoints = std::vector<asio::ip::tcp::endpoint>;
    awaitable<Endpoints> resolve(std::string host, std::uint16_t port, Limit limit);
    awaitable<std::unique_ptr<Stream>> connect_tcp(std::string host, std::uint16_t port, Limit limit,
                                                   ConnectTimes* times);
    awaitable<std::unique_ptr<Stream>> shake_hands(std::unique_ptr<Stream> lower, std::string host, bool offer_http2,
                                                   Limit limit);

    struct Winner {
        asio::ip::address address;
        Clock::time_point until;
    };
    Waits& waits_;
    Workers& workers_;
    TlsContext& tls_;
    Resolver resolver_;
    std::shared_ptr<Counters> counters_;
    std::unordered_map<std::string, Winner> winners_;
};

/// The order in which addresses are tried: families alternate, beginning with that of the first (RFC 8305 4).
std::vector<asio::ip::tcp::endpoint> interleave(std::vector<asio::ip::tcp::endpoint> endpoints);

/// The first of these to connect, tried in this order, each 250 ms after the one before or as soon as that has failed.
/// `name` is for messages. Throws ConnectError, TimeoutError, CancelledError.
awaitable<asio::ip::tcp::socket> race_to(Waits& waits, std::vector<asio::ip::tcp::endpoint> endpoints, std::string name,
                                         Limit limit);

}  // namespace hfhub::http
