#include "http/attempt_record.hpp"

#include "core/log.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

namespace hfhub::http {

namespace {

using Duration = AttemptTrace::Duration;

// Servers repeat what they were sent, and may send what a terminal obeys.
std::string shown(std::string_view text) { return redact(printable(text, 1000)); }

Duration rounded(Clock::duration length) { return std::chrono::duration_cast<Duration>(length); }

std::optional<Duration> rounded(std::optional<Clock::duration> length) {
    if (!length) return std::nullopt;
    return rounded(*length);
}

std::optional<Duration> since(Clock::time_point begin, std::optional<Clock::time_point> at) {
    if (!at) return std::nullopt;
    return std::chrono::duration_cast<Duration>(*at - begin);
}

class NotedBody final : public BodyReader {
  public:
    NotedBody(Body inner, std::shared_ptr<AttemptRecord> record)
        : inner_(std::move(inner)), record_(std::move(record)) {}
    // Who knows how long it is need not read its end.
    ~NotedBody() override {
        if (record_ && inner_->remaining() == 0) end();
    }

    ReadResult try_read(std::span<std::byte> buffer) override {
        try {
            const ReadResult result = inner_->try_read(buffer);
            note(result.bytes);
            if (result.state == ReadState::end) end();
            return result;
        } catch (...) {
            fail();
            throw;
        }
    }
    awaitable<std::size_t> wait(std::span<std::byte> destination) override {
        try {
            auto waiting = inner_->wait(destination);
            const std::size_t bytes = co_await std::move(waiting);
            note(bytes);
            co_return bytes;
        } catch (...) {
            fail();
            throw;
        }
    }
    std::optional<std::uint64_t> remaining() const override { return inner_->remaining(); }
    void set_idle_timeout(std::chrono::milliseconds idle) override { inner_->set_idle_timeout(idle); }

  private:
    void note(std::size_t bytes) noexcept {
        if (record_) record_->on_received(bytes);
    }
    void end() {
        if (const auto record = std::exchange(record_, nullptr)) record->on_end();
    }
    void fail() {
        if (const auto record = std::exchange(record_, nullptr)) record->on_failure(std::current_exception());
    }

    Body inner_;
    std::shared_ptr<AttemptRecord> record_;
};

}  // namespace

AttemptRecord::AttemptRecord(const Request& request, int attempt, int max_attempts, std::shared_ptr<const Told> told)
    : told_(std::move(told)),
      method_(to_string(request.method)),
      url_(redact(request.url.redacted())),
      attempt_(attempt),
      max_attempts_(max_attempts),
      request_id_(shown(request.headers.value("x-amzn-trace-id"))),
      error_("ended by the caller") {
    if (const auto* text = std::get_if<std::string>(&request.body)) body_size_ = text->size();
}

void AttemptRecord::on_connection(Protocol protocol, std::shared_ptr<const ConnectionFacts> facts, bool reused) {
    connected_ = Clock::now();
    protocol_ = protocol;
    facts_ = std::move(facts);
    reused_ = reused;
    bytes_sent_ = body_size_;
}

void AttemptRecord::on_answer(const Response& response) {
    answered_ = Clock::now();
    protocol_ = response.protocol;
    status_ = response.status;
    if (const auto id = request_id_of(response.headers); !id.empty()) request_id_ = shown(id);
    error_ = "left before the end of the answer";
    if (!response.body) on_end();
}

void AttemptRecord::on_end() {
    ended_ = Clock::now();
    error_.clear();
}

void AttemptRecord::on_failure(const std::exception_ptr& failure) {
    ended_ = Clock::now();
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        error_ = shown(error.what());
    } catch (...) {
        error_ = "an unknown exception";
    }
}

void AttemptRecord::on_wait(Milliseconds wait, std::string_view reason) {
    wait_ = wait;
    reason_ = shown(reason);
}

void AttemptRecord::add_connection(AttemptTrace& trace) const {
    if (protocol_) trace.protocol = to_string(*protocol_);
    trace.queued = since(begin_, connected_);
    trace.reused = reused_;
    if (!facts_) return;
    trace.remote_address = facts_->peer;
    trace.proxy = facts_->proxy;
    trace.tls_version = facts_->tls.version;
    trace.tls_cipher = facts_->tls.cipher;
    trace.tls_resumed = facts_->tls.resumed;
    if (reused_) return;
    trace.dns = rounded(facts_->times.resolve);
    trace.connect = rounded(facts_->times.connect);
    trace.proxy_handshake = rounded(facts_->times.proxy);
    trace.tls = rounded(facts_->times.tls);
}

AttemptRecord::~AttemptRecord() {
    try {
        AttemptTrace trace;
        trace.method = method_;
        trace.url = url_;
        trace.attempt = attempt_;
        trace.max_attempts = max_attempts_;
        add_connection(trace);
        trace.first_byte = since(begin_, answered_);
        trace.total = rounded(ended_.value_or(Clock::now()) - begin_);
        trace.bytes_sent = bytes_sent_;
        trace.bytes_received = bytes_received_;
        trace.status = status_;
        trace.request_id = request_id_;
        trace.error = error_;
        trace.wait = wait_;
        trace.reason = reason_;
        (*told_)(trace);
    } catch (...) {
        // Who only listens must not change what happens.
    }
}

Body noted(Body body, std::shared_ptr<AttemptRecord> record) {
    if (!body || !record) return body;
    return std::make_unique<NotedBody>(std::move(body), std::move(record));
}

awaitable<std::size_t> NotedSource::read_some(std::span<std::byte> buffer) {
    auto reading = source_->read_some(buffer);
    const std::size_t bytes = co_await std::move(reading);
    sent_ += bytes;
    if (const auto noting = record_.lock()) noting->on_sent(bytes);
    co_return bytes;
}

}  // namespace hfhub::http
