#include "http/h2_connection.hpp"

#include <boost/asio/post.hpp>
#include <nghttp2/nghttp2.h>

namespace hfhub::http {

namespace {
constexpr std::size_t read_size = 64 * 1024;
constexpr std::size_t write_size = 64 * 1024;
constexpr std::size_t kept_output = 4 * 1024;
constexpr std::size_t source_buffer = 256 * 1024;
constexpr int reads_per_turn = 8;                 // others on the executor get their turn
constexpr int last_turns = 64;                    // the connection's window
constexpr std::chrono::milliseconds fresh{1};     // since the last byte: nothing else can have happened
constexpr std::chrono::milliseconds silence{20};  // without a byte: a limit that passes then puts the peer in doubt

// Reading is synchronous from socket to session, so one buffer serves all connections of a thread.
std::span<std::byte> read_buffer() {
    thread_local const auto buffer = std::make_unique_for_overwrite<std::byte[]>(read_size);
    return {buffer.get(), read_size};
}
}  // namespace

class H2Connection::Exchange final : public H2Stream {
  public:
    Exchange(std::shared_ptr<H2Connection> connection)
        : connection(std::move(connection)), event(*this->connection->waits_) {}
    ~Exchange() override {
        H2Connection& owner = *connection;
        const bool open = id >= 0 && !closed;
        owner.session_.release(*this);
        if (open && !owner.closed_) owner.schedule_flush();
        owner.settle();
    }
    void on_news() override { event.notify(); }
    bool over() const noexcept { return closed && !ended; }

    std::shared_ptr<H2Connection> connection;
    Event event;
    Clock::time_point deadline;
    std::chrono::milliseconds idle{0};
};

class H2Connection::ExchangeBody final : public BodyReader {
  public:
    ExchangeBody(std::unique_ptr<Exchange> exchange, std::optional<std::uint64_t> length)
        : exchange_(std::move(exchange)), length_(length) {}

    ReadResult try_read(std::span<std::byte> buffer) override {
        if (failure_) std::rethrow_exception(failure_);
        if (!exchange_) return {0, ReadState::end};
        try {
            return read(buffer);
        } catch (...) {
            failure_ = std::current_exception();
            throw;
        }
    }

    awaitable<std::size_t> wait(std::span<std::byte> destination) override {
        Exchange& exchange = *exchange_;
        const Limit limit = limit_from_now(TimeoutPhase::idle, exchange.idle, exchange.deadline);
        exchange.destination = destination;
        exchange.delivered = 0;
        // An empty frame wakes, too, but brings nothing and renews no limit.
        while (exchange.delivered == 0 && exchange.received.empty() && !exchange.ended && !exchange.closed) {
            const Wake wake = co_await exchange.event.wait(limit.at);
            if (wake != Wake::notified) give_up(limit, wake);
        }
        exchange.destination = {};
        taken_ += exchange.delivered;
        co_return std::exchange(exchange.delivered, 0);
    }

    std::optional<std::uint64_t> remaining() const override {
        if (!length_) return std::nullopt;
        return *length_ - std::min(*length_, taken_);
    }

    void set_idle_timeout(std::chrono::milliseconds idle) override {
        if (exchange_) exchange_->idle = idle;
    }

  private:
    ReadResult read(std::span<std::byte> buffer) {
        Exchange& exchange = *exchange_;
        if (!exchange.received.empty()) {
            const std::size_t n = exchange.received.take(buffer);
            exchange.connection->consumed(exchange, n);
            taken_ += n;
            return {n, ReadState::data};
        }
        if (exchange.ended) {
            const auto length = length_;
            exchange_.reset();
            if (length && *length != taken_) throw TruncatedError(taken_, length);
            return {0, ReadState::end};
        }
        if (exchange.closed) throw_cut();
        return {0, ReadState::blocked};
    }

    [[noreturn]] void give_up(const Limit& limit, Wake wake) {
        if (wake == Wake::timeout) exchange_->connection->on_timeout();
        exchange_.reset();
        try {
            limit.check(wake);
        } catch (...) {
            failure_ = std::current_exception();
        }
        std::rethrow_exception(failure_);
    }

