#include "http/wait.hpp"

#include "support/loop.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;

namespace {

awaitable<void> wait_on(Event& event, Clock::time_point deadline, std::vector<Wake>& wakes) {
    const Wake wake = co_await event.wait(deadline);
    wakes.push_back(wake);
}

constexpr auto never = Clock::time_point::max();

}  // namespace

TEST_CASE("a wait ends when it is notified, and only then") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    loop.start(wait_on(event, never, wakes));
    CHECK(event.waiting());
    CHECK(wakes.empty());
    event.notify();
    CHECK(wakes == std::vector{Wake::notified});
    CHECK_FALSE(event.waiting());
}

TEST_CASE("a notification without a waiter is not kept") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    event.notify();
    loop.start(wait_on(event, never, wakes));
    CHECK(wakes.empty());
}

TEST_CASE("a wait ends at its deadline, also one that is past") {
    Loop loop;
    Event event(*loop.waits), late(*loop.waits);
    std::vector<Wake> wakes;
    const auto begin = Clock::now();
    loop.start(wait_on(event, begin + 30ms, wakes));
    CHECK(loop.until([&] { return wakes.size() == 1; }));
    CHECK(Clock::now() - begin >= 30ms);
    loop.start(wait_on(late, begin, wakes));
    CHECK(loop.until([&] { return wakes.size() == 2; }));
    CHECK(wakes == std::vector{Wake::timeout, Wake::timeout});
}

TEST_CASE("many waits with deadlines in any order end each at its own, from one timer") {
    Loop loop;
    constexpr int count = 300;
    std::vector<std::unique_ptr<Event>> events;
    std::vector<std::vector<Wake>> wakes(count);
    const auto begin = Clock::now();
    for (int i = 0; i < count; ++i) {
        events.push_back(std::make_unique<Event>(*loop.waits));
        const auto delay = std::chrono::milliseconds((i * 37) % 60);
        loop.start(wait_on(*events.back(), begin + delay, wakes[i]));
    }
    const auto ended = [&] {
        for (const auto& one : wakes) {
            if (one.empty()) return false;
        }
        return true;
    };
    CHECK(loop.until(ended));
    for (const auto& one : wakes) CHECK(one == std::vector{Wake::timeout});
}

TEST_CASE("an earlier deadline set later is not missed") {
    Loop loop;
    Event slow(*loop.waits), quick(*loop.waits);
    std::vector<Wake> slow_wakes, quick_wakes;
    loop.start(wait_on(slow, Clock::now() + 10s, slow_wakes));
    loop.start(wait_on(quick, Clock::now() + 20ms, quick_wakes));
    CHECK(loop.until([&] { return !quick_wakes.empty(); }, 2s));
    CHECK(slow_wakes.empty());
}

TEST_CASE("asio cancellation ends a wait as cancelled, without running it inside emit()") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    const auto task = loop.start(wait_on(event, never, wakes));
    task->cancel();
    CHECK(wakes.empty());
    task->cancel();
    loop.turn();
    CHECK(wakes == std::vector{Wake::cancelled});
    CHECK(task->done);
    task->cancel();
    loop.turn();
}

TEST_CASE("a notification between emit() and its effect wins, and comes once") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    const auto task = loop.start(wait_on(event, never, wakes));
    task->cancel();
    event.notify();
    loop.turn();
    CHECK(wakes == std::vector{Wake::notified});
}

TEST_CASE("a cancellation that came too late for one wait does not end the next on the same event") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    const auto task = loop.start(wait_on(event, never, wakes));
    task->cancel();
    event.notify();
    const auto next = loop.start(wait_on(event, never, wakes));
    loop.turn();
    CHECK(wakes == std::vector{Wake::notified});
    next->cancel();
    loop.turn();
    CHECK(wakes == std::vector{Wake::notified, Wake::cancelled});
}

