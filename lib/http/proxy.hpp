#pragma once

#include "core/url.hpp"
#include "http/stream.hpp"

#include <string>
#include <string_view>

namespace hfhub::http {

/// Opens a tunnel to `target` through an HTTP proxy (RFC 9110 9.3.6). Throws ProxyError with the proxy's status.
awaitable<void> connect_through_http(Waits& waits, Stream& proxy_stream, const Url& proxy, const Url& target,
                                     Limit limit);

/// The proxy was asked for an address, or a name, and could not reach it.
class SocksUnreachableError final : public ProxyError {
  public:
    SocksUnreachableError(const Url& proxy, const std::string& address, const std::string& why)
        : ProxyError("proxy " + proxy.host_port() + " cannot reach " + address + ": " + why), reason(why) {}
    std::string reason;
};

/// Opens a connection to `target` through a SOCKS5 proxy (RFC 1928, RFC 1929). `address` is what the proxy is asked
/// for: the target's name (socks5h) or an address that was looked up here (socks5). Throws ProxyError;
/// SocksUnreachableError where another address may do better.
awaitable<void> connect_through_socks5(Waits& waits, Stream& proxy_stream, const Url& proxy, const std::string& address,
                                       std::uint16_t port, Limit limit);

/// The error for a status with which a proxy itself answered; `refused` begins its text.
ProxyError proxy_refusal(const std::string& refused, int status);

/// The bytes of a CONNECT request.
std::string connect_request(const Url& proxy, const Url& target);
/// Status of a complete answer to CONNECT; throws ProxyError where it is none.
int connect_status(std::string_view head);

}  // namespace hfhub::http
