#pragma once

// How the pages of a listing are fetched.

#include "core/mapping.hpp"
#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/query.hpp"

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/pages.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace hfhub {

namespace hub {

/// Gives the items of one page after the other. Used from the session's executor only.
template <class T>
class PageSource {
  public:
    virtual ~PageSource() = default;
    /// Items of the next page, nothing after the last. What throws has changed nothing.
    virtual awaitable<std::optional<std::vector<T>>> next_page() = 0;
};

/// Where a listing begins.
struct Listing {
    std::string path;  ///< Below the endpoint, percent-encoded.
    Query query;
    OwnedToken token;
    std::optional<std::uint64_t> limit{};  ///< Items in all.
    std::chrono::milliseconds timeout{0};  ///< For each page; 0: that of the client.
};

/// One page: a JSON array, and the Link to what follows.
struct JsonPage {
    json::array items;
    std::optional<Url> next;
};
/// Throws JsonError for an answer that is no array, ProtocolError for a link that leads in a circle or elsewhere.
awaitable<JsonPage> fetch_page(Client client, http::Request request);

/// Pages that are JSON arrays, each with a Link to the next (RFC 8288).
template <class T>
class LinkedPages final : public PageSource<T> {
  public:
    LinkedPages(const Client& client, Listing listing, std::function<bool(const T&)> keep = {})
        : client_(client.begin_call()), listing_(std::move(listing)), keep_(std::move(keep)) {}

    awaitable<std::optional<std::vector<T>>> next_page() override {
        if (ended_ || left() == 0) co_return std::nullopt;
        const Client client = client_.restarted().within(listing_.timeout);
        http::Request request = next_ ? client.request_url(http::Method::get, next_->str(), listing_.token)
                                      : client.request(http::Method::get, listing_.path, listing_.token);
        if (!next_) listing_.query.append_to(request.url);
        JsonPage page = co_await fetch_page(client, std::move(request));
        std::vector<T> items = read(page.items);
        next_ = std::move(page.next);
        ended_ = !next_;
        co_return std::optional<std::vector<T>>(std::move(items));
    }

  private:
    std::uint64_t left() const noexcept { return listing_.limit ? *listing_.limit - taken_ : UINT64_MAX; }

    std::vector<T> read(const json::array& values) {
        std::vector<T> items;
        const std::size_t count = values.size() < left() ? values.size() : static_cast<std::size_t>(left());
        items.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            T item = from_json<T>(values[i], "an item of the listing");
            if (!keep_ || keep_(item)) items.push_back(std::move(item));
        }
        taken_ += count;
        return items;
    }

    Client client_;
    Listing listing_;
    std::function<bool(const T&)> keep_;
    std::optional<Url> next_;
    std::uint64_t taken_ = 0;
    bool ended_ = false;
};

}  // namespace hub

namespace detail {

template <class T>
struct PageState {
    Session session;
    std::stop_token stop;
    std::unique_ptr<hub::PageSource<T>> source;
    std::vector<T> items{};
    std::size_t at = 0;
    bool ended = false;

    bool must_fetch() const noexcept { return at == items.size() && !ended; }
    std::optional<T> take() {
        if (at == items.size()) return std::nullopt;
        return std::optional<T>(std::move(items[at++]));
    }
};

template <class T>
awaitable<void> fetch(std::shared_ptr<PageState<T>> state) {
    std::optional<std::vector<T>> page = co_await state->source->next_page();
    state->ended = !page;
    state->at = 0;
    state->items.clear();
    if (page) state->items = std::move(*page);
}

template <class T>
awaitable<std::optional<T>> next_item(std::shared_ptr<PageState<T>> state) {
    while (state->must_fetch()) {
        awaitable<void> work = fetch(state);
        co_await Awaiting::run<void>(state->session, std::move(work));
    }
    co_return state->take();
}

}  // namespace detail

template <class Mode, class T>
typename Mode::template result<std::optional<T>> BasicPages<Mode, T>::next() {
    if constexpr (std::same_as<Mode, Awaiting>) {
        return detail::next_item(state_);
    } else {
        while (state_->must_fetch()) Mode::template run<void>(state_->session, detail::fetch(state_), state_->stop);
        return state_->take();
    }
}

/// What a listing method returns.
template <class Mode, class Source>
auto pages(const ApiHandle& api, std::unique_ptr<Source> source) {
    using T = typename decltype(source->next_page())::value_type::value_type::value_type;
    auto state =
        std::make_shared<detail::PageState<T>>(detail::PageState<T>{api.session(), api.stop(), std::move(source)});
    return BasicPages<Mode, T>(std::move(state));
}

/// Instantiates the pages of one item type, in the .cpp of the topic; the header says `extern template`.
#define HFHUB_INSTANTIATE_PAGES(Item)          \
    template class BasicPages<Blocking, Item>; \
    template class BasicPages<Awaiting, Item>

}  // namespace hfhub
