#pragma once

#include "certificates.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

struct ssl_st;

namespace hfhub::test {

/// A request as a scripted server sees it.
struct ServerRequest {
    std::string method, target, head, body;
    std::string header(std::string_view name) const;
};

/// One accepted connection, used by its own thread with blocking calls. Calls after the client has gone give nothing.
class Peer {
  public:
    Peer(int fd, ssl_ctx_st* tls);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// What arrives within the limit; empty at the end and when nothing comes.
    std::string read_some(std::chrono::milliseconds limit = std::chrono::seconds(10));
    /// Exactly so many bytes, or fewer at the end.
    std::string read_exactly(std::size_t size);
    /// The next request with its body (Content-Length or chunked), or nothing at the end.
    std::optional<ServerRequest> read_request();
    bool write(std::string_view bytes);
    /// Waits until the client has closed; false where it does not within the limit.
    bool wait_for_end(std::chrono::milliseconds limit = std::chrono::seconds(10));
    /// Ends this side's direction: close_notify and FIN. What the client sends is still read.
    void end_sending();
    /// Ends the connection with a TCP reset.
    void reset();
    bool ended() const noexcept { return ended_; }
    std::string alpn() const;
    /// Lets go of threads that wait here; from any thread.
    void interrupt();

  private:
    std::optional<std::string> read_until(std::string_view mark);
    int fd_;
    ssl_st* ssl_ = nullptr;
    bool ended_ = false;
    std::string pending_;
};

/// A server on a loopback port whose connections are played by a function, each on a thread of its own.
class Server {
  public:
    using Handler = std::function<void(Peer&)>;
    explicit Server(Handler handler, SslContext tls = nullptr);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    std::string url(std::string_view target = "/") const;
    /// Connections so far.
    int accepted() const noexcept { return accepted_; }
    /// Connections whose handler has not ended.
    int open() const noexcept { return open_; }
    /// Whether the server is at its end: for handlers that wait for something else.
    bool stopping() const noexcept { return stopping_; }

  private:
    struct Client;
    void accept_all();
    Handler handler_;
    SslContext tls_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_ = 0, open_ = 0;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::list<Client> clients_;
    std::thread thread_;
};

/// A port of this machine on which nobody listens.
std::uint16_t refused_port();

/// Answers each request of a connection with what `answer` gives (whole HTTP/1.1 answers) until it gives nothing.
Server::Handler http1_answers(std::function<std::string(const ServerRequest&)> answer);
/// "HTTP/1.1 200 OK" with a body.
std::string ok_answer(std::string_view body, std::string_view fields = {});

}  // namespace hfhub::test
