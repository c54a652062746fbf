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
struct PageState;
}

template <class T>
class PageIterator;

/// A listing that is fetched page by page, as far as it is read. Nothing is sent before the first next(). After an
/// exception the same page is asked for again. Items that are there already are returned at once. One caller at a time.
///
///     for (const ModelInfo& model : api.list_models({.author = "google"})) …          // blocking
///     while (std::optional<ModelInfo> model = co_await models.next()) …               // coroutines
template <class Mode, class T>
class BasicPages {
  public:
    using value_type = T;

    explicit BasicPages(std::shared_ptr<detail::PageState<T>> state) noexcept : state_(std::move(state)) {}
    BasicPages(BasicPages&&) noexcept = default;
    BasicPages& operator=(BasicPages&&) noexcept = default;

    /// The next item; nothing after the last. Throws what a request throws.
    typename Mode::template result<std::optional<T>> next();

    PageIterator<T> begin()
        requires std::same_as<Mode, Blocking>
    {
        return PageIterator<T>(this);
    }
    std::default_sentinel_t end() const noexcept
        requires std::same_as<Mode, Blocking>
    {
        return {};
    }

  private:
    friend class PageIterator<T>;
    std::shared_ptr<detail::PageState<T>> state_;
    std::optional<T> current_;
};

/// Walks once over the items of a listing.
template <class T>
class PageIterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    PageIterator() = default;
    explicit PageIterator(BasicPages<Blocking, T>* pages) : pages_(pages) { ++*this; }
    T& operator*() const noexcept { return *pages_->current_; }
    T* operator->() const noexcept { return &*pages_->current_; }
    PageIterator& operator++() {
        pages_->current_ = pages_->next();
        return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !pages_->current_; }

  private:
    BasicPages<Blocking, T>* pages_ = nullptr;
};

template <class T>
using Pages = BasicPages<Blocking, T>;
template <class T>
using AsyncPages = BasicPages<Awaiting, T>;

}  // namespace hfhub
