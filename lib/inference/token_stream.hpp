#pragma once

#include "http/body.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "http/sse.hpp"

#include <hfhub/inference/token_stream.hpp>
#include <hfhub/session.hpp>

#include <boost/json/value.hpp>

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace hfhub {

namespace inference {

/// How long a stream waits: from its beginning to the first event, whatever else comes, and later from byte to byte.
/// Zero is no limit.
struct StreamTimeouts {
    http::Milliseconds first_event{0}, idle{0};
};

/// The bytes of a streamed answer: read on the session's executor, cut into events and parsed by whoever asks for them.
class EventStream {
  public:
    EventStream(Session session, http::Response answer, StreamTimeouts timeouts);
    /// Hands the body to the session's executor, where its end resets the stream.
    ~EventStream();
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;

    /// The next event's JSON text among the bytes that are there; a view until the next call. Throws JsonError.
    std::optional<std::string_view> take();
    /// The answer has ended: by "[DONE]", or by its framing.
    bool ended() const noexcept { return done_ || at_end_; }
    bool done() const noexcept { return done_; }
    /// Reads more bytes. On the session's executor. Throws TransportError that says what it broke off.
    awaitable<void> fill();
    /// For an answer that ended before its last event.
    [[noreturn]] void throw_truncated() const;

    /// Throws std::logic_error in a child that was forked since the stream began: its connection is the parent's.
    const Session& session() const;

  private:
    http::Milliseconds patience() const;
    void describe(TransportError& error) const;

    Session session_;
    std::shared_ptr<http::SessionState> state_;
    http::Body body_;
    http::AnswerFacts answer_;  // for errors
    std::uint64_t received_ = 0;
    StreamTimeouts timeouts_;
    http::Clock::time_point begin_ = http::Clock::now();
    http::SseParser parser_{http::SseMode::data_lines};
    std::vector<std::byte> buffer_;
    std::string plain_;  // an answer that is JSON instead of events
    bool first_ = true;
    bool begun_ = false;  // an event has come
    bool plain_json_ = false;
    bool at_end_ = false;
    bool done_ = false;
};

/// Throws the TextGenerationError that an event {"error": …, "error_type": …} means; returns where it is none.
void throw_stream_error(const boost::json::value& event);

}  // namespace inference

namespace detail {

template <class T>
struct TokenStreamState {
    TokenStreamState(Session session, http::Response answer, inference::StreamTimeouts timeouts, std::stop_token stop)
        : events(std::move(session), std::move(answer), timeouts), stop(std::move(stop)) {}

    inference::EventStream events;
    std::stop_token stop;
    bool complete = false;  // an event said that the generation is over
    bool anything = false;
};

}  // namespace detail

}  // namespace hfhub
