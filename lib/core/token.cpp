#include "core/token.hpp"

#include "core/atomic_file.hpp"

#include <algorithm>

namespace hfhub {

namespace {
constexpr std::size_t max_token_file = 65536;
}

std::optional<std::string> clean_token(std::string_view text) {
    std::string token(text);
    std::erase_if(token, [](char c) { return c == '\r' || c == '\n'; });
    return trimmed_token(token);
}

std::optional<std::string> trimmed_token(std::string_view text) {
    constexpr std::string_view blanks = " \t\v\f\r\n";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return std::nullopt;
    return std::string(text.substr(begin, text.find_last_not_of(blanks) - begin + 1));
}

std::optional<std::string> active_token(const Environment& environment) {
    if (environment.token) return environment.token;
    const auto content = read_file_if_exists(environment.token_path, max_token_file);
    return content ? clean_token(*content) : std::nullopt;
}

}  // namespace hfhub
