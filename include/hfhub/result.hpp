#pragma once

// Outcomes as values, for code that would rather not catch: as_result(…) around any call, in either mode.
//
//     hfhub::result<ModelInfo> info = as_result([&] { return api.model_info("org/model"); });
//     hfhub::result<ModelInfo> info = co_await as_result(async_api.model_info("org/model"));

#include <boost/asio/awaitable.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace hfhub {

/// What an exception says, for people.
inline std::string message_of(const std::exception_ptr& error) {
    if (!error) return {};
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

/// A value, or the exception that was thrown in its place.
template <class T = void>
class [[nodiscard]] result {
    static_assert(std::is_object_v<T>, "a result holds a value or is void");

  public:
    using value_type = T;

    result(T value) : value_(std::move(value)) {}
    /// `error` must not be null.
    explicit result(std::exception_ptr error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// Throws the exception where there is no value.
    T& value() & { return check(), *value_; }
    const T& value() const& { return check(), *value_; }
    T&& value() && { return check(), *std::move(value_); }

    /// Undefined where there is no value.
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }

    /// Null where there is a value.
    const std::exception_ptr& error() const noexcept { return error_; }
    /// Empty where there is a value.
    std::string error_message() const { return message_of(error_); }

  private:
    void check() const {
        if (error_) std::rethrow_exception(error_);
    }

    std::optional<T> value_;
    std::exception_ptr error_;
};

template <>
class [[nodiscard]] result<void> {
  public:
    using value_type = void;

    result() = default;
    /// `error` must not be null.
    explicit result(std::exception_ptr error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws the exception where there is one.
    void value() const {
        if (error_) std::rethrow_exception(error_);
    }
    const std::exception_ptr& error() const noexcept { return error_; }
    std::string error_message() const { return message_of(error_); }

  private:
    std::exception_ptr error_;
};

namespace detail {
template <class T>
inline constexpr bool is_awaitable = false;
template <class T, class Executor>
inline constexpr bool is_awaitable<boost::asio::awaitable<T, Executor>> = true;
}  // namespace detail

/// Calls the function and keeps what it returns, or what it throws.
template <std::invocable F>
result<std::remove_cvref_t<std::invoke_result_t<F>>> as_result(F&& function) {
    using T = std::remove_cvref_t<std::invoke_result_t<F>>;
    static_assert(!detail::is_awaitable<T>, "give as_result the awaitable itself, not a function that makes one");
    try {
        if constexpr (std::is_void_v<T>) {
            std::invoke(std::forward<F>(function));
            return {};
        } else {
            return result<T>(std::invoke(std::forward<F>(function)));
        }
    } catch (...) {
        return result<T>(std::current_exception());
    }
}

/// Awaits the call and keeps what it returns, or what it throws.
template <class T, class Executor>
boost::asio::awaitable<result<T>, Executor> as_result(boost::asio::awaitable<T, Executor> call) {
    std::exception_ptr error;
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(call);
            co_return result<void>();
        } else {
            T value = co_await std::move(call);
            co_return result<T>(std::move(value));
        }
    } catch (...) {
        error = std::current_exception();
    }
    co_return result<T>(std::move(error));
}

}  // namespace hfhub
