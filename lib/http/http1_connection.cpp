#include "http/http1_connection.hpp"

#include "http/proxy.hpp"

#include <algorithm>
#include <cstring>

namespace hfhub::http {

namespace {
constexpr std::size_t input_size = 16 * 1024;
constexpr std::size_t source_buffer = 256 * 1024;
constexpr std::size_t inline_body = 16 * 1024;  // bodies up to this leave together with the head
constexpr std::size_t drained_on_leave = 64 * 1024;
constexpr std::chrono::seconds safe_margin{1};  // a request must not cross with the server's closing

std::string chunk_prefix(std::size_t size) {
    char text[20];
    return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%zx\r\n", size))};
}
}  // namespace

// Ends the exchange with the connection closed unless told that all went well.
class Http1Connection::Turn {
  public:
    explicit Turn(Http1Connection& connection) : connection_(&connection) {
        connection.busy_ = true;
        connection.count();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        if (connection_ != nullptr) connection_->close();
    }
    void hand_over() noexcept { connection_ = nullptr; }

  private:
    Http1Connection* connection_;
};

class Http1Connection::ExchangeBody final : public BodyReader {
  public:
    ExchangeBody(std::shared_ptr<Http1Connection> connection, std::chrono::milliseconds idle,
                 Clock::time_point deadline)
        : connection_(std::move(connection)), idle_(idle), deadline_(deadline) {}
    ~ExchangeBody() override {
        if (!connection_) return;
        if (!drain()) connection_->close();
    }

    ReadResult try_read(std::span<std::byte> buffer) override {
        if (failure_) std::rethrow_exception(failure_);
        if (!connection_) return {0, ReadState::end};
        try {
            return read(buffer);
        } catch (...) {
            fail();
            throw;
        }
    }

    awaitable<std::size_t> wait(std::span<std::byte>) override {
        const Limit limit = limit_from_now(TimeoutPhase::idle, idle_, deadline_);
        try {
            co_await connection_->readiness_.wait(state_, limit);
        } catch (...) {
            fail();
            throw;
        }
        co_return 0;
    }

    std::optional<std::uint64_t> remaining() const override {
        if (failure_) return std::nullopt;
        return connection_ ? connection_->parser_->remaining() : std::optional<std::uint64_t>(0);
    }

    void set_idle_timeout(std::chrono::milliseconds idle) override { idle_ = idle; }

  private:
    // Inside a handler: what is read later fails in the same way, for a body that broke off has no end.
    void fail() {
        failure_ = std::current_exception();
        std::exchange(connection_, nullptr)->close();
    }

    ReadResult read(std::span<std::byte> buffer) {
        Http1Connection& connection = *connection_;
        Http1Parser& parser = *connection.parser_;
        for (;;) {
            if (connection.input_begin_ < connection.input_end_) {
                const auto pending =
                    std::span(connection.input_)
                        .subspan(connection.input_begin_, connection.input_end_ - connection.input_begin_);
                const auto progress = parser.read_body(pending, buffer);
                connection.input_begin_ += progress.taken;
                taken_ += progress.written;
                if (progress.written > 0) return {progress.written, ReadState::data};
            }
            if (parser.body_done()) {
                std::exchange(connection_, nullptr)->finish_exchange();
                return {0, ReadState::end};
            }
            const IoResult got = fill(buffer);
            if (got.bytes > 0 && direct_) return {got.bytes, ReadState::data};
            if (got.bytes > 0) continue;
            if (got.state == IoState::eof) {
                parser.finish(taken_);
                continue;
            }
            state_ = got.state;
            return {0, ReadState::blocked};
        }
    }

    // Plain bodies are read straight into the reader's buffer; chunked ones pass through the parser.
    IoResult fill(std::span<std::byte> buffer) {
        Http1Connection& connection = *connection_;
        const auto left = connection.parser_->remaining();
        const bool empty = connection.input_begin_ == connection.input_end_;
        direct_ = left.has_value() && empty;
        if (direct_) {
            const auto part = buffer.first(std::min<std::uint64_t>(buffer.size(), *left));
            const IoResult result = connection.stream_->try_read(part);
            connection.parser_->skip_body(result.bytes);
            taken_ += result.bytes;
            return result;
        }
        // Chunked bytes are taken as they come: none wait here.
        connection.input_begin_ = connection.input_end_ = 0;
        const IoResult result = connection.stream_->try_read(connection.input_);
        connection.input_end_ += result.bytes;
        return result;
    }

