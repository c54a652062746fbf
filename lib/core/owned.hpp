#pragma once

// Options of a call are made of views, which end with the statement of the call; the coroutine that does the work lives
// longer. Owned<Options> is the copy that it works with.

#include "core/description.hpp"

#include <hfhub/json.hpp>
#include <hfhub/string_list.hpp>
#include <hfhub/token.hpp>

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hfhub {

/// Keeps the bytes and values that views look at. Moving it leaves them where they are.
class Arena {
  public:
    std::string_view keep(std::string_view text) {
        if (text.empty()) return {};
        if (text.size() > left_) grow(text.size());
        char* const begin = at_;
        std::memcpy(begin, text.data(), text.size());
        at_ += text.size();
        left_ -= text.size();
        return {begin, text.size()};
    }
    template <class T>
    std::span<const T> keep(std::vector<T> items) {
        auto kept = std::make_shared<const std::vector<T>>(std::move(items));
        const std::span<const T> view(*kept);
        owners_.push_back(std::move(kept));
        return view;
    }

  private:
    void grow(std::size_t bytes) {
        constexpr std::size_t least = 256;
        left_ = bytes < least ? least : bytes;
        blocks_.push_back(std::make_unique<char[]>(left_));
        at_ = blocks_.back().get();
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    std::vector<std::shared_ptr<const void>> owners_;
    char* at_ = nullptr;
    std::size_t left_ = 0;
};

namespace detail {

template <class T>
void keep_in(Arena& arena, T& value);
template <class T>
void keep_in(Arena& arena, std::optional<T>& value);
template <class T>
void keep_in(Arena& arena, std::span<const T>& value);

/// Makes every view in the value look at a copy in the arena.
template <class T>
void keep_in(Arena& arena, T& value) {
    if constexpr (std::is_same_v<T, std::string_view>) {
        value = arena.keep(value);
    } else if constexpr (std::is_same_v<T, Token>) {
        if (value.kind() == Token::Kind::given) value = Token(arena.keep(value.text()));
    } else if constexpr (std::is_same_v<T, JsonView>) {
        if (value) value = JsonView(arena.keep(std::vector<json::value>(1, *value)).front());
    } else if constexpr (std::is_same_v<T, StringList>) {
        std::vector<std::string_view> texts;
        texts.reserve(value.size());
        for (const std::string_view text : value) texts.push_back(arena.keep(text));
        if (!texts.empty()) value = StringList(arena.keep(std::move(texts)));
    } else if constexpr (DescribedClass<T>) {
        boost::mp11::mp_for_each<DescribedMembers<T>>([&](auto member) { keep_in(arena, value.*member.pointer); });
    }
}

template <class T>
void keep_in(Arena& arena, std::optional<T>& value) {
    if (value) keep_in(arena, *value);
}

template <class T>
void keep_in(Arena& arena, std::span<const T>& value) {
    if (value.empty()) {
        value = {};
        return;
    }
    std::vector<T> items(value.begin(), value.end());
    for (T& item : items) keep_in(arena, item);
    value = arena.keep(std::move(items));
}

}  // namespace detail

/// A Token with its text.
class OwnedToken {
  public:
    OwnedToken(Token token = {}) : kind_(token.kind()), text_(token.text()) {}
    operator Token() const noexcept {
        switch (kind_) {
            case Token::Kind::anonymous:
                return Token(false);
            case Token::Kind::required:
                return Token(true);
            case Token::Kind::given:
                return Token(text_);
            case Token::Kind::implicit:
                break;
        }
        return Token();
    }

  private:
    Token::Kind kind_;
    std::string text_;
};

/// A deep copy of options: every string_view, Token, StringList and span in the described members, at any depth, looks
/// at storage of its own. Pointers and references stay as they are.
template <class Options>
class Owned {
    static_assert(detail::DescribedClass<Options>, "describe the options with BOOST_DESCRIBE_STRUCT");
    static_assert(std::is_trivially_destructible_v<Options>, "options are made of views");

  public:
    Owned(const Options& options) : options_(options) { detail::keep_in(arena_, options_); }
    Owned(Owned&&) noexcept = default;
    Owned& operator=(Owned&&) noexcept = default;

    const Options& operator*() const noexcept { return options_; }
    const Options* operator->() const noexcept { return &options_; }

  private:
    Arena arena_;
    Options options_;
};

}  // namespace hfhub
