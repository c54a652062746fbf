#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub {

/// One text or several, Python's `str | list[str]`: a view that never owns. `.expand = {"sha", "tags"}` of up to 8
/// texts, one literal, a std::string, a vector of strings or of views all convert. The texts, and a vector, must live
/// until the call was made; a braced list of literals may stand in a named variable.
class StringList {
  public:
    /// Texts of a braced list; more take a vector or a span.
    static constexpr std::size_t most_listed = 8;

    constexpr StringList() noexcept = default;
    constexpr StringList(const char* text) noexcept : StringList(std::string_view(text)) {}
    constexpr StringList(std::string_view text) noexcept : kind_(Kind::listed), size_(1), listed_{text} {}
    StringList(const std::string& text) noexcept : StringList(std::string_view(text)) {}
    template <std::convertible_to<std::string_view>... Texts>
        requires(sizeof...(Texts) >= 2)
    constexpr StringList(const Texts&... texts) noexcept
        : kind_(Kind::listed), size_(sizeof...(Texts)), listed_(listed(texts...)) {}
    constexpr StringList(std::span<const std::string_view> texts) noexcept
        : kind_(Kind::views), size_(texts.size()), views_(texts.data()) {}
    StringList(const std::vector<std::string_view>& texts) noexcept : StringList(std::span(texts)) {}
    StringList(const std::vector<std::string>& texts) noexcept
        : kind_(Kind::strings), size_(texts.size()), strings_(texts.data()) {}

    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    /// Whether a list was given, be it an empty one.
    constexpr bool given() const noexcept { return size_ > 0 || kind_ != Kind::listed; }
    std::string_view operator[](std::size_t index) const noexcept {
        if (kind_ == Kind::listed) return listed_[index];
        return kind_ == Kind::views ? views_[index] : std::string_view(strings_[index]);
    }

    class Iterator {
      public:
        constexpr Iterator(const StringList* list, std::size_t index) noexcept : list_(list), index_(index) {}
        std::string_view operator*() const noexcept { return (*list_)[index_]; }
        constexpr Iterator& operator++() noexcept { return ++index_, *this; }
        constexpr bool operator==(const Iterator& other) const noexcept { return index_ == other.index_; }

      private:
        const StringList* list_;
        std::size_t index_;
    };
    constexpr Iterator begin() const noexcept { return {this, 0}; }
    constexpr Iterator end() const noexcept { return {this, size_}; }

  private:
    enum class Kind : unsigned char { listed, views, strings };
    using Listed = std::array<std::string_view, most_listed>;

    template <class... Texts>
    static constexpr Listed listed(const Texts&... texts) noexcept {
        static_assert(sizeof...(Texts) <= most_listed, "a braced StringList has 8 texts at most: give a std::vector");
        return {std::string_view(texts)...};
    }

    Kind kind_ = Kind::listed;
    std::size_t size_ = 0;
    Listed listed_{};  // by value: an initializer_list's array would end with the declaration of the options
    const std::string_view* views_ = nullptr;
    const std::string* strings_ = nullptr;
};

}  // namespace hfhub