    // A little that has already arrived is cheaper to read than a new connection.
    bool drain() noexcept {
        try {
            std::byte scrap[4096];
            std::size_t total = 0;
            while (connection_ && total < drained_on_leave) {
                const ReadResult result = read(scrap);
                if (result.state == ReadState::blocked) return false;
                total += result.bytes;
            }
            return connection_ == nullptr;
        } catch (...) {
            return false;
        }
    }

    std::shared_ptr<Http1Connection> connection_;
    std::exception_ptr failure_;
    std::chrono::milliseconds idle_;
    Clock::time_point deadline_;
    std::uint64_t taken_ = 0;
    IoState state_ = IoState::want_read;
    bool direct_ = false;
};

Http1Connection::Http1Connection(std::shared_ptr<Waits> waits, std::unique_ptr<Stream> stream, bool to_proxy,
                                 std::string proxy_authorization)
    : waits_(std::move(waits)),
      stream_(std::move(stream)),
      readiness_(*waits_, *stream_),
      to_proxy_(to_proxy),
      proxy_authorization_(std::move(proxy_authorization)) {}

Http1Connection::~Http1Connection() { close(); }

std::string Http1Connection::head_of(const Request& request) const {
    std::string head;
    head.reserve(256 + request.headers.bytes() + 4 * request.headers.size());
    head.append(to_string(request.method)).append(" ");
    if (to_proxy_) head += request.url.origin();
    head.append(request.url.target()).append(" HTTP/1.1\r\nhost: ").append(request.url.authority()).append("\r\n");
    if (!proxy_authorization_.empty()) head.append("proxy-authorization: ").append(proxy_authorization_).append("\r\n");
    for (const Headers::Field field : request.headers) {
        if (field.name == "host" || field.name == "content-length" || field.name == "transfer-encoding") continue;
        head.append(field.name).append(": ").append(field.value).append("\r\n");
    }
    if (const auto* text = std::get_if<std::string>(&request.body)) {
        head.append("content-length: ").append(std::to_string(text->size())).append("\r\n");
    } else if (const auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body)) {
        if (const auto size = (*source)->size()) {
            head.append("content-length: ").append(std::to_string(*size)).append("\r\n");
        } else {
            head += "transfer-encoding: chunked\r\n";
        }
    } else if (request.method == Method::post || request.method == Method::put || request.method == Method::patch) {
        head += "content-length: 0\r\n";
    }
    return head += "\r\n";
}

awaitable<Response> Http1Connection::send(const Request& request) {
    const auto self = std::static_pointer_cast<Http1Connection>(shared_from_this());
    Turn turn(*this);
    parser_ = std::make_unique<Http1Parser>(request.method == Method::head);
    input_.resize(input_size);
    bool got_nothing = true;
    try {
        co_await send_body(request);
        co_await read_head(request);
    } catch (TransportError& error) {
        got_nothing = input_end_ == 0;
        if (got_nothing && dynamic_cast<ConnectionLostError*>(&error) != nullptr) error.stale_connection = used;
        throw;
    }
    used = true;
    if (to_proxy_ && parser_->status() == 407) throw proxy_refusal("the proxy refused the request", 407);
    kept_for_ = Clock::duration::max();
    if (const auto kept = keep_alive_timeout(parser_->headers())) {
        kept_for_ = std::max(*kept - safe_margin, std::chrono::seconds(0));
    }
    Response response;
    response.status = parser_->status();
    response.protocol = Protocol::http1;
    response.headers = std::move(parser_->headers());
    turn.hand_over();
    if (parser_->body_done()) {
        finish_exchange();
    } else {
        response.body = std::make_unique<ExchangeBody>(self, request.timeouts.idle, request.deadline);
    }
    co_return response;
}

awaitable<void> Http1Connection::send_body(const Request& request) {
    std::string head = head_of(request);
    const auto* text = std::get_if<std::string>(&request.body);
    const auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body);
    const bool together = text != nullptr && text->size() <= inline_body;
    if (together) head += *text;
    bool going = co_await send_piece(std::as_bytes(std::span(head)), request);
    if (text != nullptr && !together && going) going = co_await send_piece(std::as_bytes(std::span(*text)), request);
    if (source == nullptr) co_return;
    const bool chunked = !(*source)->size().has_value();
    std::vector<std::byte> buffer(source_buffer);
    while (going) {
        const std::size_t n = co_await (*source)->read_some(buffer);
        if (chunked) {
            const std::string prefix = n > 0 ? chunk_prefix(n) : "0\r\n";
            going = co_await send_piece(std::as_bytes(std::span(prefix)), request);
        }
        if (going && n > 0) going = co_await send_piece(std::span(buffer).first(n), request);
        if (going && chunked) going = co_await send_piece(std::as_bytes(std::span("\r\n", 2)), request);
        if (n == 0) co_return;
    }
}

