#include "hub/parallel.hpp"

#include "http/session.hpp"
#include "http/wait.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <memory>
#include <utility>

namespace hfhub::hub {

namespace {

/// Those who are waited for have limits of their own, and a failure or cancellation ends them all.
constexpr auto unlimited = http::Clock::time_point::max();

/// Shared by the runners and who waits for them: none of them looks into the frame of another.
struct Group {
    explicit Group(http::Waits& waits) : ended(waits) {}

    void stop() {
        stopped = true;
        for (asio::cancellation_signal& signal : signals) signal.emit(asio::cancellation_type::terminal);
    }

    std::function<awaitable<void>(std::size_t)> work;
    std::size_t count = 0;
    std::size_t next = 0;
    std::size_t running = 0;
    bool stopped = false;
    std::exception_ptr failure;
    std::deque<asio::cancellation_signal> signals;
    http::Event ended;
};

awaitable<void> run_some(std::shared_ptr<Group> group) {
    while (!group->stopped && group->next < group->count) {
        const std::size_t index = group->next++;
        awaitable<void> one = group->work(index);
        co_await std::move(one);
    }
}

void start(http::SessionState& state, const std::shared_ptr<Group>& group) {
    ++group->running;
    asio::cancellation_signal& signal = group->signals.emplace_back();
    state.spawn(run_some(group), signal.slot(), [group](std::exception_ptr error) {
        --group->running;
        if (error && !group->stopped) {
            group->failure = std::move(error);
            group->stop();
        }
        if (group->running == 0) group->ended.notify();
    });
}

}  // namespace

awaitable<void> run_parallel(Client client, std::size_t count, std::size_t limit,
                             std::function<awaitable<void>(std::size_t)> work) {
    auto group = std::make_shared<Group>(client.waits());
    group->work = std::move(work);
    group->count = count;
    const std::size_t runners = std::min(count, std::max<std::size_t>(limit, 1));
    if (runners <= 1) {
        co_await run_some(group);
        co_return;
    }
    for (std::size_t i = 0; i < runners; ++i) start(*client.state(), group);
    // Cancelled, this coroutine still has to wait until the others have ended.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    bool cancelled = false;
    while (group->running > 0) {
        const http::Wake wake = co_await group->ended.wait(unlimited);
        if (wake != http::Wake::cancelled) continue;
        cancelled = true;
        group->stop();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (group->failure) std::rethrow_exception(group->failure);
    if (cancelled) throw CancelledError();
}

}  // namespace hfhub::hub
