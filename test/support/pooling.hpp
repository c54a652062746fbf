#pragma once

#include "http/pool.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <boost/asio/co_spawn.hpp>

#include <optional>
#include <semaphore>

// What the tests of the pool share.
namespace hfhub::test {

using namespace std::chrono_literals;

struct PoolFixture {
    Loop loop;
    http::Workers workers{*loop.waits, 2};
    http::TlsContext tls{http::TrustSettings{}};
    http::Connector connector{*loop.waits, workers, tls};
    std::optional<http::Pool> pool;
    std::optional<http::PoolTransport> transport;

    explicit PoolFixture(http::PoolOptions options = {}) {
        pool.emplace(loop.waits, connector, std::move(options), [this](awaitable<void> work) {
            asio::co_spawn(loop.io, std::move(work), [](std::exception_ptr) {});
        });
        transport.emplace(*pool);
    }
    ~PoolFixture() {
        loop.waits->shutdown();
        loop.turn();
        pool.reset();
        loop.turn();
    }

    http::Request request_for(const std::string& url) {
        http::Request request;
        request.url = Url::parse(url);
        request.timeouts.connect = request.timeouts.headers = request.timeouts.idle = request.timeouts.pool = 8s;
        return request;
    }
    awaitable<void> fetch(http::Request request, std::string& body, bool fresh = false) {
        http::Response response = co_await transport->send(request, fresh);
        body = co_await http::read_all(response.body.get(), 1 << 20);
    }
    std::string get(const std::string& url, bool fresh = false) {
        std::string body;
        loop.run(fetch(request_for(url), body, fresh));
        return body;
    }
};

inline Server::Handler echo_target() {
    return http1_answers([](const ServerRequest& request) { return ok_answer(request.target); });
}

// Holds back the answers to targets that begin with /slow until released.
struct Gate {
    std::counting_semaphore<1000> open{0};
    Server::Handler handler() {
        return http1_answers([this](const ServerRequest& request) {
            if (request.target.starts_with("/slow")) {
                if (!open.try_acquire_for(10s)) return std::string();
            }
            return ok_answer(request.target);
        });
    }
};

}  // namespace hfhub::test
