#include "core/log.hpp"
#include "http/h2_connection.hpp"
#include "http/http1_connection.hpp"
#include "http/pool_host.hpp"

// How the pool comes to its connections, and what it does where it comes to none.
namespace hfhub::http {

namespace {

constexpr std::chrono::seconds shortage_length{1};

bool is_timeout(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const TimeoutError&) {
        return true;
    } catch (...) {
        return false;
    }
}

void trace(const Route& route, const Connection& connection, const ConnectionFacts& facts) {
    if (!log_enabled(LogLevel::debug)) return;
    const ConnectTimes& times = facts.times;
    const auto took = [](const char* what, std::optional<Clock::duration> length) {
        const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(length.value_or(Clock::duration()));
        return what + std::to_string(whole.count()) + " ms";
    };
    std::string text = "connected to " + route.target.origin();
    if (route.proxy) text += " through the proxy " + route.proxy->host_port();
    text += " at " + facts.peer + " with " + std::string(to_string(connection.protocol()));
    text += took(": look-up ", times.resolve) + took(", TCP ", times.connect);
    if (route.proxy) text += took(", proxy ", times.proxy);
    if (route.target.is_https()) text += took(", TLS ", times.tls);
    log(LogLevel::debug, text);
}

}  // namespace

awaitable<void> Pool::connect(Host& host, Milliseconds length) {
    const std::weak_ptr<Pool*> guard = self_;
    const Limit limit = limit_from_now(TimeoutPhase::connect, length, Clock::time_point::max());
    std::optional<OutOfDescriptorsError> shortage;
    ConnectTimes times;
    std::unique_ptr<Stream> stream;
    std::exception_ptr failure;
    for (bool again = true; again;) {
        again = false;
        shortage.reset();
        times = {};
        try {
            Route route = host.route;
            auto connecting = connector_.connect(std::move(route), limit, times);
            stream = co_await std::move(connecting);
        } catch (const OutOfDescriptorsError& error) {
            again = true;
            shortage.emplace(error);
            failure = std::current_exception();
        } catch (const ConnectionLostError& error) {
            const std::string text =
                "the connection to " + host.route.target.host_port() + " broke while it was set up: " + error.what();
            failure = std::make_exception_ptr(ConnectError(text));
        } catch (...) {
            failure = std::current_exception();
        }
        if (guard.expired()) co_return;
        again = again && evict_one(nullptr);
    }
    --host.connecting;
    if (shortage && wait_for_descriptors(*shortage)) {
        options_.counters->connects_failed.add();
        co_return;
    }
    try {
        if (stream) {
            add(host, std::move(stream), times);
            co_return;
        }
    } catch (...) {
        failure = std::current_exception();
    }
    connect_failed(host, failure, times, length);
}

// False where no connection is there or under way, here or elsewhere, that could be waited for.
bool Pool::wait_for_descriptors(const OutOfDescriptorsError& error) {
    const std::size_t open = count_open();
    if (open == 0 || shut_down_) return false;
    shortage_ = error;
    shortage_limit_ = open;
    shortage_until_ = Clock::now() + shortage_length;
    starved_ = true;
    // Others of this process may have given some back by then.
    shortage_timer_.expires_at(shortage_until_);
    shortage_timer_.async_wait([guard = std::weak_ptr<Pool*>(self_)](boost::system::error_code cancelled) {
        const auto self = guard.lock();
        if (!cancelled && self) (*self)->serve_starved();
    });
    return true;
}

PoolLimits Pool::limits() const {
    PoolLimits limits = options_.limits;
    if (shortage_ && Clock::now() < shortage_until_) {
        limits.connections = std::min(limits.connections, shortage_limit_);
    }
    return limits;
}

ConnectionFacts Pool::facts_of(const Route& route, const ConnectTimes& times) {
    ConnectionFacts facts;
    if (route.proxy) facts.proxy = route.proxy->host_port();
    facts.times = times;
    return facts;
}

void Pool::connect_failed(Host& host, const std::exception_ptr& failure, const ConnectTimes& times,
                          Milliseconds limit) {
    options_.counters->connects_failed.add();
    // With other connections at work or under way the others may still be served; without, nobody in the queue can be,
    // nor who has waited nearly as long as this connect where none gets an answer.
    const bool none = host.connections.empty(), all = none && host.connecting == 0;
    const bool silent = none && is_timeout(failure);
    const auto patient_since = Clock::now() - limit + limit / 8;
    WaiterList failed;
    const auto attempt = std::make_shared<const ConnectionFacts>(facts_of(host.route, times));
    for (auto at = host.waiters.begin(); at != host.waiters.end();) {
        Waiter& waiter = *at++;
        if (!all && !failed.empty() && !(silent && waiter.since <= patient_since)) continue;
        waiter.error = failure;
        waiter.attempt = attempt;
        waiter.unlink();
        failed.push_back(waiter);
    }
    while (!failed.empty()) {
        Waiter& waiter = failed.front();
        failed.pop_front();
        waiter.event.notify();
    }
    wake(host);
    serve_starved();
}

void Pool::add(Host& host, std::unique_ptr<Stream> stream, const ConnectTimes& times) {
    if (shut_down_) return;
    const Route& route = host.route;
    auto facts = std::make_shared<ConnectionFacts>(facts_of(route, times));
    facts->peer = stream->peer();
    facts->tls = stream->tls();
    const bool http2 = stream->alpn() == "h2" || (route.offer_http2 && speaks_h2c(route, options_.http2));
    host.known = http2 ? KnownProtocol::http2 : KnownProtocol::http1;
    std::shared_ptr<Connection> connection;
    if (http2) {
        auto made = std::make_shared<H2Connection>(waits_, std::move(stream), host.expected_slots);
        made->start();
        connection = std::move(made);
    } else {
        std::string authorization;
        if (route.forwards()) authorization = basic_credentials(*route.proxy);
        connection =
            std::make_shared<Http1Connection>(waits_, std::move(stream), route.forwards(), std::move(authorization));
    }
    // A server that turns away whom it has just let in would otherwise be asked again and again without a pause.
    if (connection->closed()) {
        throw ConnectError(route.target.host_port() + " closed the connection as soon as it was made");
    }
    options_.counters->opened.add();
    connection->count_in(options_.counters);
    if (Clock::now() >= shortage_until_) shortage_.reset();
    trace(route, *connection, *facts);
    connection->facts = std::move(facts);
    connection->observer = &host;
    connection->idle_since = Clock::now();
    host.connections.push_back(connection);
    changed(host, *connection);
}

}  // namespace hfhub::http
