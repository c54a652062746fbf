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
    struct Job;

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
            auto job = begin(std::function<void()>(std::move(work)), false);
            co_await wait(std::move(job), limit);
        } else {
            auto slot = std::make_shared<std::optional<T>>();
            std::function<void()> filling = [slot, work = std::move(work)]() mutable { slot->emplace(work()); };
            auto job = begin(std::move(filling), false);
            co_await wait(std::move(job), limit);
            co_return std::move(**slot);
        }
    }

    /// As run(), on a thread of its own that nobody waits for at the end: for calls that may hang (getaddrinfo).
    template <class Work>
    awaitable<std::invoke_result_t<Work&>> run_detached(Work work, Limit limit) {
        const auto pending = start_detached(std::move(work));
        co_await wait(pending.job_, limit);
        co_return std::move(**pending.slot_);
    }

    /// Work whose end several may wait for.
    template <class T>
    class Pending {
      public:
        bool done() const noexcept { return is_done(*job_); }

      private:
        friend class Workers;
        Pending(std::shared_ptr<Job> job, std::shared_ptr<std::optional<T>> slot)
            : job_(std::move(job)), slot_(std::move(slot)) {}
        std::shared_ptr<Job> job_;
        std::shared_ptr<std::optional<T>> slot_;
    };

    /// Begins it as run_detached() does.
    template <class Work>
    Pending<std::invoke_result_t<Work&>> start_detached(Work work) {
        using T = std::invoke_result_t<Work&>;
        auto slot = std::make_shared<std::optional<T>>();
        std::function<void()> job = [slot, work = std::move(work)]() mutable { slot->emplace(work()); };
        return Pending<T>(begin(std::move(job), true), std::move(slot));
    }
    /// Its result, a copy for each, or exception.
    template <class T>
    awaitable<T> result(Pending<T> pending, Limit limit) {
        co_await wait(pending.job_, limit);
        co_return **pending.slot_;
    }

    /// Work under way is finished, but nobody hears of it any more; no other begins.
    void shutdown();

  private:
    struct Shared;
    static bool is_done(const Job& job) noexcept;
    std::shared_ptr<Job> begin(std::function<void()> work, bool detached);
    void add_thread();
    awaitable<void> wait(std::shared_ptr<Job> job, Limit limit);

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
