#include "hub/held_lock.hpp"

#include "core/log.hpp"
#include "http/wait.hpp"
#include "http/workers.hpp"

#include <algorithm>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr http::Milliseconds first_look{5}, longest_look{250};
constexpr auto log_interval = 10s;

std::string describe(const FileLock& lock) {
    std::string text = "still waiting for the lock " + lock.path().string();
    const auto holder = lock.holder();
    if (!holder) return text + ", which another process or thread holds";
    return text + ", held by process " + std::to_string(holder->process) + " on " + holder->host +
           ", last seen alive " + std::to_string(holder->age.count()) + " s ago";
}

}  // namespace

awaitable<std::shared_ptr<FileLock>> hold_lock(Client client, PathBeneath path) {
    const auto lock = std::make_shared<FileLock>(std::move(path));
    const auto begin = http::Clock::now();
    auto logged = begin;
    http::Event event(client.waits());
    for (http::Milliseconds look = first_look;; look = std::min(look * 2, longest_look)) {
        auto attempt = [lock] { return lock->try_lock(); };
        const bool ours = co_await client.workers().run(std::move(attempt));
        if (ours) co_return lock;
        const auto now = http::Clock::now();
        if (now >= client.deadline()) {
            TimeoutError late(TimeoutPhase::deadline, http::Milliseconds(0));
            late.at(describe(*lock));
            throw late;
        }
        const http::Wake wake = co_await event.wait(std::min(now + look, client.deadline()));
        if (wake == http::Wake::cancelled) throw CancelledError();
        if (now - logged < log_interval) continue;
        logged = now;
        log(LogLevel::warning, describe(*lock));
    }
}

}  // namespace hfhub::hub
