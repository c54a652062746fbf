#include "http/workers.hpp"

#include "http/thread.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {
constexpr std::chrono::milliseconds patience_at_end{500};
}

struct Workers::Job {
    struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
        explicit Waiter(Waits& waits) : event(waits) {}
        Event event;
    };
    explicit Job(std::function<void()> work) : work(std::move(work)) {}
    void end() {
        done = true;
        while (!waiters.empty()) {
            Waiter& waiter = waiters.front();
            waiters.pop_front();
            waiter.event.notify();
        }
    }
    boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters;
    std::function<void()> work;
    std::exception_ptr error;
    bool done = false;
};

struct Workers::Shared {
    std::mutex mutex;
    std::condition_variable ready, ended;
    std::deque<std::shared_ptr<Job>> queue;
    std::vector<std::thread> threads;
    unsigned limit = 0;
    unsigned idle = 0;
    unsigned running = 0;  // threads that have not ended
    bool stopping = false;
    std::optional<asio::any_io_executor> executor;  // empty after shutdown: it may be gone then

    static void perform(const std::shared_ptr<Shared>& self, std::shared_ptr<Job> job) {
        try {
            job->work();
        } catch (...) {
            job->error = std::current_exception();
        }
        job->work = nullptr;
        const std::lock_guard lock(self->mutex);
        if (!self->executor) return;
        asio::post(*self->executor, [job = std::move(job)] { job->end(); });
    }

    static void loop(const std::shared_ptr<Shared>& self) {
        std::unique_lock lock(self->mutex);
        for (;;) {
            ++self->idle;
            self->ready.wait(lock, [&] { return self->stopping || !self->queue.empty(); });
            --self->idle;
            if (self->queue.empty()) break;
            auto job = std::move(self->queue.front());
            self->queue.pop_front();
            lock.unlock();
            perform(self, std::move(job));
            lock.lock();
        }
        --self->running;
        self->ended.notify_all();
    }

    // The last reference to what owns the workers may go on one of them.
    bool is_worker() const {
        return std::any_of(threads.begin(), threads.end(),
                           [](const std::thread& one) { return one.get_id() == std::this_thread::get_id(); });
    }
};

Workers::Workers(Waits& waits, unsigned threads) : waits_(waits), shared_(std::make_shared<Shared>()) {
    shared_->limit = std::max(threads, 1U);
    shared_->executor = waits.executor();
}

Workers::~Workers() {
    shutdown();
    std::unique_lock lock(shared_->mutex);
    const unsigned here = shared_->is_worker() ? 1 : 0;
    const auto ended = [&] { return shared_->running == here; };
    const bool all = shared_->ended.wait_for(lock, patience_at_end, ended);
    lock.unlock();
    for (std::thread& thread : shared_->threads) {
        // Who is left behind holds all that it touches.
        if (!all || thread.get_id() == std::this_thread::get_id()) {
            thread.detach();
        } else {
            thread.join();
        }
    }
}

void Workers::shutdown() {
    std::deque<std::shared_ptr<Job>> dropped;  // destroyed after the lock is let go
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->executor.reset();
    shared_->queue.swap(dropped);
    shared_->ready.notify_all();
}

bool Workers::is_done(const Job& job) noexcept { return job.done; }

std::shared_ptr<Workers::Job> Workers::begin(std::function<void()> work, bool detached) {
    auto job = std::make_shared<Job>(std::move(work));
    const std::lock_guard lock(shared_->mutex);
    if (shared_->stopping) throw CancelledError();
    if (detached) {
        start_thread("a look-up", [shared = shared_, job] { Shared::perform(shared, job); }).detach();
        return job;
    }
    shared_->queue.push_back(job);
    // Who was woken for an earlier job counts as idle until it has taken it.
    if (shared_->queue.size() > shared_->idle && shared_->threads.size() < shared_->limit) {
        add_thread();
    } else {
        shared_->ready.notify_one();
    }
    return job;
}

void Workers::add_thread() {
    try {
        shared_->threads.reserve(shared_->limit);
        shared_->threads.push_back(start_thread("disk and hashing", [shared = shared_] { Shared::loop(shared); }));
        ++shared_->running;
    } catch (...) {
        if (!shared_->threads.empty()) return;  // then the others do it
        shared_->queue.pop_back();
        throw;
    }
}

awaitable<void> Workers::wait(std::shared_ptr<Job> job, Limit limit) {
    Job::Waiter waiter(waits_);
    while (!job->done) {
        job->waiters.push_back(waiter);
        const Wake wake = co_await waiter.event.wait(limit.at);
        limit.check(wake);
    }
    if (job->error) std::rethrow_exception(std::exchange(job->error, nullptr));
}

}  // namespace hfhub::http
