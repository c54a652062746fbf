#include "hub/parallel.hpp"

#include "http/session.hpp"
#include "http/wait.hpp"
#include "support/loop.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <vector>

using namespace hfhub;
using namespace hfhub::hub;
using hfhub::test::Loop;

namespace {

/// Work that goes on until the test lets it.
struct Fixture {
    Loop loop;
    Session session{loop.io.get_executor(), SessionOptions(Environment())};
    Client client{session.state(), Client::Settings{}};
    std::vector<std::unique_ptr<http::Event>> gates;
    std::vector<std::size_t> begun, ended, cancelled;

    awaitable<void> one(std::size_t index) {
        begun.push_back(index);
        const http::Wake wake = co_await gates[index]->wait(http::Clock::time_point::max());
        if (wake == http::Wake::cancelled) {
            cancelled.push_back(index);
            throw CancelledError();
        }
        ended.push_back(index);
    }

    std::shared_ptr<Loop::Task> start(std::size_t count, std::size_t limit) {
        for (std::size_t i = 0; i < count; ++i) gates.push_back(std::make_unique<http::Event>(client.waits()));
        auto task = loop.start(run_parallel(client, count, limit, [this](std::size_t index) { return one(index); }));
        loop.turn();
        return task;
    }
    void let(std::size_t index) {
        gates[index]->notify();
        loop.turn();
    }
};

using Indices = std::vector<std::size_t>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "work begins in order, no more than the limit at a time, and all of it is waited for") {
    const auto task = start(5, 2);
    CHECK(begun == Indices{0, 1});
    let(1);
    CHECK(begun == Indices{0, 1, 2});
    let(2);
    let(3);
    let(4);
    CHECK(begun == Indices{0, 1, 2, 3, 4});
    CHECK(!task->done);
    let(0);
    CHECK(task->outcome() == "ok");
    CHECK(ended == Indices{1, 2, 3, 4, 0});
}

TEST_CASE_FIXTURE(Fixture, "one at a time needs no other coroutine") {
    const auto task = start(2, 1);
    CHECK(begun == Indices{0});
    let(0);
    let(1);
    CHECK(task->outcome() == "ok");
}

TEST_CASE_FIXTURE(Fixture, "no work is done at once") { CHECK(start(0, 4)->outcome() == "ok"); }

TEST_CASE_FIXTURE(Fixture, "the first failure ends the others, and is what is thrown when they have ended") {
    for (int i = 0; i < 3; ++i) gates.push_back(std::make_unique<http::Event>(client.waits()));
    auto work = [this](std::size_t index) -> awaitable<void> {
        co_await one(index);
        throw IoError("disk");
    };
    const auto task = loop.start(run_parallel(client, 3, 2, work));
    loop.turn();
    let(1);
    CHECK(loop.until([&] { return task->done; }));
    CHECK(task->outcome() == "IoError");
    CHECK(cancelled == Indices{0});
    CHECK(begun == Indices{0, 1});
}

TEST_CASE_FIXTURE(Fixture, "cancelled, it ends when its work has ended") {
    const auto task = start(4, 3);
    task->cancel();
    CHECK(loop.until([&] { return task->done; }));
    CHECK(task->outcome() == "CancelledError");
    CHECK(cancelled == Indices{0, 1, 2});
    CHECK(begun == Indices{0, 1, 2});
}
