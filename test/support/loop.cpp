#include "loop.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

namespace hfhub::test {

Loop::Loop() : waits(std::make_shared<http::Waits>(io.get_executor())) {}

Loop::~Loop() {
    waits->shutdown();
    turn();
}

std::shared_ptr<Loop::Task> Loop::submit(awaitable<void> work) {
    auto task = std::make_shared<Task>();
    asio::co_spawn(io, std::move(work),
                   asio::bind_cancellation_slot(task->signal.slot(), [task](std::exception_ptr error) {
                       task->done = true;
                       task->error = error;
                   }));
    return task;
}

std::shared_ptr<Loop::Task> Loop::start(awaitable<void> work) {
    auto task = submit(std::move(work));
    turn();
    return task;
}

void Loop::turn() {
    io.restart();
    io.poll();
}

bool Loop::until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    const auto guard = asio::make_work_guard(io);
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        io.restart();
        io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
}

void Loop::pass(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    const auto guard = asio::make_work_guard(io);
    io.restart();
    io.run_until(end);
}

void Loop::run_to_end(awaitable<void> work) {
    const auto task = start(std::move(work));
    if (!until([&] { return task->done; }, std::chrono::seconds(20))) {
        throw std::runtime_error("the coroutine did not end within 20 s");
    }
    if (task->error) std::rethrow_exception(task->error);
}

std::string Loop::Task::outcome() const { return done ? outcome_of(error) : "running"; }

std::string outcome_of(const std::exception_ptr& error) {
    if (!error) return "ok";
    try {
        std::rethrow_exception(error);
    } catch (const Error& one) {
        return std::string(one.type());
    } catch (const std::exception& one) {
        return one.what();
    }
}

std::string message_of(const std::exception_ptr& error) {
    if (!error) return {};
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& one) {
        return one.what();
    }
}

}  // namespace hfhub::test
