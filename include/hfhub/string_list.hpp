#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub {

/// One text or several, Python's `str | list[str]`: a view that never owns. `.expand = {"sha", "tags"}`, one literal, a
/// std::string, a vector of strings or of views all convert; what it looks at must live until the call was made.
class StringList {
  public:
    constexpr StringList() noexcept = default;
    constexpr StringList(const char* text) noexcept : StringList(std::string_view(text)) {}
    constexpr StringList(std::string_view text) noexcept : kind_(Kind::one), size_(1), text_(text) {}
    StringList(const std::string& text) noexcept : StringList(std::string_view(text)) {}
    constexpr StringList(std::span<const std::string_view> texts) noexcept
        : kind_(Kind::views), size_(texts.size()), views_(texts.data()) {}
    constexpr StringList(std::initializer_list<std::string_view> texts) noexcept
        : StringList(std::span(std::data(texts), texts.size())) {}
    StringList(const std::vector<std::string_view>& texts) noexcept : StringList(std::span(texts)) {}
    StringList(const std::vector<std::string>& texts) noexcept
        : kind_(Kind::strings), size_(texts.size()), strings_(texts.data()) {}

    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    std::string_view operator[](std::size_t index) const noexcept {
        if (kind_ == Kind::one) return text_;
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
    enum class Kind : unsigned char { one, views, strings };
    Kind kind_ = Kind::views;
    std::size_t size_ = 0;
    std::string_view text_;
    const std::string_view* views_ = nullptr;
    const std::string* strings_ = nullptr;
};

}  // namespace hfhub
