#pragma once

#include "http/wait.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

namespace hfhub::http {

/// Threads for what would block the executor: disk, hashing, name look-ups. Made on first use.
/// run() is used from the session's executor only.
class Workers {
  public:
    /// At least one thread, whatever `threads` says.
    explicit Workers(Waits& waits, unsigned threads = 4);
    /// Waits for running work, except look-ups, but not long: a disk that does not answer is left behind. What has not
    /// begun does not run any more.
    ~Workers();

    /// Runs `work` on a worker and resumes with its result or exception; throws ResourceError where there is no thread
    /// for it. Cancelled, or at its limit (a disk that does
    /// not answer), it leaves the work running, so `work` owns all that it touches.
    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run(Work work, Limit limit = {}) {
        using T = std::invoke_result_t<Work&>;
        if constexpr (std::is_void_v<T>) {
            co_await submit(std::function<void()>(std::move(work)), false, limit);
        } else {
            auto slot = std::make_shared<std::optional<T>>();
            std::function<void()> job = [slot, work = std::move(work)]() mutable { slot->emplace(work()); };
            co_await submit(std::move(job), false, limit);
            co_return std::move(**slot);
        }
    }

    /// As run(), on a thread of its own that nobody waits for at the end: for calls that may hang (getaddrinfo).
    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run_detached(Work work, Limit limit) {
        auto slot = std::make_shared<std::optional<std::invoke_result_t<Work&>>>();
        std::function<void()> job = [slot, work = std::move(work)]() mutable { slot->emplace(work()); };
        co_await submit(std::move(job), true, limit);
        co_return std::move(**slot);
    }

    /// Work under way is finished, but nobody hears of it any more; no other begins.
    void shutdown();

  private:
    struct Job;
    struct Shared;
    void begin(const std::shared_ptr<Job>& job, bool detached);
    void add_thread();
    awaitable<void> submit(std::function<void()> work, bool detached, Limit limit);

    Waits& waits_;
    std::shared_ptr<Shared> shared_;
};

/// Workers for a call that has to end in time: its waits for disk and hashing end with its deadline.
class CallWorkers {
  public:
    CallWorkers(Workers& workers, Clock::time_point deadline = Clock::time_point::max()) noexcept
        : workers_(&workers), deadline_(deadline) {}

    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run(Work work) const {
        const Limit limit{deadline_};
        return workers_->run(std::move(work), limit);
    }

  private:
    Workers* workers_;
    Clock::time_point deadline_;
};

}  // namespace hfhub::http
