#pragma once

#include "http/connect.hpp"
#include "http/connect_error.hpp"
#include "http/connection.hpp"
#include "http/counters.hpp"
#include "http/pool_plan.hpp"
#include "http/proxy_rules.hpp"
#include "http/transport.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace hfhub::http {

/// Whether HTTP/2 is used.
enum class Http2 : std::uint8_t {
    negotiate,  ///< Over TLS where the server agrees (ALPN).
    never,
    prior_knowledge,  ///< Also without TLS (h2c).
};

struct PoolOptions {
    PoolLimits limits;
    ProxySettings proxies;
    Http2 http2 = Http2::negotiate;
    std::shared_ptr<Counters> counters = std::make_shared<Counters>();
};

/// The counts of this moment, exactly.
struct PoolStats {
    std::uint64_t connections_opened = 0;
    std::uint64_t connects_failed = 0;
    std::size_t open = 0;
    std::size_t idle = 0;
    std::size_t waiting = 0;
    std::size_t active = 0;  ///< Exchanges under way.
};

/// Connections by origin, shared by all requests of a session. Connecting goes on when the request that asked for it is
/// cancelled. Used from the session's executor only.
class Pool {
  public:
    /// Runs a coroutine beside its caller, keeping alive what the pool stands on.
    using Spawn = std::function<void(awaitable<void>)>;
    Pool(std::shared_ptr<Waits> waits, Connector& connector, PoolOptions options, Spawn spawn);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// A connection with room for one request, to be used before anything else is awaited. Throws ConnectError,
    /// ProxyError, TimeoutError, CancelledError.
    awaitable<std::shared_ptr<Connection>> acquire(const Request& request);
    /// As acquire(), where that needs no waiting; null otherwise. `fresh` closes those that were kept idle first.
    std::shared_ptr<Connection> try_acquire(const Request& request, bool fresh);
    /// To be called when a request is given to a connection.
    void note_use(const Request& request, Connection& connection);
    PoolStats stats() const;
    /// Closes everything.
    void shutdown();

  private:
    struct Host;
    struct Waiter;
    using WaiterList = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;
    Host& host_of(const Url& url);
    static std::size_t slots(const Host& host, const Connection& connection);
    void look(const Host& host);
    Plan plan(Host& host, std::size_t open_in_pool, std::size_t idle_elsewhere);
    std::shared_ptr<Connection> use(Host& host);
    std::shared_ptr<Connection> use_spread(Host& host, Milliseconds limit);
    bool open_as_planned(Host& host, Milliseconds limit);
    void open_for_waiters(Host& host);
    void serve_starved();
    std::size_t count_idle() const;
    awaitable<void> connect(Host& host, Milliseconds limit);
    void add(Host& host, std::unique_ptr<Stream> stream, const ConnectTimes& times);
    void connect_failed(Host& host, const std::exception_ptr& failure, const ConnectTimes& times, Milliseconds limit);
    static ConnectionFacts facts_of(const Route& route, const ConnectTimes& times);
    PoolLimits limits() const;
    bool wait_for_descriptors(const OutOfDescriptorsError& error);
    bool is_wanted_elsewhere(const Host& host);
    void changed(Host& host, Connection& connection);
    void wake(Host& host);
    void close_idle(Host& host);
    bool evict_one(const Host* except);
    void sweep();
    std::size_t count_open() const;

    std::shared_ptr<Waits> waits_;
    Connector& connector_;
    PoolOptions options_;
    Spawn spawn_;
    std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
    std::vector<ConnectionView> views_;
    std::string key_;
    asio::steady_timer sweep_timer_;
    bool sweep_armed_ = false;
    bool starved_ = false;  // a request waits because of the limit on all connections
    // While descriptors are short, what is open has to do.
    std::optional<OutOfDescriptorsError> shortage_;
    Clock::time_point shortage_until_{};
    std::size_t shortage_limit_ = 0;
    asio::steady_timer shortage_timer_;
    bool shut_down_ = false;
    std::shared_ptr<Pool*> self_ = std::make_shared<Pool*>(this);
};

/// Sends over a pool's connections.
class PoolTransport final : public Transport {
  public:
    explicit PoolTransport(Pool& pool) : pool_(pool) {}
    awaitable<Response> send(const Request& request, bool fresh) override;

  private:
    awaitable<Response> send_when_acquired(const Request& request);
    Pool& pool_;
};

}  // namespace hfhub::http
