#include "http/connect.hpp"

#include "http/proxy.hpp"
#include "http/socket.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hfhub::http {

namespace {

using tcp = asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

constexpr std::chrono::milliseconds stagger{250};  // RFC 8305 5
constexpr std::chrono::minutes winner_lifetime{10};

// A socket that a child process does not inherit.
int open_socket(int family) { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP); }

bool is_out_of_descriptors(int error) { return error == EMFILE || error == ENFILE; }

// The resolver takes files that it cannot open for names that do not exist.
bool descriptors_are_left() {
    const int fd = open_socket(AF_INET);
    if (fd < 0) return !is_out_of_descriptors(errno);
    ::close(fd);
    return true;
}

// Attempts that run side by side; the first to connect wins and the others are closed.
struct Race : std::enable_shared_from_this<Race> {
    explicit Race(Waits& waits) : event(waits), executor(waits.executor()) {}

    // False where it could not even begin.
    bool start(const tcp::endpoint& endpoint) {
        auto socket = std::make_unique<tcp::socket>(executor);
        const int fd = open_socket(endpoint.protocol().family());
        if (fd < 0) {
            if (is_out_of_descriptors(errno)) out_of_descriptors = true;
            last_error = std::generic_category().message(errno);
            return false;
        }
        boost::system::error_code not_taken;
        socket->assign(endpoint.protocol(), fd, not_taken);
        if (not_taken) {
            ::close(fd);
            last_error = not_taken.message();
            return false;
        }
        const std::size_t index = sockets.size();
        sockets.push_back(std::move(socket));
        ++running;
        sockets.back()->async_connect(endpoint, [self = shared_from_this(), index](boost::system::error_code error) {
            --self->running;
            if (self->over) return;
            if (!error && !self->winner) self->winner = index;
            if (error) self->last_error = error.message();
            self->event.notify();
        });
        return true;
    }
    void close() {
        over = true;
        for (auto& socket : sockets) {
            boost::system::error_code ignored;
            if (socket && made_in.is_this()) socket->close(ignored);
            // Closing it would take the parent's out of the epoll set that both share.
            if (socket && !made_in.is_this()) abandon(std::move(socket));
        }
    }

    MadeInProcess made_in;
    Event event;
    asio::any_io_executor executor;
    std::vector<std::unique_ptr<tcp::socket>> sockets;
    std::optional<std::size_t> winner;
    std::string last_error;
    std::size_t running = 0;
    bool out_of_descriptors = false;
    bool over = false;
};

struct CloseRace {
    Race& race;
    ~CloseRace() { race.close(); }
};

std::unique_ptr<Stream> upcast(std::unique_ptr<TlsStream> stream) { return stream; }

}  // namespace

Lookup look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    Lookup result;
    result.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
        tcp::endpoint endpoint;
        if (info->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), info->ai_addr, info->ai_addrlen);
        endpoint.resize(info->ai_addrlen);
        result.endpoints.push_back(endpoint);
    }
    if (list != nullptr) ::freeaddrinfo(list);
    result.out_of_descriptors = result.endpoints.empty() && !descriptors_are_left();
    return result;
}

std::vector<tcp::endpoint> interleave(std::vector<tcp::endpoint> endpoints) {
    if (endpoints.empty()) return endpoints;
    const bool first_is_v6 = endpoints.front().address().is_v6();
    Endpoints same, other, mixed;
    for (const auto& endpoint : endpoints) {
        (endpoint.address().is_v6() == first_is_v6 ? same : other).push_back(endpoint);
    }
    for (std::size_t i = 0; i < std::max(same.size(), other.size()); ++i) {
        if (i < same.size()) mixed.push_back(same[i]);
        if (i < other.size()) mixed.push_back(other[i]);
    }
    return mixed;
}

