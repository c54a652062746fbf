#include "server.hpp"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>

namespace hfhub::test {

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

int listen_on_loopback(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 512) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("cannot listen on the loopback");
    }
    port = ntohs(address.sin_port);
    return fd;
}

}  // namespace

std::string ServerRequest::header(std::string_view name) const {
    const std::string mark = "\n" + lower(std::string(name)) + ":";
    const auto at = lower(head).find(mark);
    if (at == std::string::npos) return {};
    const auto begin = head.find_first_not_of(' ', at + mark.size());
    return head.substr(begin, head.find('\r', begin) - begin);
}

Peer::Peer(int fd, ssl_ctx_st* tls) : fd_(fd) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls == nullptr) return;
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
    ended_ = SSL_accept(ssl_) != 1;
}

Peer::~Peer() {
    if (ssl_ != nullptr) {
        if (!ended_) SSL_shutdown(ssl_);
        SSL_free(ssl_);
    }
    ::close(fd_);
}

std::string Peer::read_some(std::chrono::milliseconds limit) {
    if (!pending_.empty()) return std::exchange(pending_, {});
    if (ended_) return {};
    if (ssl_ == nullptr || SSL_pending(ssl_) == 0) {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return {};
    }
    char buffer[16 * 1024];
    const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer) : ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) ended_ = true;
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

std::string Peer::read_exactly(std::size_t size) {
    std::string out;
    while (out.size() < size) {
        const std::string more = read_some();
        if (more.empty()) return out;
        out += more;
    }
    pending_ = out.substr(size);
    out.resize(size);
    return out;
}

std::optional<std::string> Peer::read_until(std::string_view mark) {
    std::string out;
    for (;;) {
        const auto at = out.find(mark);
        if (at != std::string::npos) {
            pending_ = out.substr(at + mark.size());
            out.resize(at + mark.size());
            return out;
        }
        const std::string more = read_some();
        if (more.empty()) return std::nullopt;
        out += more;
    }
}

std::optional<ServerRequest> Peer::read_request() {
    auto head = read_until("\r\n\r\n");
    if (!head) return std::nullopt;
    ServerRequest request;
    request.head = std::move(*head);
    request.method = request.head.substr(0, request.head.find(' '));
    const auto target = request.method.size() + 1;
    request.target = request.head.substr(target, request.head.find(' ', target) - target);
    if (const std::string length = request.header("content-length"); !length.empty()) {
        request.body = read_exactly(std::stoul(length));
    } else if (request.header("transfer-encoding") == "chunked") {
        for (;;) {
            const auto line = read_until("\r\n");
            if (!line) return std::nullopt;
            const std::size_t size = std::stoul(*line, nullptr, 16);
            const std::string chunk = read_exactly(size + 2);
            if (size == 0) break;
            request.body += chunk.substr(0, size);
        }
    }
    return request;
}

bool Peer::write(std::string_view bytes) {
    while (!bytes.empty() && !ended_) {
        const ssize_t n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                          : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) ended_ = true;
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return bytes.empty();
}

bool Peer::wait_for_end(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!ended_ && std::chrono::steady_clock::now() < end) read_some(std::chrono::milliseconds(50));
    return ended_;
}

void Peer::end_sending() {
    if (ssl_ != nullptr && !ended_) SSL_shutdown(ssl_);
    ::shutdown(fd_, SHUT_WR);
}

void Peer::reset() {
    const linger none{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    ended_ = true;
}

std::string Peer::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

void Peer::interrupt() { ::shutdown(fd_, SHUT_RDWR); }

struct Server::Client {
    std::mutex mutex;
    int fd = -1;
    Peer* peer = nullptr;
    bool ended = false;
    std::thread thread;
};

Server::Server(Handler handler, SslContext tls) : handler_(std::move(handler)), tls_(std::move(tls)) {
    listener_ = listen_on_loopback(port_);
    thread_ = std::thread([this] { accept_all(); });
}

Server::~Server() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (Client& client : clients_) {
        {
            const std::lock_guard lock(client.mutex);
            if (!client.ended) ::shutdown(client.fd, SHUT_RDWR);
        }
        client.thread.join();
    }
}

void Server::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0 && errno == EMFILE && !stopping_) {  // the test has taken them all for a while
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            continue;
        }
        if (fd < 0) return;
        // Threads that are over are joined here, so that a long run does not pile them up.
        for (auto at = clients_.begin(); at != clients_.end();) {
            bool ended;
            {
                const std::lock_guard lock(at->mutex);
                ended = at->ended;
            }
            if (ended) at->thread.join();
            at = ended ? clients_.erase(at) : std::next(at);
        }
        ++accepted_;
        ++open_;
        Client& client = clients_.emplace_back();
        client.fd = fd;
        client.thread = std::thread([this, &client] {
            sigset_t pipe;  // OpenSSL writes to a descriptor whose other end may be gone
            sigemptyset(&pipe);
            sigaddset(&pipe, SIGPIPE);
            pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
            auto peer = std::make_unique<Peer>(client.fd, tls_.get());
            if (!peer->ended()) handler_(*peer);
            const std::lock_guard lock(client.mutex);
            peer.reset();
            client.ended = true;
            --open_;
        });
    }
}

std::string Server::url(std::string_view target) const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + std::string(target);
}

std::uint16_t refused_port() {
    std::uint16_t port = 0;
    ::close(listen_on_loopback(port));
    return port;
}

Server::Handler http1_answers(std::function<std::string(const ServerRequest&)> answer) {
    return [answer = std::move(answer)](Peer& peer) {
        while (const auto request = peer.read_request()) {
            const std::string bytes = answer(*request);
            if (bytes.empty() || !peer.write(bytes)) return;
        }
    };
}

std::string ok_answer(std::string_view body, std::string_view fields) {
    return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" +
           std::string(body);
}

}  // namespace hfhub::test
