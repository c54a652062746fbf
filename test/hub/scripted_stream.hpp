#pragma once

// The body of an event stream that says its lines and then ends well, breaks, or says nothing more.

#include "mock_hub.hpp"

#include <hfhub/error.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace hfhub::test {

enum class StreamEnd { well, broken, silent, open };

class ScriptedStream final : public http::BodyReader {
  public:
    ScriptedStream(http::Waits& waits, std::string text, StreamEnd end, std::shared_ptr<int> alive)
        : waits_(waits), text_(std::move(text)), end_(end), alive_(std::move(alive)) {
        if (alive_) ++*alive_;
    }
    ~ScriptedStream() override {
        if (alive_) --*alive_;
    }
    http::ReadResult try_read(std::span<std::byte> buffer) override {
        if (text_.empty()) {
            if (end_ == StreamEnd::open) return {0, http::ReadState::blocked};
            if (end_ == StreamEnd::broken) throw TruncatedError(1, 2);
            if (end_ == StreamEnd::silent) throw TimeoutError(TimeoutPhase::idle, std::chrono::milliseconds(5));
            return {0, http::ReadState::end};
        }
        const std::size_t n = std::min(buffer.size(), text_.size());
        std::memcpy(buffer.data(), text_.data(), n);
        text_.erase(0, n);
        return {n, http::ReadState::data};
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override {
        http::Event event(waits_);
        const http::Wake wake = co_await event.wait(http::Clock::now() + std::chrono::seconds(20));
        http::Limit().check(wake);
        co_return 0;
    }

  private:
    http::Waits& waits_;
    std::string text_;
    StreamEnd end_;
    std::shared_ptr<int> alive_;  // counts the bodies that are there
};

/// An answer that is such a stream.
inline Answer stream_answer(std::string text, StreamEnd end = StreamEnd::well, std::shared_ptr<int> alive = nullptr) {
    Answer answer;
    answer.stream = [text = std::move(text), end, alive = std::move(alive)](http::Waits& waits) -> http::Body {
        return std::make_unique<ScriptedStream>(waits, text, end, alive);
    };
    return answer;
}

/// The event of one line of a log.
inline std::string log_event(const std::string& line, const std::string& more = {}) {
    return "data: {\"data\": \"" + line + "\"" + more + "}\n\n";
}

}  // namespace hfhub::test