TEST_CASE("shutdown ends all waits, and later ones at once") {
    Loop loop;
    Event first(*loop.waits), second(*loop.waits), later(*loop.waits);
    std::vector<Wake> wakes;
    loop.start(wait_on(first, never, wakes));
    loop.start(wait_on(second, Clock::now() + 10s, wakes));
    loop.waits->shutdown();
    CHECK(wakes == std::vector{Wake::cancelled, Wake::cancelled});
    loop.start(wait_on(later, never, wakes));
    CHECK(wakes.size() == 3);
    CHECK(wakes.back() == Wake::cancelled);
}

TEST_CASE("an event destroyed while waited for drops the coroutine and leaves nothing to be cancelled") {
    Loop loop;
    std::vector<Wake> wakes;
    auto event = std::make_unique<Event>(*loop.waits);
    const auto task = loop.start(wait_on(*event, Clock::now() + 5ms, wakes));
    event.reset();
    task->cancel();
    loop.pass(10ms);
    CHECK(wakes.empty());
}

TEST_CASE("an event destroyed after emit() hears nothing of it") {
    Loop loop;
    std::vector<Wake> wakes;
    auto event = std::make_unique<Event>(*loop.waits);
    const auto task = loop.start(wait_on(*event, never, wakes));
    task->cancel();
    event.reset();
    loop.turn();
    CHECK(wakes.empty());
}

TEST_CASE("a resumed coroutine may destroy, notify and re-wait events that are due at the same time") {
    Loop loop;
    std::unique_ptr<Event> events[4];
    for (auto& event : events) event = std::make_unique<Event>(*loop.waits);
    std::vector<Wake> wakes;
    const auto at = Clock::now() + 10ms;
    const auto meddle = [&]() -> awaitable<void> {
        const Wake first = co_await events[0]->wait(at);
        wakes.push_back(first);
        events[1].reset();
        events[2]->notify();
        const Wake again = co_await events[0]->wait(Clock::now() + 1ms);
        wakes.push_back(again);
    };
    const auto task = loop.start(meddle());
    for (int i = 1; i < 4; ++i) loop.start(wait_on(*events[i], at, wakes));
    CHECK(loop.until([&] { return task->done && wakes.size() == 4; }));
    loop.pass(5ms);
    CHECK(wakes.size() == 4);
    CHECK(std::count(wakes.begin(), wakes.end(), Wake::notified) == 1);
}

TEST_CASE("shutdown leaves no timer behind: an executor without other work ends") {
    Loop loop;
    Event event(*loop.waits);
    std::vector<Wake> wakes;
    loop.start(wait_on(event, Clock::now() + 10s, wakes));
    loop.waits->shutdown();
    const auto begin = Clock::now();
    loop.io.restart();
    loop.io.run_for(5s);
    CHECK(Clock::now() - begin < 4s);
}

TEST_CASE("shutdown from inside a coroutine that a timeout resumed reaches the others") {
    Loop loop;
    Event first(*loop.waits), second(*loop.waits), third(*loop.waits);
    std::vector<Wake> wakes;
    const auto at = Clock::now() + 5ms;
    const auto close = [&]() -> awaitable<void> {
        const Wake wake = co_await first.wait(at);
        wakes.push_back(wake);
        loop.waits->shutdown();
    };
    loop.start(close());
    loop.start(wait_on(second, at, wakes));
    loop.start(wait_on(third, never, wakes));
    CHECK(loop.until([&] { return wakes.size() == 3; }));
}

TEST_CASE("a limit is the shorter of its own length and the call's deadline") {
    const auto now = Clock::now();
    const Limit own = limit_from_now(TimeoutPhase::idle, 1s, now + 1h);
    CHECK(own.phase == TimeoutPhase::idle);
    CHECK(own.length == 1s);
    const Limit whole = limit_from_now(TimeoutPhase::idle, 1h, now + 1s);
    CHECK(whole.phase == TimeoutPhase::deadline);
    const Limit none = limit_from_now(TimeoutPhase::idle, 0ms, never);
    CHECK(none.at == never);
    CHECK_NOTHROW(own.check(Wake::notified));
    CHECK(test::outcome([&] { own.check(Wake::timeout); }) == "TimeoutError");
    CHECK(test::outcome([&] { own.check(Wake::cancelled); }) == "CancelledError");
}
