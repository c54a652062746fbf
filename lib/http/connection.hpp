#pragma once

#include "http/connection_facts.hpp"
#include "http/counters.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "http/wait.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace hfhub::http {

class Connection;

/// Hears of changes in what a connection can take; the pool.
class ConnectionObserver {
  public:
    virtual void on_change(Connection& connection) = 0;

  protected:
    ~ConnectionObserver() = default;
};

/// One connection to one origin (or to a proxy that forwards). Used from the session's executor only.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    virtual ~Connection() { count(0, false); }
    virtual Protocol protocol() const noexcept = 0;
    /// Sends and waits for the answer's headers. The request stays alive until then; its limits hold for the body too.
    /// Throws TransportError, CancelledError.
    virtual awaitable<Response> send(const Request& request) = 0;
    /// Requests that could begin now; 0 where it is closed, going away or full.
    virtual std::size_t free_slots() const noexcept = 0;
    virtual std::size_t active() const noexcept = 0;
    virtual bool closed() const noexcept = 0;
    /// Whether a kept connection is still silent and open; looks at the socket.
    virtual bool alive() noexcept = 0;
    virtual void close() noexcept = 0;

    /// Counts this connection from now on.
    void count_in(std::shared_ptr<Counters> counters) {
        counters_ = std::move(counters);
        count();
    }

    ConnectionObserver* observer = nullptr;  ///< Outlives the connection or is reset.
    Clock::time_point idle_since{};
    std::size_t slot_limit = 0;   ///< Requests at a time that the peer allows (HTTP/2); 0 before it has said so.
    bool draining = false;        ///< Takes no more requests and closes when those under way have ended (GOAWAY).
    bool http1_required = false;  ///< The peer wants HTTP/1.1 instead of what this connection speaks.
    bool used = false;            ///< Whether an answer has arrived on it before.
    bool taken = false;           ///< Whether a request was given to it before.
    std::shared_ptr<const ConnectionFacts> facts;

  protected:
    /// To be said where active() has grown; changed() tells of the rest.
    void count() noexcept { count(active(), !closed()); }
    void changed() {
        count();
        if (observer != nullptr) observer->on_change(*this);
    }

  private:
    void count(std::size_t active, bool open) noexcept {
        if (!counters_) return;
        counters_->active.change(active_counted_, active);
        counters_->busy.change(active_counted_ > 0, active > 0);
        counters_->open.change(open_counted_, open);
        active_counted_ = active;
        open_counted_ = open;
    }

    std::shared_ptr<Counters> counters_;
    std::size_t active_counted_ = 0;
    bool open_counted_ = false;
};

}  // namespace hfhub::http
