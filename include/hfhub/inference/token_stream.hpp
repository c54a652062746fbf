#pragma once

#include <hfhub/mode.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace hfhub {

namespace detail {
template <class T>
struct TokenStreamState;
}

/// A streamed answer as a scope: leave it early and the generation is cancelled, the HTTP/2 stream reset (or the
/// HTTP/1.1 connection closed), and the pool stays healthy. Whoever does not read holds the server back. Never repeated
/// by itself. One caller at a time; it keeps its session alive.
///
///     for (const auto& part : client.chat_completion_stream("Hi")) std::cout << part.text();       // blocking
///     while (auto part = co_await stream.next()) std::cout << part->text();                        // coroutines
template <class Mode, class T>
class BasicTokenStream {
  public:
    using value_type = T;

    explicit BasicTokenStream(std::shared_ptr<detail::TokenStreamState<T>> state) noexcept : state_(std::move(state)) {}
    BasicTokenStream(BasicTokenStream&&) noexcept = default;
    BasicTokenStream& operator=(BasicTokenStream&&) noexcept = default;

    /// The next event; nothing after the last. Throws TextGenerationError for an error that the model's server reports
    /// inside the stream, TruncatedError where it ends without an end, TimeoutError, JsonError.
    typename Mode::template result<std::optional<T>> next();

    /// Walks over the events once.
    class Iterator {
      public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        explicit Iterator(BasicTokenStream* stream)
            requires std::same_as<Mode, Blocking>
            : stream_(stream) {
            ++*this;
        }
        const T& operator*() const noexcept { return *item_; }
        const T* operator->() const noexcept { return &*item_; }
        Iterator& operator++()
            requires std::same_as<Mode, Blocking>
        {
            item_ = stream_->next();
            return *this;
        }
        void operator++(int)
            requires std::same_as<Mode, Blocking>
        {
            ++*this;
        }
        bool operator==(std::default_sentinel_t) const noexcept { return !item_; }

      private:
        BasicTokenStream* stream_ = nullptr;
        std::optional<T> item_;
    };
    Iterator begin()
        requires std::same_as<Mode, Blocking>
    {
        return Iterator(this);
    }
    std::default_sentinel_t end()
        requires std::same_as<Mode, Blocking>
    {
        return {};
    }

  private:
    std::shared_ptr<detail::TokenStreamState<T>> state_;
};

}  // namespace hfhub
