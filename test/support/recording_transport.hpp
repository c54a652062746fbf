#pragma once

#include "http/session.hpp"
#include "http/transport.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace hfhub::test {

/// Keeps what it is asked to send, and answers 200 with a body that a function chooses.
class RecordingTransport final : public http::Transport {
  public:
    using Requests = std::shared_ptr<std::vector<http::Request>>;
    using Bodies = std::function<std::string(const http::Request&)>;

    RecordingTransport(Requests requests, Bodies bodies) : requests_(std::move(requests)), bodies_(std::move(bodies)) {}

    awaitable<http::Response> send(const http::Request& request, bool) override {
        requests_->push_back(request);
        if (const auto* body = std::get_if<std::shared_ptr<http::BodySource>>(&request.body)) {
            std::vector<std::byte> buffer(1024);
            while (co_await (*body)->read_some(buffer) > 0) {
            }
        }
        http::Response response;
        response.status = 200;
        response.url = request.url;
        response.body = http::memory_body(bodies_(request));
        co_return response;
    }

    /// Puts one in the place of the session's transport; what it saw is to be read while no call is under way.
    static Requests install(const Session& session, Bodies bodies) {
        auto requests = std::make_shared<std::vector<http::Request>>();
        session.state()->set_transport(std::make_unique<RecordingTransport>(requests, std::move(bodies)));
        return requests;
    }
    static Requests install(const Session& session, std::string body = "{}") {
        return install(session, [body = std::move(body)](const http::Request&) { return body; });
    }

  private:
    Requests requests_;
    Bodies bodies_;
};

/// Options of an environment without variables, with five limits that differ.
inline SessionOptions distinct_timeouts() {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    options.connect_timeout = std::chrono::milliseconds(1001);
    options.write_timeout = std::chrono::milliseconds(1002);
    options.headers_timeout = std::chrono::milliseconds(1003);
    options.idle_timeout = std::chrono::milliseconds(1004);
    options.pool_timeout = std::chrono::milliseconds(1005);
    return options;
}

inline bool are_distinct_timeouts(const http::Timeouts& timeouts) {
    return timeouts.connect.count() == 1001 && timeouts.write.count() == 1002 && timeouts.headers.count() == 1003 &&
           timeouts.idle.count() == 1004 && timeouts.pool.count() == 1005;
}

}  // namespace hfhub::test
