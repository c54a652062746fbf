#include "http/socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace hfhub::http {

namespace {
std::string reason(int error) { return std::generic_category().message(error); }
}  // namespace

SocketStream::SocketStream(asio::ip::tcp::socket socket, std::shared_ptr<Counters> counters)
    : socket_(std::move(socket)), counters_(std::move(counters)) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    const int fd = socket_.native_handle();
    const int on = 1, idle = 60, interval = 30, probes = 3;
    const unsigned unacknowledged = 75'000;  // milliseconds
    const int unsent = 256 * 1024;  // what waits here longer looks sent, and the wait for the answer would begin
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof unacknowledged);
    ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

// A forked child shares the connection and its place in the parent's epoll set: even closing would take it out there.
void SocketStream::leave() noexcept {
    if (socket_.is_open()) abandon(std::make_shared<asio::ip::tcp::socket>(std::move(socket_)));
}

void SocketStream::require_this_process() const {
    if (made_in_.is_this()) return;
    throw ConnectionLostError("the connection belongs to the process that forked this one");
}

IoResult SocketStream::try_read(std::span<std::byte> buffer) {
    require_this_process();
    for (;;) {
        const ssize_t n = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
        if (n > 0) {
            const auto got = static_cast<std::size_t>(n);
            counters_->bytes_received.add(got);
            return {got, got < buffer.size() ? IoState::want_read : IoState::done};
        }
        if (n == 0) return {0, IoState::eof};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, IoState::want_read};
        throw ConnectionLostError("the connection was lost while reading: " + reason(errno));
    }
}

IoResult SocketStream::try_write(std::span<const std::byte> bytes) {
    require_this_process();
    for (;;) {
        const ssize_t n = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n >= 0) {
            const auto taken = static_cast<std::size_t>(n);
            counters_->bytes_sent.add(taken);
            return {taken, IoState::done};
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, IoState::want_write};
        throw ConnectionLostError("the connection was lost while writing: " + reason(errno));
    }
}

void SocketStream::async_wait(Direction direction, std::shared_ptr<Readiness> readiness) {
    const auto type =
        direction == Direction::read ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write;
    socket_.async_wait(type, [direction, readiness = std::move(readiness)](boost::system::error_code error) {
        readiness->on_ready(direction, !error);
    });
}

void SocketStream::close() noexcept {
    if (!made_in_.is_this()) return leave();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

bool SocketStream::readable() noexcept {
    char byte;
    const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

std::string SocketStream::peer() const {
    boost::system::error_code error;
    const auto endpoint = socket_.remote_endpoint(error);
    return error ? std::string() : endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

}  // namespace hfhub::http
