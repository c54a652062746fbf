#pragma once

#include "core/fork.hpp"
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
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace hfhub::http {

class SessionHandles;

/// What a Session is a handle to: the executor, and all that runs on it. In a forked child the parent's state is left
/// as it is, for good: its thread is not there, its connections are the parent's.
class SessionState : public std::enable_shared_from_this<SessionState> {
  public:
    using Completion = std::function<void(std::exception_ptr)>;

    /// With an I/O thread of its own where no executor is given.
    static std::shared_ptr<SessionState> make(std::optional<asio::any_io_executor> executor,
                                              std::shared_ptr<const SessionOptions> options);
    /// The same, or what has taken its place in a forked child.
    static std::shared_ptr<SessionState> of_this_process(std::shared_ptr<SessionState> state);
    ~SessionState();
    SessionState(const SessionState&) = delete;
    SessionState& operator=(const SessionState&) = delete;

    const SessionOptions& options() const noexcept { return *options_; }
    /// False in a child that was forked after it was made: then nothing but its options is to be used.
    bool is_of_this_process() const noexcept { return made_in_.is_this(); }
    const asio::any_io_executor& executor() const noexcept { return executor_; }
    /// Whether this thread runs the executor: who waits here for what runs there may wait for ever.
    bool runs_here() const;
    /// Runs `work` on the executor, from any thread; false where the session has ended and nothing would run it.
    template <class Work>
    bool post(Work work) {
        if (!is_of_this_process()) return false;
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
    /// Puts something else in the place of the pool's transport: a mock, or a rewriter of URLs. A forked child's state
    /// has the pool's again.
    void set_transport(std::unique_ptr<Transport> transport);
    Transport& pool_transport() noexcept { return pool_transport_; }
    /// From any thread.
    const Counters& counters() const noexcept { return *counters_; }

    void set_handles(std::weak_ptr<SessionHandles> handles) noexcept { handles_ = std::move(handles); }
    std::shared_ptr<SessionHandles> handles() const noexcept { return handles_.lock(); }

  private:
    bool on_io_thread() const noexcept;
    SessionState(std::unique_ptr<asio::io_context> own, asio::any_io_executor executor,
                 std::shared_ptr<const SessionOptions> options);
    void run_thread();
    void shut_down();

    MadeInProcess made_in_;
    std::shared_ptr<const SessionOptions> options_;
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
    std::weak_ptr<SessionHandles> handles_;  // written once, before anyone else sees the state
    std::mutex end_mutex_;
    bool ended_ = false;  // the I/O thread runs out of work and is not to be given more
};

/// What all handles of a session share: its state, in each process another one. With the last handle it ends.
class SessionHandles : public std::enable_shared_from_this<SessionHandles> {
  public:
    static std::shared_ptr<SessionHandles> make(std::optional<asio::any_io_executor> executor, SessionOptions options);
    ~SessionHandles();
    SessionHandles(const SessionHandles&) = delete;
    SessionHandles& operator=(const SessionHandles&) = delete;

    const SessionOptions& options() const noexcept { return *options_; }
    /// From any thread; in a forked child a fresh one. Throws ResourceError where that gets no thread, and
    /// std::logic_error where it would need the application's executor.
    std::shared_ptr<SessionState> state();
    void close();

  private:
    struct Present {
        MadeInProcess process;
        std::shared_ptr<SessionState> state;
    };
    SessionHandles(std::optional<asio::any_io_executor> executor, SessionOptions options);
    std::shared_ptr<SessionState> renew();
    void set(std::shared_ptr<SessionState> state);

    std::optional<asio::any_io_executor> executor_;
    std::shared_ptr<const SessionOptions> options_;
    std::deque<Present> states_;  // one for each process since the session was made, this one's last
    std::atomic<const Present*> present_ = nullptr;
    std::atomic<bool> closed_ = false;
};

}  // namespace hfhub::http