    [[noreturn]] void throw_cut() {
        const auto exchange = std::move(exchange_);
        if (!exchange->violation.empty())
            throw ProtocolError("the answer's body breaks HTTP/2: " + exchange->violation);
        if (length_ || exchange->connection->closed_) throw TruncatedError(taken_, length_);
        throw ConnectionLostError(std::string("the server reset the stream in its body: ") +
                                  nghttp2_http2_strerror(exchange->error_code));
    }

    std::unique_ptr<Exchange> exchange_;
    std::optional<std::uint64_t> length_;
    std::uint64_t taken_ = 0;
    std::exception_ptr failure_;  // once it has failed, a body does not end well
};

H2Connection::H2Connection(std::shared_ptr<Waits> waits, std::unique_ptr<Stream> stream, std::size_t expected_slots)
    : waits_(std::move(waits)), stream_(std::move(stream)), probe_timer_(waits_->executor()) {
    session_.expect_slots(expected_slots);
}

H2Connection::~H2Connection() { close(); }

void H2Connection::start() {
    flush();
    read_ready();
}

awaitable<Response> H2Connection::send(const Request& request) {
    const auto* text = std::get_if<std::string>(&request.body);
    const auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body);
    auto exchange = std::make_unique<Exchange>(std::static_pointer_cast<H2Connection>(shared_from_this()));
    exchange->deadline = request.deadline;
    exchange->idle = request.timeouts.idle;
    std::optional<std::uint64_t> length;
    if (text != nullptr) {
        length = text->size();
        exchange->outgoing = std::as_bytes(std::span(*text));
    } else if (source != nullptr) {
        length = (*source)->size();
        exchange->last_outgoing = false;
    }
    session_.submit(*exchange, request, text != nullptr || source != nullptr, length);
    count();
    schedule_flush();
    if (source != nullptr) co_await send_body(*exchange, **source, request);
    if (!exchange->body_sent) co_await wait_until_taken(*exchange, request, true);
    const Limit limit = limit_from_now(TimeoutPhase::headers, request.timeouts.headers, request.deadline);
    while (!exchange->headers_done) {
        if (exchange->over()) throw_failure(*exchange);
        const Wake wake = co_await exchange->event.wait(limit.at);
        if (wake == Wake::timeout) on_timeout();
        limit.check(wake);
    }
    used = true;
    if (!exchange->body_sent) {
        // An early answer ends the body where it is: the request may be gone before the exchange is.
        exchange->outgoing = {};
        exchange->last_outgoing = false;
    }
    Response response;
    response.status = exchange->status;
    response.protocol = Protocol::http2;
    response.headers = std::move(exchange->headers);
    const bool no_body = request.method == Method::head || response.status == 204 || response.status == 304;
    if (exchange->ended && exchange->received.empty() && no_body) co_return response;
    std::optional<std::uint64_t> announced;
    if (const auto value = response.headers.get("content-length"); value && !no_body) {
        announced = std::strtoull(std::string(*value).c_str(), nullptr, 10);
    }
    if (exchange->ended && exchange->received.empty() && announced.value_or(0) == 0) co_return response;
    response.body = std::make_unique<ExchangeBody>(std::move(exchange), announced);
    co_return response;
}

awaitable<void> H2Connection::send_body(Exchange& exchange, BodySource& source, const Request& request) {
    std::vector<std::byte> buffer(std::min<std::uint64_t>(source.size().value_or(source_buffer), source_buffer) + 1);
    bool more = true;
    while (more && !exchange.headers_done && !exchange.over()) {
        const std::size_t n = co_await source.read_some(buffer);
        more = n > 0;
        exchange.outgoing = std::span(buffer).first(n);
        exchange.last_outgoing = !more;
        session_.resume(exchange);
        schedule_flush();
        co_await wait_until_taken(exchange, request, !more);
    }
    exchange.outgoing = {};  // an exchange that lives on must not read from this frame's buffer
}

// The limit is for the time between two moments at which the peer takes bytes, however long all of them take.
awaitable<void> H2Connection::wait_until_taken(Exchange& exchange, const Request& request, bool whole) {
    while (!exchange.headers_done && !exchange.over() && (whole ? !exchange.body_sent : !exchange.outgoing.empty())) {
        const std::size_t left = exchange.outgoing.size();
        const Limit limit = limit_from_now(TimeoutPhase::write, request.timeouts.write, request.deadline);
        const Wake wake = co_await exchange.event.wait(limit.at);
        const bool moved = exchange.outgoing.size() < left;
        if (wake == Wake::timeout && limit.phase == TimeoutPhase::write && moved) continue;
        if (wake == Wake::timeout) on_timeout();
        limit.check(wake);
    }
}

