#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hfhub {

/// Which token a call sends: Python's `token: str | bool | None`. A view: a given text is copied when the call is made.
/// Null, as std::getenv gives it, is no choice, as Token() is; a text that is empty or blank is one, and sends none.
class Token {
  public:
    enum class Kind : std::uint8_t {
        implicit,   ///< The client's token, else the saved one (HF_TOKEN, token file).
        anonymous,  ///< None.
        required,   ///< The saved one, or LocalTokenNotFoundError where there is none.
        given,      ///< The text.
    };

    constexpr Token() noexcept = default;
    constexpr Token(bool required) noexcept : kind_(required ? Kind::required : Kind::anonymous) {}
    constexpr Token(const char* text) noexcept : kind_(text ? Kind::given : Kind::implicit), text_(text ? text : "") {}
    constexpr Token(std::string_view text) noexcept : kind_(Kind::given), text_(text) {}
    Token(const std::string& text) noexcept : kind_(Kind::given), text_(text) {}

    constexpr Kind kind() const noexcept { return kind_; }
    constexpr std::string_view text() const noexcept { return text_; }

  private:
    Kind kind_ = Kind::implicit;
    std::string_view text_;
};

}  // namespace hfhub
