#include "fault_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <string_view>

namespace hfhub::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t piece = 64 * 1024;
constexpr std::size_t most_on_the_way = 16 << 20;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void reset_on_close(int fd) {
    const linger none{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/// Bytes on their way from one socket to the other.
struct Flow {
    int from = -1, to = -1;
    struct Piece {
        Clock::time_point due;
        std::string bytes;
    };
    std::deque<Piece> pieces{};
    std::size_t size = 0;
    std::size_t passed = 0;
    Clock::time_point next{};
    bool read_over = false, was_reset = false, over = false, blocked = false;

    bool wants_read() const { return !read_over && size < most_on_the_way; }
    /// When a piece may go on.
    std::optional<Clock::time_point> due() const {
        if (pieces.empty() || blocked) return std::nullopt;
        return std::max(pieces.front().due, next);
    }
};

}  // namespace

/// One client and its server, moved by one thread.
struct FaultProxy::Link {
    Link(int client, std::optional<std::uint16_t> target, ProxyFaults made_with, int index,
         const std::atomic<bool>& stopping)
        : client(client), target(target), faults(std::move(made_with)), index(index), stopping(stopping) {
        if (faults.cut_of) faults.cut_after = faults.cut_of(index);
    }
    ~Link() {
        if (thread.joinable()) thread.join();
    }

    void run() {
        if (!target) target = asked_for();
        server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopback(target.value_or(0));
        if (target && ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            const int on = 1;
            for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            pump();
        }
        ::close(server);
        ::close(client);
        ended = true;
    }

    std::optional<std::uint16_t> asked_for() {
        std::string head;
        for (char byte; !head.ends_with("\r\n\r\n") && ::recv(client, &byte, 1, 0) == 1;) head += byte;
        const auto colon = head.find(':');
        if (!head.starts_with("CONNECT ") || colon == std::string::npos) return std::nullopt;
        const std::string_view answer = "HTTP/1.1 200 Connection established\r\n\r\n";
        (void)::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        return static_cast<std::uint16_t>(std::stoi(head.substr(colon + 1)));
    }

    void pump() {
        Flow flows[2] = {{client, server}, {server, client}};
        while (!stopping && !broken && !(flows[0].over && flows[1].over)) {
            auto wake = Clock::now() + std::chrono::milliseconds(100);
            pollfd fds[2] = {{client, 0, 0}, {server, 0, 0}};
            for (int i = 0; i < 2; ++i) {
                if (flows[i].wants_read()) fds[i].events |= POLLIN;
                if (flows[i].blocked) fds[1 - i].events |= POLLOUT;
                if (const auto due = flows[i].due()) wake = std::min(wake, *due);
            }
            // A socket that only reports its end again is left out.
            for (int i = 0; i < 2; ++i) {
                if (fds[i].events == 0 && flows[i].read_over) fds[i].fd = -1;
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - Clock::now()).count();
            ::poll(fds, 2, static_cast<int>(std::max<long>(left, 0)));
            for (int i = 0; i < 2; ++i) {
                if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !flows[i].read_over) take(flows[i]);
                if ((fds[1 - i].revents & POLLOUT) != 0) flows[i].blocked = false;
                pass(flows[i], i == 1);
            }
        }
    }

    void take(Flow& flow) {
        std::string bytes(piece, '\0');
        const ssize_t n = ::recv(flow.from, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        // What came before a reset is passed on before it.
        if (n < 0) flow.was_reset = true;
        if (n <= 0) flow.read_over = true;
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        flow.size += bytes.size();
        flow.pieces.push_back({Clock::now() + faults.delay, std::move(bytes)});
    }

    void pass(Flow& flow, bool from_server) {
        while (!broken && !flow.over && !flow.pieces.empty() && !flow.blocked) {
            if (std::max(flow.pieces.front().due, flow.next) > Clock::now()) return;
            std::string& bytes = flow.pieces.front().bytes;
            if (bytes.empty()) {
                if (flow.was_reset) {
                    reset_on_close(flow.to);
                    broken = true;
                    return;
                }
                ::shutdown(flow.to, SHUT_WR);
                flow.over = true;
                return;
            }
            std::size_t most = faults.slice > 0 ? std::min(faults.slice, bytes.size()) : bytes.size();
            const bool cuts = from_server && faults.cut_after.has_value();
            if (cuts) most = std::min(most, *faults.cut_after - flow.passed);
            const ssize_t n = most == 0 ? 0 : ::send(flow.to, bytes.data(), most, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                flow.blocked = true;
                return;
            }
            if (n < 0) {
                // Who does not read any more may still have something to say.
                flow.over = flow.read_over = true;
                return;
            }
            const auto moved = static_cast<std::size_t>(n);
            if (from_server && faults.passed) faults.passed(index, std::string_view(bytes).substr(0, moved));
            flow.passed += moved;
            flow.size -= moved;
            bytes.erase(0, moved);
            if (bytes.empty()) flow.pieces.pop_front();
            // By bytes, whatever pieces they come in; what the timer is late by is made up for.
            const auto rested = std::max(flow.next, Clock::now() - std::chrono::milliseconds(5));
            if (faults.slice > 0) flow.next = rested + std::chrono::nanoseconds(faults.pause) * moved / faults.slice;
            if (cuts && flow.passed == *faults.cut_after) return cut();
        }
    }

    void cut() {
        broken = true;
        if (faults.end == ProxyFaults::End::rst) reset_on_close(client);
        if (faults.end == ProxyFaults::End::fin) ::shutdown(client, SHUT_WR);
        while (faults.end == ProxyFaults::End::stall && !stopping) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }

    int client;
    int server = -1;
    std::optional<std::uint16_t> target;
    ProxyFaults faults;
    int index;
    const std::atomic<bool>& stopping;
    bool broken = false;
    std::atomic<bool> ended = false;
    std::thread thread;
};

FaultProxy::FaultProxy(std::uint16_t port, ProxyFaults faults) : FaultProxy(std::move(faults)) {
    const std::lock_guard lock(mutex_);
    target_ = port;
}

FaultProxy::FaultProxy(ProxyFaults faults) : faults_(std::move(faults)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 512) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("cannot listen on the loopback");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
}

FaultProxy::~FaultProxy() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (const auto& link : links_) {
        if (!link->ended) ::shutdown(link->client, SHUT_RDWR);
    }
    links_.clear();
}

void FaultProxy::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        const int index = accepted_++;
        const std::lock_guard lock(mutex_);
        links_.remove_if([](const auto& link) { return link->ended.load(); });
        Link& link = *links_.emplace_back(std::make_unique<Link>(fd, target_, faults_, index, stopping_));
        link.thread = std::thread([&link] { link.run(); });
    }
}

}  // namespace hfhub::test