// The peer may be slow with this answer, or gone without a word: then the next try must not meet the same silence.
void H2Connection::on_timeout() {
    const auto now = Clock::now();
    if (closed_ || probing_ || now - last_arrival_ < silence) return;
    if (last_ping_ && now - *last_ping_ < ping_interval) {
        // Servers end connections on which PINGs come often; what is in doubt again so soon serves nobody new.
        draining = true;
        return;
    }
    last_ping_ = now;
    probing_ = true;
    session_.ping();
    schedule_flush();
    probe_timer_.expires_after(patience);
    probe_timer_.async_wait([guard = weak_from_this()](boost::system::error_code error) {
        const auto self = std::static_pointer_cast<H2Connection>(guard.lock());
        if (!error && self && self->probing_) self->fail("the server gives no sign of life");
    });
}

void H2Connection::on_arrival() {
    last_arrival_ = Clock::now();
    if (!std::exchange(probing_, false)) return;
    probe_timer_.cancel();
    changed();
}

void H2Connection::throw_failure(const Exchange& exchange) const {
    if (!exchange.violation.empty()) throw ProtocolError("the answer breaks HTTP/2: " + exchange.violation);
    std::string reason;
    if (exchange.error_code != 0) {
        reason = std::string("the server reset the stream: ") + nghttp2_http2_strerror(exchange.error_code);
    } else if (!failure_.empty()) {
        reason = failure_;
    } else {
        reason = "the server closed the connection before it answered";
    }
    if (protocol_broken_) throw ProtocolError(reason);
    ConnectionLostError error(reason);
    error.maybe_processed = !exchange.unprocessed;
    const bool turned_away = exchange.unprocessed && session_.going_away();
    // Who is sent away for an error is not welcome back at once.
    const bool in_peace = session_.goaway_error() == NGHTTP2_NO_ERROR;
    // A server that takes so many requests of each connection says so before it has answered any of them.
    const bool served = used || (turned_away && session_.processed_any());
    error.stale_connection = served && in_peace && (exchange.error_code == 0 || turned_away);
    const bool for_http1 = session_.http1_required() && exchange.unprocessed;
    if (exchange.error_code == NGHTTP2_HTTP_1_1_REQUIRED || for_http1) {
        error.maybe_processed = false;
        error.stale_connection = true;
    }
    throw error;
}

void H2Connection::on_ready(Direction direction, bool ok) {
    const auto self = shared_from_this();
    if (closed_) return;
    if (direction == Direction::write) {
        write_blocked_ = false;
        if (ok) flush();
        return;
    }
    reading_ = false;
    if (ok) read_ready();
    if (ok && std::exchange(write_wants_read_, false)) {
        write_blocked_ = false;
        flush();
    }
}

void H2Connection::read_ready() {
    const auto self = shared_from_this();
    in_turn_ = true;  // what the resumed coroutines submit leaves in one write at the end
    const Turn turn = read_turns();
    in_turn_ = false;
    if (turn == Turn::over) return;
    if (std::exchange(flush_scheduled_, false) || session_.wants_write()) flush();
    if (session_.going_away()) settle();
    if (const auto limit = session_.take_new_limit(); limit && !closed_) {
        slot_limit = *limit;
        changed();
    }
    if (closed_ || std::exchange(reading_, true)) return;
    if (turn == Turn::unfinished) {
        read_later();
    } else {
        stream_->async_wait(Direction::read, std::static_pointer_cast<H2Connection>(shared_from_this()));
    }
}

// What is left may be inside the stream (TLS), where no wait for the socket would tell of it.
void H2Connection::read_later() {
    asio::post(waits_->executor(), [self = std::static_pointer_cast<H2Connection>(shared_from_this())] {
        self->on_ready(Direction::read, true);
    });
}

