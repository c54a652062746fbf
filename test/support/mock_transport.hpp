#pragma once

#include "http/pipeline.hpp"
#include "support/loop.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// What the tests of the pipeline share: a transport whose answers the test chooses.
namespace hfhub::test {

using namespace std::chrono_literals;

// Answers with what the test put in; records what was sent.
class MockTransport final : public http::Transport {
  public:
    struct Sent {
        std::string method, url, authorization, body;
        http::Headers headers;
        bool fresh;
        http::Clock::time_point at;
        http::Timeouts timeouts;
    };
    using Step = std::function<http::Response()>;

    awaitable<http::Response> send(const http::Request& request, bool fresh) override {
        const auto* text = std::get_if<std::string>(&request.body);
        sent.push_back({std::string(http::to_string(request.method)), request.url.str(),
                        std::string(request.headers.value("authorization")), text ? *text : "", request.headers, fresh,
                        http::Clock::now(), request.timeouts});
        if (steps.empty()) throw std::logic_error("no answer is left");
        const Step step = steps.front();
        steps.pop_front();
        co_return step();
    }

    std::deque<Step> steps;
    std::vector<Sent> sent;
};

inline MockTransport::Step answer(int status, http::Headers headers = {}, std::string body = {}) {
    return [=] {
        http::Response response;
        response.status = status;
        response.headers = headers;
        if (!body.empty()) response.body = http::memory_body(body);
        return response;
    };
}

// A body of which only the beginning comes.
class BrokenBody final : public http::BodyReader {
  public:
    explicit BrokenBody(std::string beginning) : beginning_(http::memory_body(std::move(beginning))) {}
    http::ReadResult try_read(std::span<std::byte> buffer) override {
        const http::ReadResult result = beginning_->try_read(buffer);
        if (result.state == http::ReadState::end) throw TruncatedError(3, 5);
        return result;
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }

  private:
    http::Body beginning_;
};

inline MockTransport::Step broken_off(std::string beginning, int status = 200) {
    return [=] {
        http::Response response;
        response.status = status;
        response.body = std::make_unique<BrokenBody>(beginning);
        return response;
    };
}

template <class E>
MockTransport::Step failure(E error) {
    return [=]() -> http::Response { throw error; };
}

struct PipelineFixture {
    Loop loop;
    MockTransport transport;
    http::PipelineOptions options;
    http::Request request;

    PipelineFixture() {
        options.retry.base = 4ms;
        options.retry.cap = 8ms;
        options.user_agent = "test/1";
        request.url = Url::parse("https://hub.test/api");
    }
    http::Response send() {
        http::Pipeline pipeline(*loop.waits, transport, options);
        return loop.run(pipeline.send(request));
    }
    std::string outcome() {
        return test::outcome([&] { send(); });
    }
};

inline ConnectionLostError lost(bool stale, bool processed = true) {
    ConnectionLostError error("lost");
    error.stale_connection = stale;
    error.maybe_processed = processed;
    return error;
}

}  // namespace hfhub::test
