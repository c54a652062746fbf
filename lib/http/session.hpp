#pragma once

#include "http/connect.hpp"
#include "http/pipeline.hpp"
#include "http/pool.hpp"
#include "http/tls.hpp"
#include "http/workers.hpp"

#include <hfhub/session.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace hfhub::http {

/// What a Session is a handle to: the executor, and all that runs on it.
class SessionState : public std::enable_shared_from_this<SessionState> {
  public:
    using Completion = std::function<void(std::exception_ptr)>;

    /// With an I/O thread of its own where no executor is given.
    static std::shared_ptr<SessionState> make(std::optional<asio::any_io_executor> executor, SessionOptions options);
    ~SessionState();
    SessionState(const SessionState&) = delete;
    SessionState& operator=(const SessionState&) = delete;

    const SessionOptions& options() const noexcept { return options_; }
    const asio::any_io_executor& executor() const noexcept { return executor_; }
    /// Whether this thread runs the executor: who waits here for what runs there may wait for ever.
    bool runs_here() const;
    /// Runs `work` on the executor, from any thread; false where the session has ended and nothing would run it.
    template <class Work>
    bool post(Work work) {
        const std::lock_guard lock(end_mutex_);
        if (ended_) return false;
        asio::post(executor_, std::move(work));
        return true;
    }
    /// Starts a coroutine on the executor; called on it. The state lives until it has ended.
    void spawn(awaitable<void> work, asio::cancellation_slot slot, Completion completion);
    /// Ends all waits and closes all connections; from any thread.
    void close();
    /// As close(), when no handle is left: the I/O thread ends too.
    void end();
    bool closed() const noexcept { return closed_; }

    // On the executor only.
    Waits& waits() noexcept { return *waits_; }
    Workers& workers() noexcept { return workers_; }
    Pool& pool() noexcept { return pool_; }
    Pipeline& pipeline() noexcept { return *pipeline_; }
    /// Puts something else in the place of the pool's transport: a mock, or a rewriter of URLs.
    void set_transport(std::unique_ptr<Transport> transport);
    Transport& pool_transport() noexcept { return pool_transport_; }
    /// From any thread.
    const Counters& counters() const noexcept { return *counters_; }

    /// What all handles share, and which ends the state with the last of them.
    void set_handles(std::weak_ptr<void> handles) noexcept { handles_ = std::move(handles); }
    std::shared_ptr<void> handles() const noexcept { return handles_.lock(); }

  private:
    bool on_io_thread() const noexcept;
    SessionState(std::unique_ptr<asio::io_context> own, asio::any_io_executor executor, SessionOptions options);
    void run_thread();
    void shut_down();

    SessionOptions options_;
    std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
    std::shared_ptr<asio::io_context> own_;
    asio::any_io_executor executor_;
    std::optional<asio::executor_work_guard<asio::any_io_executor>> guard_;
    std::shared_ptr<Waits> waits_;
    Workers workers_;
    TlsContext tls_;
    Connector connector_;
    Pool pool_;
    PoolTransport pool_transport_;
    std::unique_ptr<Transport> other_transport_;
    std::unique_ptr<Pipeline> pipeline_;
    std::thread thread_;
    std::atomic<bool> closed_ = false;
    std::weak_ptr<void> handles_;  // written once, before anyone else sees the state
    std::mutex end_mutex_;
    bool ended_ = false;  // the I/O thread runs out of work and is not to be given more
};

}  // namespace hfhub::http
