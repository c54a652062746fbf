#include "inference/token_stream.hpp"

#include "core/fork.hpp"
#include "http/session.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/json/serialize.hpp>

namespace hfhub::inference {

namespace {

constexpr std::size_t buffer_size = 8 * 1024;
constexpr std::size_t max_plain_answer = 1 << 20;
// After its last event an answer has only its framing left; waiting for it keeps an HTTP/1.1 connection.
constexpr std::chrono::milliseconds patience_after_done{50};
constexpr std::size_t max_bytes_after_done = 64 * 1024;

awaitable<void> drain(http::Body body) {
    std::vector<std::byte> scrap(1024);
    std::size_t total = 0;
    body->set_idle_timeout(patience_after_done);
    while (total < max_bytes_after_done) {
        const std::size_t n = co_await http::read_some(body.get(), scrap);
        if (n == 0) co_return;
        total += n;
    }
}

}  // namespace

EventStream::EventStream(Session session, http::Response answer, StreamTimeouts timeouts)
    : session_(std::move(session)),
      state_(session_.state()),
      body_(std::move(answer.body)),
      answer_(http::facts_of(answer)),
      timeouts_(timeouts),
      buffer_(buffer_size) {}

EventStream::~EventStream() {
    if (!body_) return;
    // A forked child's copy of the stream is not what is under way.
    if (!state_->is_of_this_process()) {
        abandon(std::move(body_));
        return;
    }
    asio::dispatch(state_->executor(), [state = state_, done = done_, body = std::move(body_)]() mutable {
        if (done) {
            state->spawn(drain(std::move(body)), {}, [](std::exception_ptr) {});
        } else {
            body.reset();
        }
    });
}

const Session& EventStream::session() const {
    detail::require_this_process(state_);
    return session_;
}

http::Milliseconds EventStream::patience() const {
    if (begun_ || timeouts_.first_event.count() <= 0) return begun_ ? timeouts_.idle : http::Milliseconds(0);
    const auto left = std::chrono::ceil<http::Milliseconds>(begin_ + timeouts_.first_event - http::Clock::now());
    return std::max(left, http::Milliseconds(1));  // what is there is read even now
}

awaitable<void> EventStream::fill() {
    if (body_) body_->set_idle_timeout(patience());
    std::size_t n = 0;
    try {
        n = co_await http::read_some(body_.get(), buffer_);
    } catch (TimeoutError& error) {
        if (begun_ || error.phase != TimeoutPhase::idle) {
            describe(error);
            throw;
        }
        TimeoutError late(TimeoutPhase::idle, timeouts_.first_event);
        describe(late);
        throw late;
    } catch (TransportError& error) {
        describe(error);
        throw;
    }
    received_ += n;
    const std::string_view text(reinterpret_cast<const char*>(buffer_.data()), n);
    if (std::exchange(first_, false)) plain_json_ = text.starts_with('{');
    if (plain_json_) {
        plain_ += text;
        if (plain_.size() > max_plain_answer) throw JsonError("the server sent no event stream but endless JSON");
    } else if (n > 0) {
        parser_.feed(text);
    } else {
        parser_.finish();
    }
    at_end_ = n == 0;
}

std::optional<std::string_view> EventStream::take() {
    if (done_) return std::nullopt;
    if (plain_json_) {
        if (!at_end_ || plain_.empty()) return std::nullopt;
        buffer_.assign(reinterpret_cast<const std::byte*>(plain_.data()),
                       reinterpret_cast<const std::byte*>(plain_.data()) + plain_.size());
        plain_.clear();
        return std::string_view(reinterpret_cast<const char*>(buffer_.data()), buffer_.size());
    }
    http::SseEvent event;
    while (parser_.next(event)) {
        std::string_view data = event.data;
        while (data.starts_with(' ')) data.remove_prefix(1);
        while (data.ends_with(' ')) data.remove_suffix(1);
        if (data.empty()) continue;
        begun_ = true;
        if (data == "[DONE]") {
            done_ = true;
            return std::nullopt;
        }
        return data;
    }
    return std::nullopt;
}

void EventStream::describe(TransportError& error) const {
    http::complete(error, answer_);
    error.bytes_done = received_;
}

void EventStream::throw_truncated() const {
    TruncatedError error(received_, std::nullopt);
    describe(error);
    throw error;
}

void throw_stream_error(const boost::json::value& event) {
    const boost::json::object* object = event.if_object();
    const boost::json::value* error = object == nullptr ? nullptr : object->if_contains("error");
    if (error == nullptr || error->is_null()) return;
    std::string text;
    if (error->is_string()) {
        text = std::string(error->get_string());
    } else {
        const boost::json::value* message = error->is_object() ? error->get_object().if_contains("message") : nullptr;
        text = message != nullptr && message->is_string() ? std::string(message->get_string())
                                                          : boost::json::serialize(*error);
    }
    text = "the model's server reported an error: " + text;
    const boost::json::value* type = object->if_contains("error_type");
    const std::string kind = type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
    if (kind == "validation") throw ValidationError(text);
    if (kind == "generation") throw GenerationError(text);
    if (kind == "overloaded") throw OverloadedError(text);
    if (kind == "incomplete_generation") throw IncompleteGenerationError(text);
    throw UnknownError(text);
}

}  // namespace hfhub::inference
