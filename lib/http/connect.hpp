#pragma once

#include "core/url.hpp"
#include "http/counters.hpp"
#include "http/lookup.hpp"
#include "http/stream.hpp"
#include "http/tls.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace hfhub::http {

/// How an origin is reached.
struct Route {
    Url target;                ///< Scheme, host and port count.
    std::optional<Url> proxy;  ///< http, https, socks5 or socks5h.
    bool offer_http2 = true;
    /// Whether requests go to the proxy in absolute form instead of through a tunnel.
    bool forwards() const { return proxy && !target.is_https() && proxy->scheme.starts_with("http"); }
};

/// Opens connections: look-up on a thread beside, Happy Eyeballs (RFC 8305) over all addresses, proxies, TLS.
/// Used from the session's executor only.
class Connector {
  public:
    Connector(Waits& waits, Workers& workers, TlsContext& tls, Resolver resolver = look_up,
              std::shared_ptr<Counters> counters = std::make_shared<Counters>())
        : waits_(waits),
          workers_(workers),
          tls_(tls),
          lookups_(workers, std::move(resolver)),
          counters_(std::move(counters)) {}
    /// `times` gets those of the steps, also of the one that fails. Throws ConnectError, ProxyError, TimeoutError,
    /// CancelledError.
    awaitable<std::unique_ptr<Stream>> connect(Route route, Limit limit, ConnectTimes& times);

  private:
    awaitable<Endpoints> resolve(std::string host, std::uint16_t port, Limit limit);
    void remember(const std::string& host, const asio::ip::address& winner);
    awaitable<std::unique_ptr<Stream>> connect_tcp(std::string host, std::uint16_t port, Limit limit,
                                                   ConnectTimes& times);
    awaitable<std::unique_ptr<Stream>> connect_to_proxy(Url proxy, Limit limit, ConnectTimes& times);
    awaitable<std::unique_ptr<Stream>> connect_through_proxy(Route route, Limit limit, ConnectTimes& times);
    awaitable<std::unique_ptr<Stream>> connect_by_address(Route route, Limit limit, ConnectTimes& times);
    awaitable<std::unique_ptr<Stream>> shake_hands(std::unique_ptr<Stream> lower, std::string host, bool offer_http2,
                                                   Limit limit);

    struct Winner {
        asio::ip::address address;
        Clock::time_point until;
    };
    Waits& waits_;
    Workers& workers_;
    TlsContext& tls_;
    Lookups lookups_;
    std::shared_ptr<Counters> counters_;
    std::unordered_map<std::string, Winner> winners_;
};

/// The part of a limit that the first of `left` addresses may take where they are tried one after the other.
Limit share_of(Limit limit, std::size_t left, Clock::time_point now);

}  // namespace hfhub::http
