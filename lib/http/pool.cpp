#include "http/attempt_record.hpp"
#include "http/pool_host.hpp"

#include <algorithm>

namespace hfhub::http {

namespace {

// Several requests may fail by one connect; each gets an exception of its own, to be completed with its URL.
[[noreturn]] void rethrow_copy(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const ProxyError& one) {
        throw ProxyError(one);
    } catch (const UnresolvedHostError& one) {
        throw UnresolvedHostError(one);
    } catch (const ConnectError& one) {
        throw ConnectError(one);
    } catch (const TimeoutError& one) {
        throw TimeoutError(one);
    } catch (const CancelledError&) {
        throw CancelledError();
    }
}

}  // namespace

Pool::Pool(std::shared_ptr<Waits> waits, Connector& connector, PoolOptions options, Spawn spawn)
    : waits_(std::move(waits)),
      connector_(connector),
      options_(std::move(options)),
      spawn_(std::move(spawn)),
      sweep_timer_(waits_->executor()),
      shortage_timer_(waits_->executor()) {}

Pool::~Pool() { shutdown(); }

void Pool::shutdown() {
    shut_down_ = true;
    sweep_timer_.cancel();
    shortage_timer_.cancel();
    for (auto& [key, host] : hosts_) {
        const auto connections = std::exchange(host->connections, {});
        for (const auto& connection : connections) {
            connection->observer = nullptr;
            connection->close();
        }
    }
}

Pool::Host& Pool::host_of(const Url& url) {
    key_.assign(url.scheme).append("://").append(url.host).append(":").append(std::to_string(url.port));
    const auto found = hosts_.find(key_);
    if (found != hosts_.end()) return *found->second;
    Route route;
    route.target.scheme = url.scheme;
    route.target.host = url.host;
    route.target.port = url.port;
    route.target.path = "/";
    route.proxy = proxy_for(route.target, options_.proxies);
    route.offer_http2 = options_.http2 != Http2::never;
    auto host = std::make_unique<Host>(*this, std::move(route));
    if (options_.http2 == Http2::prior_knowledge) host->known = KnownProtocol::http2;
    const bool negotiable = host->route.target.is_https() && options_.http2 != Http2::never;
    if (!negotiable && !speaks_h2c(host->route, options_.http2)) host->known = KnownProtocol::http1;
    return *hosts_.emplace(key_, std::move(host)).first->second;
}

std::shared_ptr<Connection> Pool::try_acquire(const Request& request, bool fresh) {
    if (shut_down_) throw CancelledError();
    Host& host = host_of(request.url);
    if (fresh) close_idle(host);
    if (!host.waiters.empty()) return nullptr;
    auto spread = request.spread ? use_spread(host, request.timeouts.connect) : nullptr;
    return spread ? spread : use(host);
}

std::shared_ptr<Connection> Pool::use_spread(Host& host, Milliseconds limit) {
    look(host);
    const HostView view{host.known, views_, host.connecting, 0, count_open(), 0};
    const auto plan = spread_plan(view, limits());
    if (!plan) return nullptr;
    auto connection = host.connections[plan->index];
    if (connection->active() == 0 && !connection->alive()) return nullptr;
    if (plan->open) {
        ++host.connecting;
        spawn_(connect(host, limit));
    }
    return connection;
}

// An origin that has asked for HTTP/1.1 gets no more over what was opened before.
std::size_t Pool::slots(const Host& host, const Connection& connection) {
    const bool given_up = host.known == KnownProtocol::http1 && connection.protocol() == Protocol::http2;
    return given_up ? 0 : connection.free_slots();
}

void Pool::look(const Host& host) {
    views_.clear();
    for (const auto& one : host.connections) {
        views_.push_back({one->protocol(), slots(host, *one), one->draining, one->active()});
    }
}

Plan Pool::plan(Host& host, std::size_t open_in_pool, std::size_t idle_elsewhere) {
    look(host);
    const HostView view{host.known, views_, host.connecting, host.waiters.size(), open_in_pool, idle_elsewhere};
    return pool_plan(view, limits());
}

