#pragma once

#include "http/wait.hpp"

#include <hfhub/mode.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

namespace hfhub::test {

/// The caller's thread as an executor: coroutines run while the test drives it, never beside it.
class Loop {
  public:
    Loop();
    /// Ends what is still waiting as cancelled.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// A coroutine that was started and is looked at later.
    struct Task {
        bool done = false;
        std::exception_ptr error;
        asio::cancellation_signal signal;
        void cancel() { signal.emit(asio::cancellation_type::terminal); }
        /// Name of the exception's class, "ok" where there is none, "running" before the end.
        std::string outcome() const;
    };

    /// Runs it to its end; throws what it throws, and std::runtime_error where it takes longer than 20 s.
    template <class T>
    T run(awaitable<T> work) {
        if constexpr (std::is_void_v<T>) {
            run_to_end(std::move(work));
        } else {
            auto slot = std::make_shared<std::optional<T>>();
            run_to_end(detail::store<T>(std::move(work), slot));
            return std::move(**slot);
        }
    }
    /// Begins it with the next turn.
    std::shared_ptr<Task> submit(awaitable<void> work);
    /// Starts it and runs all that is ready.
    std::shared_ptr<Task> start(awaitable<void> work);
    /// Runs all that is ready.
    void turn();
    /// Runs until the condition holds; false where it does not within the limit.
    bool until(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(10));
    /// Runs for a time.
    void pass(std::chrono::milliseconds time);

    asio::io_context io{1};
    std::shared_ptr<http::Waits> waits;

  private:
    void run_to_end(awaitable<void> work);
};

/// Name of the exception's class as in error.hpp, its message where it is no hfhub::Error, "ok" for none.
std::string outcome_of(const std::exception_ptr& error);
/// The exception's message, empty for none.
std::string message_of(const std::exception_ptr& error);

/// Calls `f` and gives the exception's class, or "ok".
template <class F>
std::string outcome(F&& f) {
    try {
        f();
    } catch (...) {
        return outcome_of(std::current_exception());
    }
    return "ok";
}

/// Calls `f` and gives the exception's message.
template <class F>
std::string message(F&& f) {
    try {
        f();
    } catch (...) {
        return message_of(std::current_exception());
    }
    return {};
}

}  // namespace hfhub::test
