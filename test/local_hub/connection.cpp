#include "connection.hpp"

#include "protocol.hpp"

#include <boost/asio/post.hpp>
#include <openssl/err.h>

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace hfhub::local_hub {

namespace {

using tcp = boost::asio::ip::tcp;

constexpr std::size_t read_piece = 64 * 1024;
constexpr std::size_t write_piece = 64 * 1024;
/// So much is written or read before other connections have their turn.
constexpr std::size_t turn_bytes = 512 * 1024;
constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// The socket is driven by readiness: with TLS, OpenSSL works on the descriptor itself and drains several records
/// for one wake-up.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(tcp::socket socket, const Listener& listener)
        : socket_(std::move(socket)), listener_(listener), statistics_(listener.statistics) {
        ++statistics_.connections_accepted;
        ++statistics_.connections_open;
    }
    ~Connection() { --statistics_.connections_open; }

    void start();

  private:
    enum class Io { done, wants_read, wants_write, closed };
    struct Transfer {
        Io io;
        std::size_t size;
    };

    void handshake();
    void await_input();
    void on_input();
    void resume_input();
    void await_output();
    void wake();
    void pump();
    void choose_protocol(std::string_view bytes);
    Transfer read(char* room, std::size_t size);
    Transfer write(std::string_view bytes);
    Transfer of_ssl(int result, int size);
    void finish(bool abort);

    tcp::socket socket_;
    Listener listener_;
    Statistics& statistics_;
    std::unique_ptr<SSL, SslDeleter> ssl_;
    std::unique_ptr<Protocol> protocol_;
    OutputBuffer out_;
    std::string early_;  ///< Bytes received before the protocol was known.
    bool awaiting_input_ = false, awaiting_output_ = false, pump_posted_ = false, finished_ = false;
    bool input_paused_ = false;  ///< Reading stopped for a reason other than a lack of bytes.
};

void Connection::start() {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    if (listener_.tls == nullptr) return await_input();
    ssl_.reset(SSL_new(listener_.tls));
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    SSL_set_accept_state(ssl_.get());
    handshake();
}

void Connection::handshake() {
    ERR_clear_error();
    Transfer step = of_ssl(SSL_do_handshake(ssl_.get()), 0);
    if (step.io == Io::wants_read || step.io == Io::wants_write) {
        auto side = step.io == Io::wants_read ? tcp::socket::wait_read : tcp::socket::wait_write;
        socket_.async_wait(side, [self = shared_from_this()](const boost::system::error_code& error) {
            if (error) return self->finish(false);
            self->handshake();
        });
        return;
    }
    if (SSL_is_init_finished(ssl_.get()) == 0) {
        ++statistics_.tls_handshakes_failed;
        return finish(false);
    }
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    bool http2 = std::string_view(reinterpret_cast<const char*>(name), size) == "h2";
    choose_protocol(http2 ? http2_preface : "GET");
    wake();
    on_input();
}

void Connection::choose_protocol(std::string_view bytes) {
    auto wake_later = [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->wake();
    };
    Carrier carrier{listener_.service,      statistics_, listener_.site, ssl_ ? "https" : "http",
                    socket_.get_executor(), wake_later};
    protocol_ = bytes.starts_with(http2_preface) ? make_http2(carrier) : make_http1(carrier);
}

void Connection::await_input() {
    if (awaiting_input_ || finished_) return;
    awaiting_input_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
        self->awaiting_input_ = false;
        if (error) return self->finish(false);
        if (!self->out_.empty()) self->wake();  // a TLS write that waited for input
        self->on_input();
    });
}

void Connection::on_input() {
    thread_local std::array<char, read_piece> room;
    std::size_t taken = 0;
    while (!finished_ && (!protocol_ || protocol_->accepts_input())) {
        Transfer part = read(room.data(), room.size());
        if (part.io == Io::wants_read) return await_input();
        if (part.io == Io::wants_write) {
            input_paused_ = true;
            return await_output();
        }
        if (part.io == Io::closed) return finish(false);
        statistics_.bytes_received += part.size;
        taken += part.size;
        std::string_view bytes(room.data(), part.size);
        if (protocol_) {
            protocol_->receive(bytes);
        } else {
            early_.append(bytes);
            if (early_.size() < http2_preface.size() && http2_preface.starts_with(early_)) continue;
            choose_protocol(early_);
            protocol_->receive(early_);
            early_ = std::string();
        }
        if (taken >= turn_bytes) return resume_input();
    }
    input_paused_ = !finished_;
}

// Tries to read instead of waiting for the descriptor: OpenSSL may hold decrypted bytes already.
void Connection::resume_input() {
    input_paused_ = false;
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] { self->on_input(); });
}

void Connection::await_output() {
    if (awaiting_output_ || finished_) return;
    awaiting_output_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
        self->awaiting_output_ = false;
        if (error) return self->finish(false);
        self->pump();
    });
}

void Connection::wake() {
    if (pump_posted_ || awaiting_output_ || finished_) return;
    pump_posted_ = true;
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->pump_posted_ = false;
        self->pump();
    });
}

void Connection::pump() {
    std::size_t written = 0;
    while (!finished_ && protocol_) {
        if (out_.empty()) protocol_->produce(out_, write_piece);
        if (out_.empty()) break;
        Transfer part = write(out_.pending());
        if (part.io == Io::wants_write) return await_output();
        if (part.io == Io::wants_read) return await_input();
        if (part.io == Io::closed) return finish(false);
        out_.consume(part.size);
        statistics_.bytes_sent += part.size;
        written += part.size;
        if (written >= turn_bytes) return wake();
    }
    if (finished_ || !protocol_) return;
    if (protocol_->ending() != Protocol::Ending::none) return finish(protocol_->ending() == Protocol::Ending::abort);
    if (input_paused_ && protocol_->accepts_input()) resume_input();
}

Connection::Transfer Connection::of_ssl(int result, int size) {
    if (result > 0) return {Io::done, static_cast<std::size_t>(size)};
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {Io::wants_read, 0};
        case SSL_ERROR_WANT_WRITE:
            return {Io::wants_write, 0};
        default:
            return {Io::closed, 0};
    }
}

Connection::Transfer Connection::read(char* room, std::size_t size) {
    if (ssl_) {
        std::size_t filled = 0;
        while (filled < size) {
            ERR_clear_error();
            int n = SSL_read(ssl_.get(), room + filled, static_cast<int>(size - filled));
            if (n <= 0) {
                if (filled > 0) break;
                return of_ssl(n, 0);
            }
            filled += static_cast<std::size_t>(n);
        }
        return {Io::done, filled};
    }
    auto n = ::recv(socket_.native_handle(), room, size, 0);
    if (n > 0) return {Io::done, static_cast<std::size_t>(n)};
    bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return {again ? Io::wants_read : Io::closed, 0};
}

Connection::Transfer Connection::write(std::string_view bytes) {
    if (ssl_) {
        ERR_clear_error();
        int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        return of_ssl(n, n);
    }
    auto n = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) return {Io::done, static_cast<std::size_t>(n)};
    bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return {again ? Io::wants_write : Io::closed, 0};
}

void Connection::finish(bool abort) {
    if (finished_) return;
    finished_ = true;
    protocol_.reset();
    boost::system::error_code ignored;
    if (abort) {
        socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    } else {
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }
    socket_.close(ignored);
}

}  // namespace

void serve(tcp::socket socket, const Listener& listener) {
    std::make_shared<Connection>(std::move(socket), listener)->start();
}

}  // namespace hfhub::local_hub
