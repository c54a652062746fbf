#include "core/fork.hpp"

#include <pthread.h>

#include <atomic>
#include <utility>
#include <vector>

namespace hfhub {

namespace {

std::atomic<std::uint64_t> generation = 0;

struct Registry {
    std::mutex mutex;
    std::vector<ForkSafeMutex*> mutexes;
    std::vector<void (*)()> in_child;

    void lock_all() {
        mutex.lock();
        for (ForkSafeMutex* one : mutexes) one->lock();
    }
    void unlock_all() {
        for (auto one = mutexes.rbegin(); one != mutexes.rend(); ++one) (*one)->unlock();
        mutex.unlock();
    }
};

// Never destroyed, as all that other threads may use until the very end.
Registry& registry() {
    static auto* const instance = new Registry;
    return *instance;
}

void before_fork() { registry().lock_all(); }

void after_fork_in_parent() { registry().unlock_all(); }

void after_fork_in_child() {
    generation.fetch_add(1, std::memory_order_relaxed);
    registry().unlock_all();
    for (void (*forget)() : registry().in_child) forget();
}

[[maybe_unused]] const int registered = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

std::uint64_t fork_generation() noexcept { return generation.load(std::memory_order_relaxed); }

void abandon(std::shared_ptr<void> object) noexcept {
    // Within reach, so that nothing counts them as leaks.
    struct Abandoned {
        ForkSafeMutex mutex;
        std::vector<std::shared_ptr<void>> objects;
    };
    static auto* const abandoned = new Abandoned;
    try {
        const std::lock_guard lock(abandoned->mutex);
        abandoned->objects.push_back(std::move(object));
    } catch (...) {
        new (std::nothrow) std::shared_ptr<void>(std::move(object));
    }
}

ForkSafeMutex::ForkSafeMutex() {
    const std::lock_guard lock(registry().mutex);
    registry().mutexes.push_back(this);
}

ForkSafeMutex::~ForkSafeMutex() {
    const std::lock_guard lock(registry().mutex);
    std::erase(registry().mutexes, this);
}

void on_fork_in_child(void (*forget)()) {
    const std::lock_guard lock(registry().mutex);
    registry().in_child.push_back(forget);
}

}  // namespace hfhub