std::shared_ptr<Connection> Pool::use(Host& host) {
    for (;;) {
        const Plan next = plan(host, 0, 0);
        if (next.action != PlanAction::use) return nullptr;
        auto connection = host.connections[next.index];
        if (connection->active() > 0 || connection->alive()) return connection;
        connection->close();
    }
}

bool Pool::open_as_planned(Host& host, Milliseconds limit) {
    // What is open elsewhere is counted only where a connection is wanted at all.
    if (plan(host, 0, 0).action != PlanAction::open) return false;
    const std::size_t open = count_open();
    const bool full = open >= limits().connections;
    const Plan next = plan(host, open, full && evict_one(&host) ? 1 : 0);
    if (next.action == PlanAction::wait) starved_ = true;
    if (next.action != PlanAction::open && next.action != PlanAction::open_after_eviction) return false;
    ++host.connecting;
    spawn_(connect(host, limit));
    return true;
}

void Pool::open_for_waiters(Host& host) {
    while (!host.waiters.empty() && open_as_planned(host, host.waiters.front().connect_limit)) {
    }
}

// Requests of any origin may have waited for the room that is there now.
void Pool::serve_starved() {
    if (shut_down_ || !std::exchange(starved_, false)) return;
    std::vector<Host*> hosts;  // resumed requests may bring new origins
    for (const auto& [key, host] : hosts_) {
        if (!host->waiters.empty()) hosts.push_back(host.get());
    }
    for (Host* host : hosts) open_for_waiters(*host);
}

awaitable<std::shared_ptr<Connection>> Pool::acquire(const Request& request) {
    Host& host = host_of(request.url);
    const Limit limit = limit_from_now(TimeoutPhase::pool, request.timeouts.pool, request.deadline);
    Waiter waiter(*waits_, request.timeouts.connect);
    for (bool first = true;; first = false) {
        // Who was woken in vain keeps its place.
        host.waiters.insert(first ? host.waiters.end() : host.waiters.begin(), waiter);
        open_as_planned(host, request.timeouts.connect);
        // What was opened may have failed, or be there, before anybody waited for it.
        Wake wake = Wake::notified;
        if (waiter.is_linked()) wake = co_await waiter.event.wait(limit.at);
        if (waiter.is_linked()) waiter.unlink();
        if (waiter.error) {
            if (request.record != nullptr) request.record->on_no_connection(std::move(waiter.attempt));
            rethrow_copy(waiter.error);
        }
        if (wake == Wake::timeout && limit.phase == TimeoutPhase::pool && shortage_) {
            OutOfDescriptorsError error(*shortage_);
            error.permanent = true;  // after so long another try would only lengthen the queue
            throw error;
        }
        limit.check(wake);
        auto connection = use(host);
        if (connection) co_return connection;
    }
}

void Pool::changed(Host& host, Connection& connection) {
    if (connection.closed()) {
        const auto at = std::find_if(host.connections.begin(), host.connections.end(),
                                     [&](const auto& one) { return one.get() == &connection; });
        if (at != host.connections.end()) {
            connection.observer = nullptr;
            const auto keep = std::move(*at);
            host.connections.erase(at);
            wake(host);
            serve_starved();
        }
        return;
    }
    if (connection.http1_required && host.route.offer_http2) {
        host.known = KnownProtocol::http1;
        host.route.offer_http2 = false;
    }
    if (connection.slot_limit > 0) host.expected_slots = connection.slot_limit;
    const bool idle = connection.active() == 0;
    if (idle) {
        connection.idle_since = Clock::now();
        const auto at = std::find_if(host.connections.begin(), host.connections.end(),
                                     [&](const auto& one) { return one.get() == &connection; });
        if (at != host.connections.end()) std::rotate(at, at + 1, host.connections.end());
        if (starved_ && is_wanted_elsewhere(host)) {
            connection.close();
            return;
        }
        if (!std::exchange(sweep_armed_, true)) sweep();
    }
    wake(host);
    if (!idle) return;
    serve_starved();
    if (count_idle() > options_.limits.idle) sweep();
}

// Whether an origin whose requests follow each other without a pause keeps connections that others wait for.
bool Pool::is_wanted_elsewhere(const Host& host) {
    look(host);
    if (!exceeds_share({host.known, views_}, limits())) return false;
    return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& other) {
        return other.second.get() != &host && !other.second->waiters.empty();
    });
}

