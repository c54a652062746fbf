#include "http/workers.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace hfhub::http {

struct Workers::Job {
    Job(Waits& waits, std::function<void()> work) : event(waits), work(std::move(work)) {}
    Event event;
    std::function<void()> work;
    std::exception_ptr error;
    bool done = false;
};

struct Workers::Shared {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<std::shared_ptr<Job>> queue;
    std::vector<std::thread> threads;
    unsigned limit = 0;
    unsigned idle = 0;
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
        asio::post(*self->executor, [job = std::move(job)] {
            job->done = true;
            job->event.notify();
        });
    }

    static void loop(const std::shared_ptr<Shared>& self) {
        std::unique_lock lock(self->mutex);
        for (;;) {
            ++self->idle;
            self->ready.wait(lock, [&] { return self->stopping || !self->queue.empty(); });
            --self->idle;
            if (self->queue.empty()) return;
            auto job = std::move(self->queue.front());
            self->queue.pop_front();
            lock.unlock();
            perform(self, std::move(job));
            lock.lock();
        }
    }
};

Workers::Workers(Waits& waits, unsigned threads) : waits_(waits), shared_(std::make_shared<Shared>()) {
    shared_->limit = std::max(threads, 1U);
    shared_->executor = waits.executor();
}

Workers::~Workers() {
    shutdown();
    for (std::thread& thread : shared_->threads) thread.join();
}

void Workers::shutdown() {
    std::deque<std::shared_ptr<Job>> dropped;  // destroyed after the lock is let go
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->executor.reset();
    shared_->queue.swap(dropped);
    shared_->ready.notify_all();
}

void Workers::begin(const std::shared_ptr<Job>& job, bool detached) {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->stopping) throw CancelledError();
    if (detached) {
        std::thread([shared = shared_, job] { Shared::perform(shared, job); }).detach();
        return;
    }
    shared_->queue.push_back(job);
    // Who was woken for an earlier job counts as idle until it has taken it.
    if (shared_->queue.size() > shared_->idle && shared_->threads.size() < shared_->limit) {
        shared_->threads.emplace_back([shared = shared_] { Shared::loop(shared); });
    } else {
        shared_->ready.notify_one();
    }
}

awaitable<void> Workers::submit(std::function<void()> work, bool detached, Limit limit) {
    auto job = std::make_shared<Job>(waits_, std::move(work));
    begin(job, detached);
    while (!job->done) {
        const Wake wake = co_await job->event.wait(limit.at);
        limit.check(wake);
    }
    if (job->error) std::rethrow_exception(job->error);
}

}  // namespace hfhub::http