// Returns false where the server answered before it had all: the rest stays unsent (RFC 9112 9.3).
awaitable<bool> Http1Connection::send_piece(std::span<const std::byte> bytes, const Request& request) {
    const std::size_t whole = bytes.size();
    std::optional<Limit> limit;  // set while the peer takes nothing
    while (!bytes.empty()) {
        IoResult result;
        bool lost = false;
        try {
            result = stream_->try_write(bytes);
        } catch (const ConnectionLostError&) {
            // The reason may wait to be read: a server that refuses a body answers and closes.
            lost = true;
            if (!answer_is_there() && input_begin_ == input_end_) throw;
        }
        bytes = bytes.subspan(result.bytes);
        if (result.bytes > 0) limit.reset();
        const bool blocked = result.state != IoState::done;
        if (lost || (!bytes.empty() && (blocked || bytes.size() < whole) && answer_is_there())) {
            request_cut_ = true;
            co_return false;
        }
        if (!blocked || bytes.empty()) continue;
        readiness_.watch(Direction::read);  // a server that takes no more may have answered
        if (!limit) limit = limit_from_now(TimeoutPhase::write, request.timeouts.write, request.deadline);
        co_await readiness_.wait(result.state, *limit);
    }
    co_return true;
}

// Whether the final answer's head has arrived; interim answers are taken out of the way. Throws where none can come.
bool Http1Connection::answer_is_there() {
    make_room();
    const IoResult result = stream_->try_read(std::span(input_).subspan(input_end_));
    input_end_ += result.bytes;
    parse_head();
    if (result.state == IoState::eof && !parser_->head_done()) throw_ended();
    return parser_->head_done();
}

void Http1Connection::throw_ended() const {
    if (input_end_ > 0) throw ConnectionLostError("the server closed the connection within the answer's head");
    throw ConnectionLostError("the server closed the connection before it answered");
}

void Http1Connection::parse_head() {
    while (input_begin_ < input_end_ && !parser_->head_done()) {
        const auto pending = std::span(input_).subspan(input_begin_, input_end_ - input_begin_);
        const std::size_t taken = parser_->read_head(pending);
        input_begin_ += taken;
        if (taken == 0) break;
    }
}

// The parser has refused a head that is too large.
void Http1Connection::make_room() {
    if (input_end_ < input_.size()) return;
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= input_begin_;
    input_begin_ = 0;
    if (input_end_ == input_.size()) input_.resize(input_.size() * 2);
}

awaitable<void> Http1Connection::read_head(const Request& request) {
    const Limit limit = limit_from_now(TimeoutPhase::headers, request.timeouts.headers, request.deadline);
    for (;;) {
        parse_head();
        if (parser_->head_done()) co_return;
        make_room();
        const IoResult result = stream_->try_read(std::span(input_).subspan(input_end_));
        input_end_ += result.bytes;
        if (result.bytes > 0) continue;
        if (result.state == IoState::eof) throw_ended();
        co_await readiness_.wait(result.state, limit);
    }
}

void Http1Connection::finish_exchange() {
    const bool kept = parser_->keep_alive() && kept_for_ > Clock::duration::zero();
    const bool reusable = kept && !request_cut_ && input_begin_ == input_end_;
    usable_until_ = Clock::time_point::max();
    if (kept_for_ < Clock::duration::max()) usable_until_ = Clock::now() + kept_for_;
    parser_.reset();
    input_begin_ = input_end_ = 0;
    busy_ = false;
    if (!reusable) {
        close();
        return;
    }
    std::vector<std::byte>().swap(input_);
    watch();
    changed();
}

// An idle connection that becomes readable has been closed by the peer, or the peer talks out of turn.
void Http1Connection::watch() {
    if (std::exchange(watched_, true)) return;
    stream_->async_wait(Direction::read, std::static_pointer_cast<Http1Connection>(shared_from_this()));
}

void Http1Connection::on_ready(Direction, bool ok) {
    watched_ = false;
    if (closed_ || busy_) return;
    if (!ok || stream_->readable()) {
        close();
    } else {
        watch();
    }
}

bool Http1Connection::alive() noexcept {
    if (closed_ || stream_->readable()) return false;
    return usable_until_ == Clock::time_point::max() || Clock::now() < usable_until_;
}

void Http1Connection::close() noexcept {
    if (std::exchange(closed_, true)) return;
    busy_ = false;
    stream_->close();
    try {
        changed();
    } catch (...) {
    }
}

}  // namespace hfhub::http