awaitable<tcp::socket> race_to(Waits& waits, Endpoints endpoints, std::string name, Limit limit) {
    const auto race = std::make_shared<Race>(waits);
    const CloseRace closing{*race};
    std::size_t next = 0;
    while (!race->winner) {
        if (next < endpoints.size()) {
            if (!race->start(endpoints[next++])) continue;
        } else if (race->running == 0) {
            if (race->out_of_descriptors) throw OutOfDescriptorsError(name);
            throw ConnectError("cannot connect to " + name + ": " + race->last_error);
        }
        Limit until = limit;
        if (next < endpoints.size()) until.at = std::min(limit.at, Clock::now() + stagger);
        const Wake wake = co_await race->event.wait(until.at);
        if (wake == Wake::timeout && until.at < limit.at) continue;
        limit.check(wake);
    }
    co_return std::move(*race->sockets[*race->winner]);
}

awaitable<Endpoints> Connector::resolve(std::string host, std::uint16_t port, Limit limit) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) co_return Endpoints(1, tcp::endpoint(address, port));
    auto work = [resolver = resolver_, host, port] { return resolver(host, port); };
    const Lookup result = co_await workers_.run_detached(std::move(work), limit);
    if (result.out_of_descriptors) throw OutOfDescriptorsError(host);
    if (result.endpoints.empty()) {
        const char* reason = result.error == 0 ? "no address" : ::gai_strerror(result.error);
        ConnectError error("cannot find the address of " + host + ": " + reason +
                           "; check the name, the network and the proxy settings");
        error.permanent = result.error == EAI_NONAME;
        throw error;
    }
    Endpoints ordered = interleave(result.endpoints);
    const auto known = winners_.find(host);
    if (known != winners_.end() && known->second.until > Clock::now()) {
        const auto at = std::find_if(ordered.begin(), ordered.end(),
                                     [&](const tcp::endpoint& one) { return one.address() == known->second.address; });
        if (at != ordered.end()) std::rotate(ordered.begin(), at, at + 1);
    }
    co_return ordered;
}

awaitable<std::unique_ptr<Stream>> Connector::connect_tcp(std::string host, std::uint16_t port, Limit limit,
                                                          ConnectTimes* times) {
    const auto begin = Clock::now();
    const Endpoints endpoints = co_await resolve(host, port, limit);
    const auto resolved = Clock::now();
    tcp::socket socket = co_await race_to(waits_, endpoints, host + ":" + std::to_string(port), limit);
    if (times != nullptr) {
        times->resolve = resolved - begin;
        times->connect = Clock::now() - resolved;
    }
    if (endpoints.size() > 1) {
        boost::system::error_code error;
        const auto peer = socket.remote_endpoint(error);
        if (!error) winners_.insert_or_assign(host, Winner{peer.address(), Clock::now() + winner_lifetime});
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

awaitable<std::unique_ptr<Stream>> Connector::connect(Route route, Limit limit, ConnectTimes* times) {
    const Url& first = route.proxy ? *route.proxy : route.target;
    auto stream = co_await connect_tcp(first.host, first.port, limit, times);
    const auto connected = Clock::now();
    if (route.proxy) {
        const Url& proxy = *route.proxy;
        if (proxy.scheme == "https") stream = co_await shake_hands(std::move(stream), proxy.host, false, limit);
        if (proxy.scheme == "socks5h") {
            co_await connect_through_socks5(waits_, *stream, proxy, route.target.host, route.target.port, limit);
        } else if (proxy.scheme == "socks5") {
            const Endpoints found = co_await resolve(route.target.host, route.target.port, limit);
            const std::string address = found.front().address().to_string();
            co_await connect_through_socks5(waits_, *stream, proxy, address, route.target.port, limit);
        } else if (!route.forwards()) {
            co_await connect_through_http(waits_, *stream, proxy, route.target, limit);
        }
    }
    const auto tunnelled = Clock::now();
    if (route.target.is_https()) {
        stream = co_await shake_hands(std::move(stream), route.target.host, route.offer_http2, limit);
    }
    if (times != nullptr) {
        times->proxy = tunnelled - connected;
        times->tls = Clock::now() - tunnelled;
    }
    co_return stream;
}

}  // namespace hfhub::http
