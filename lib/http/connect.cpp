#include "http/connect.hpp"

#include "http/happy_eyeballs.hpp"
#include "http/proxy.hpp"
#include "http/socket.hpp"

#include <algorithm>

namespace hfhub::http {

namespace {

using tcp = asio::ip::tcp;

constexpr std::chrono::minutes winner_lifetime{10};

/// Adds what goes by until its end to the time of a step, however that ends.
class Timed {
  public:
    explicit Timed(std::optional<Clock::duration>& step) : step_(step) {}
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;
    ~Timed() { step_ = step_.value_or(Clock::duration()) + (Clock::now() - begin_); }

  private:
    std::optional<Clock::duration>& step_;
    Clock::time_point begin_ = Clock::now();
};

std::unique_ptr<Stream> upcast(std::unique_ptr<TlsStream> stream) { return stream; }

}  // namespace

Limit share_of(Limit limit, std::size_t left, Clock::time_point now) {
    if (left > 1 && limit.at != Clock::time_point::max() && limit.at > now) limit.at = now + (limit.at - now) / left;
    return limit;
}

awaitable<Endpoints> Connector::resolve(std::string host, std::uint16_t port, Limit limit) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) co_return Endpoints(1, tcp::endpoint(address, port));
    auto finding = lookups_.find(host, port, limit);
    Endpoints ordered = interleave(co_await std::move(finding));
    const auto known = winners_.find(host);
    if (known != winners_.end() && known->second.until > Clock::now()) {
        const auto at = std::find_if(ordered.begin(), ordered.end(),
                                     [&](const tcp::endpoint& one) { return one.address() == known->second.address; });
        if (at != ordered.end()) std::rotate(ordered.begin(), at, at + 1);
    }
    co_return ordered;
}

void Connector::remember(const std::string& host, const asio::ip::address& winner) {
    winners_.insert_or_assign(host, Winner{winner, Clock::now() + winner_lifetime});
}

awaitable<std::unique_ptr<Stream>> Connector::connect_tcp(std::string host, std::uint16_t port, Limit limit,
                                                          ConnectTimes& times) {
    Endpoints endpoints;
    {
        const Timed timed(times.resolve);
        endpoints = co_await resolve(host, port, limit);
    }
    const Timed timed(times.connect);
    tcp::socket socket = co_await race_to(waits_, endpoints, host + ":" + std::to_string(port), limit);
    if (endpoints.size() > 1) {
        boost::system::error_code error;
        const auto peer = socket.remote_endpoint(error);
        if (!error) remember(host, peer.address());
    }
    co_return std::make_unique<SocketStream>(std::move(socket), counters_);
}

awaitable<std::unique_ptr<Stream>> Connector::shake_hands(std::unique_ptr<Stream> lower, std::string host,
                                                          bool offer_http2, Limit limit) {
    co_await tls_.load(waits_, workers_, limit);
    auto tls = tls_.client(std::move(lower), host, offer_http2);
    co_await tls->handshake(waits_, limit);
    (tls->tls().resumed ? counters_->resumptions : counters_->handshakes).add();
    co_return upcast(std::move(tls));
}

awaitable<std::unique_ptr<Stream>> Connector::connect_to_proxy(Url proxy, Limit limit, ConnectTimes& times) {
    auto stream = co_await connect_tcp(proxy.host, proxy.port, limit, times);
    const Timed timed(times.proxy);
    if (proxy.scheme == "https") stream = co_await shake_hands(std::move(stream), proxy.host, false, limit);
    co_return stream;
}

// socks5: what the target's name means is found out here, and the proxy is asked for one address after the other. Each
// takes a connection to the proxy of its own, for one that was refused is over (RFC 1928 6).
awaitable<std::unique_ptr<Stream>> Connector::connect_by_address(Route route, Limit limit, ConnectTimes& times) {
    const Url &proxy = *route.proxy, &target = route.target;
    Endpoints found;
    {
        const Timed timed(times.resolve);
        found = co_await resolve(target.host, target.port, limit);
    }
    std::string outcomes;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const Limit share = share_of(limit, found.size() - i, Clock::now());
        const std::string address = found[i].address().to_string();
        if (!outcomes.empty()) outcomes += ", ";
        try {
            auto stream = co_await connect_to_proxy(proxy, share, times);
            const Timed timed(times.proxy);
            co_await connect_through_socks5(waits_, *stream, proxy, address, target.port, share);
            if (found.size() > 1) remember(target.host, found[i].address());
            co_return stream;
        } catch (const SocksUnreachableError& error) {
            outcomes += address + ": " + error.reason;
        } catch (const TimeoutError& error) {
            outcomes += address + ": no answer";
            if (share.at < limit.at) continue;
            if (error.phase != TimeoutPhase::connect) throw;
            throw TimeoutError(
                error.phase, error.limit,
                " to " + target.host_port() + " by the proxy " + proxy.host_port() + " (" + outcomes + ")");
        }
    }
    throw ProxyError("proxy " + proxy.host_port() + " cannot reach " + target.host_port() + " (" + outcomes + ")");
}

awaitable<std::unique_ptr<Stream>> Connector::connect_through_proxy(Route route, Limit limit, ConnectTimes& times) {
    if (route.proxy->scheme == "socks5") {
        auto by_address = connect_by_address(std::move(route), limit, times);
        co_return co_await std::move(by_address);
    }
    const Url &proxy = *route.proxy, &target = route.target;
    auto stream = co_await connect_to_proxy(proxy, limit, times);
    const Timed timed(times.proxy);
    if (proxy.scheme == "socks5h") {
        co_await connect_through_socks5(waits_, *stream, proxy, target.host, target.port, limit);
    } else if (!route.forwards()) {
        co_await connect_through_http(waits_, *stream, proxy, target, limit);
    }
    co_return stream;
}

awaitable<std::unique_ptr<Stream>> Connector::connect(Route route, Limit limit, ConnectTimes& times) {
    std::unique_ptr<Stream> stream;
    if (route.proxy) {
        stream = co_await connect_through_proxy(route, limit, times);
    } else {
        stream = co_await connect_tcp(route.target.host, route.target.port, limit, times);
    }
    if (route.target.is_https()) {
        const Timed timed(times.tls);
        stream = co_await shake_hands(std::move(stream), route.target.host, route.offer_http2, limit);
    }
    co_return stream;
}

}  // namespace hfhub::http