void Pool::wake(Host& host) {
    while (!host.waiters.empty() && !shut_down_) {
        std::size_t free = 0;
        for (const auto& one : host.connections) free += slots(host, *one);
        if (free == 0) break;
        Waiter& waiter = host.waiters.front();
        host.waiters.pop_front();
        waiter.event.notify();
    }
    if (!shut_down_) open_for_waiters(host);
}

void Pool::close_idle(Host& host) {
    const auto connections = host.connections;
    for (const auto& one : connections) {
        if (one->active() == 0 && one->used) one->close();
    }
}

bool Pool::evict_one(const Host* except) {
    std::shared_ptr<Connection> oldest;
    for (const auto& [key, host] : hosts_) {
        if (host.get() == except) continue;
        for (const auto& one : host->connections) {
            if (one->active() == 0 && (!oldest || one->idle_since < oldest->idle_since)) oldest = one;
        }
    }
    if (oldest) oldest->close();
    return oldest != nullptr;
}

void Pool::sweep() {
    sweep_armed_ = false;
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    std::vector<std::shared_ptr<Connection>> idle;
    for (const auto& [key, host] : hosts_) {
        for (const auto& one : host->connections) {
            if (one->active() == 0) idle.push_back(one);
        }
    }
    std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) { return a->idle_since > b->idle_since; });
    for (std::size_t i = 0; i < idle.size(); ++i) {
        const bool http2 = idle[i]->protocol() == Protocol::http2;
        const auto expires = idle[i]->idle_since + (http2 ? options_.limits.http2_idle : options_.limits.http1_idle);
        if (idle[i]->active() > 0) continue;  // taken by a request that a close before it let go on
        if (i >= options_.limits.idle || expires <= now) {
            idle[i]->close();
        } else {
            next = std::min(next, expires);
        }
    }
    if (next == Clock::time_point::max() || shut_down_) return;
    sweep_armed_ = true;
    sweep_timer_.expires_at(next);
    sweep_timer_.async_wait([guard = std::weak_ptr<Pool*>(self_)](boost::system::error_code error) {
        const auto self = guard.lock();
        if (!error && self) (*self)->sweep();
    });
}

std::size_t Pool::count_open() const {
    std::size_t open = 0;
    for (const auto& [key, host] : hosts_) open += host->connections.size() + host->connecting;
    return open;
}

std::size_t Pool::count_idle() const {
    std::size_t idle = 0;
    for (const auto& [key, host] : hosts_) {
        for (const auto& one : host->connections) idle += one->active() == 0 ? 1 : 0;
    }
    return idle;
}

void Pool::note_use(const Request& request, Connection& connection) {
    const bool reused = std::exchange(connection.taken, true);
    if (reused) options_.counters->reused.add();
    if (request.record != nullptr) request.record->on_connection(connection.protocol(), connection.facts, reused);
}

PoolStats Pool::stats() const {
    PoolStats stats;
    stats.connections_opened = options_.counters->opened.value();
    stats.connects_failed = options_.counters->connects_failed.value();
    for (const auto& [key, host] : hosts_) {
        stats.waiting += host->waiters.size();
        for (const auto& one : host->connections) {
            ++stats.open;
            stats.active += one->active();
            if (one->active() == 0) ++stats.idle;
        }
    }
    return stats;
}

// No coroutine of its own where a connection is free, which is nearly always; the pool keeps the connection alive until
// the returned one has begun.
awaitable<Response> PoolTransport::send(const Request& request, bool fresh) {
    if (const auto connection = pool_.try_acquire(request, fresh)) {
        pool_.note_use(request, *connection);
        return connection->send(request);
    }
    return send_when_acquired(request);
}

awaitable<Response> PoolTransport::send_when_acquired(const Request& request) {
    auto waiting = pool_.acquire(request);
    const auto connection = co_await std::move(waiting);
    pool_.note_use(request, *connection);
    auto sending = connection->send(request);
    co_return co_await std::move(sending);
}

}  // namespace hfhub::http
