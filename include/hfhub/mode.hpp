#pragma once

#include <hfhub/fwd.hpp>
#include <hfhub/session.hpp>

#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace hfhub {

namespace detail {

/// Runs `work` on the session's executor and waits. Throws what it throws; std::logic_error on the session's own
/// thread.
void wait_for(const Session& session, awaitable<void> work, const std::stop_token& stop);
// A call that waits is no handle: when the last one goes, it is to end. So it holds the state only.
using State = std::shared_ptr<http::SessionState>;

/// Runs `work` on the session's executor and resumes on the caller's; cancellation is passed on.
awaitable<void> run_on(State state, awaitable<void> work);
/// Throws the exception under way; Asio's own of a cancelled coroutine as CancelledError. For catch blocks.
[[noreturn]] void rethrow_translated();
/// Throws std::logic_error for a state of the process that forked this one.
void require_this_process(const State& state);
/// Whether the executor is the session's own.
bool is_own_executor(const State& state, const asio::any_io_executor& executor) noexcept;

template <class T>
awaitable<void> store(awaitable<T> work, std::shared_ptr<std::optional<T>> slot) {
    slot->emplace(co_await std::move(work));
}

template <class T>
awaitable<T> run_here_or_there(State state, awaitable<T> work) {
    const asio::any_io_executor here = co_await asio::this_coro::executor;
    require_this_process(state);
    const bool own = is_own_executor(state, here);
    if constexpr (std::is_void_v<T>) {
        if (!own) {
            co_await run_on(std::move(state), std::move(work));
            co_return;
        }
        try {
            co_await std::move(work);
        } catch (...) {
            rethrow_translated();
        }
    } else {
        if (own) {
            try {
                T result = co_await std::move(work);
                co_return result;
            } catch (...) {
                rethrow_translated();
            }
        }
        auto slot = std::make_shared<std::optional<T>>();
        auto stored = store<T>(std::move(work), slot);
        co_await run_on(std::move(state), std::move(stored));
        co_return std::move(**slot);
    }
}

}  // namespace detail

/// Calls wait for their result.
struct Blocking {
    template <class T>
    using result = T;

    template <class T>
    static T run(const Session& session, awaitable<T> work, const std::stop_token& stop = {}) {
        if constexpr (std::is_void_v<T>) {
            detail::wait_for(session, std::move(work), stop);
        } else {
            auto slot = std::make_shared<std::optional<T>>();
            detail::wait_for(session, detail::store<T>(std::move(work), slot), stop);
            return std::move(**slot);
        }
    }
};

/// Calls return an awaitable, which resumes on the executor of the coroutine that awaits it.
struct Awaiting {
    template <class T>
    using result = awaitable<T>;

    template <class T>
    static awaitable<T> run(const Session& session, awaitable<T> work, const std::stop_token& = {}) {
        return detail::run_here_or_there<T>(session.state(), std::move(work));
    }
};

}  // namespace hfhub
