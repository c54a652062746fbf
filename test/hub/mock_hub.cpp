#include "mock_hub.hpp"

#include "http/session.hpp"

namespace hfhub::test {

namespace {

using namespace std::chrono_literals;

class MockTransport final : public http::Transport {
  public:
    MockTransport(http::Waits& waits, MockHub::Handler handler, std::shared_ptr<std::vector<Seen>> seen)
        : waits_(waits), handler_(std::move(handler)), seen_(std::move(seen)) {}

    awaitable<http::Response> send(const http::Request& request, bool) override {
        Seen seen;
        seen.method = http::to_string(request.method);
        seen.target = request.url.target();
        seen.authorization = request.headers.value("authorization");
        if (const auto* body = std::get_if<std::string>(&request.body)) seen.body = *body;
        seen_->push_back(seen);
        const Answer answer = handler_(seen);
        if (answer.never) {
            http::Event event(waits_);
            const http::Wake wake = co_await event.wait(request.deadline);
            http::Limit().check(wake);
        }
        http::Response response;
        response.status = answer.status;
        response.url = request.url;
        response.headers.add("content-type", "application/json");
        for (const auto& [name, value] : answer.headers) response.headers.set(name, value);
        if (answer.stream) {
            response.body = answer.stream(waits_);
        } else if (request.method != http::Method::head) {
            response.body = http::memory_body(answer.body);
        }
        co_return response;
    }

  private:
    http::Waits& waits_;
    MockHub::Handler handler_;
    std::shared_ptr<std::vector<Seen>> seen_;
};

SessionOptions options_of(const MockHub::Variables& variables) {
    SessionOptions options(Environment::from([&](std::string_view name) -> std::optional<std::string> {
        for (const auto& [known, value] : variables) {
            if (known == name) return value;
        }
        if (name == "HOME") return "/nonexistent";
        if (name == "HF_ENDPOINT") return std::string(MockHub::endpoint);
        return std::nullopt;
    }));
    options.backoff_base = 1ms;
    options.backoff_cap = 2ms;
    return options;
}

}  // namespace

MockHub::MockHub(Handler handler, Variables environment) : session_(options_of(environment)) {
    auto& state = *session_.state();
    state.set_transport(std::make_unique<MockTransport>(state.waits(), std::move(handler), seen_));
}

}  // namespace hfhub::test