H2Connection::Turn H2Connection::read_turns() {
    try {
        for (int turn = 0; turn < reads_per_turn && !closed_; ++turn) {
            const auto buffer = read_buffer();
            const IoResult result = stream_->try_read(buffer);
            if (result.bytes > 0) {
                on_arrival();
                session_.receive(buffer.first(result.bytes));
                retire();
                session_.deliver();
                if (closed_) return Turn::over;
            }
            if (result.state == IoState::eof) {
                fail(session_.going_away() ? "the server is going away" : "the server closed the connection");
                return Turn::over;
            }
            if (result.state == IoState::want_read) return Turn::silent;
        }
    } catch (const ProtocolError& error) {
        protocol_broken_ = true;
        session_.deliver();
        flush();
        fail(error.what());
        return Turn::over;
    } catch (const TransportError& error) {
        fail(error.what());
        return Turn::over;
    }
    return closed_ ? Turn::over : Turn::unfinished;
}

// An executor that did not run has not seen what came meanwhile: the peer's end, or that it goes away.
bool H2Connection::alive() noexcept {
    if (closed_ || in_turn_ || Clock::now() - last_arrival_ < fresh || !stream_->readable()) return !closed_;
    try {
        read_ready();
    } catch (...) {
        close();
    }
    return !closed_ && !draining;
}

void H2Connection::consumed(Exchange& exchange, std::size_t bytes) {
    session_.consumed(exchange, bytes);
    if (session_.wants_write()) schedule_flush();
}

void H2Connection::schedule_flush() {
    if (closed_ || write_blocked_ || std::exchange(flush_scheduled_, true) || in_turn_) return;
    asio::post(waits_->executor(), [self = std::static_pointer_cast<H2Connection>(shared_from_this())] {
        self->flush_scheduled_ = false;
        self->flush();
    });
}

void H2Connection::flush() {
    const auto self = shared_from_this();
    if (closed_ || write_blocked_) return;
    const std::size_t open_before = session_.open_streams();
    try {
        for (;;) {
            if (written_ == output_.size()) {
                output_.clear();
                written_ = 0;
                session_.produce(output_, write_size);
                if (output_.empty()) break;
            }
            const IoResult result = stream_->try_write(std::span(output_).subspan(written_));
            written_ += result.bytes;
            if (result.state == IoState::done) continue;
            write_blocked_ = true;
            write_wants_read_ = result.state == IoState::want_read;  // the reader is always waiting
            if (!write_wants_read_) {
                stream_->async_wait(Direction::write, std::static_pointer_cast<H2Connection>(shared_from_this()));
            }
            break;
        }
        if (output_.capacity() > kept_output && output_.empty()) std::vector<std::byte>().swap(output_);
    } catch (const TransportError& error) {
        read_the_last();
        fail(error.what());
        return;
    }
    session_.deliver();
    // A reset that left gives its place free: who waits for one is to hear of it.
    if (!closed_ && session_.open_streams() < open_before) settle();
    if (!closed_ && session_.broken()) {
        protocol_broken_ = true;
        fail("the peer broke HTTP/2: " + session_.failure());
    }
}

// A server that closes while this side writes has often said before what becomes of the requests: answers, GOAWAY.
void H2Connection::read_the_last() {
    write_blocked_ = draining = true;
    if (std::exchange(in_turn_, true)) return;
    for (int turns = 0; turns < last_turns; ++turns) {
        const auto before = last_arrival_;
        const Turn turn = read_turns();
        if (turn == Turn::over || (turn == Turn::silent && last_arrival_ == before)) break;
    }
    in_turn_ = false;
}

void H2Connection::fail(const std::string& reason) {
    if (closed_) return;
    closed_ = true;
    failure_ = reason;
    probe_timer_.cancel();
    stream_->close();
    session_.fail_all(reason);
    changed();
}

void H2Connection::close() noexcept {
    if (closed_) return;
    try {
        session_.terminate();
        if (weak_from_this().lock()) flush();
        if (!closed_) fail("the connection was closed by this side");
    } catch (...) {
        closed_ = true;
        stream_->close();
    }
}

// Before anybody hears what was read: the next try must not come back to this connection.
void H2Connection::retire() {
    draining = draining || session_.going_away() || session_.http1_required() || session_.worn_out();
    if (session_.http1_required() && !std::exchange(http1_required, true)) changed();
}

void H2Connection::settle() {
    retire();
    if (!closed_ && draining && session_.open_streams() == 0) {
        if (!session_.going_away()) return close();
        fail("the server is going away");
        return;
    }
    changed();
}

}  // namespace hfhub::http
