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
    constexpr std::string_view blanks = " \t\v\f";
    const auto begin = token.find_first_not_of(blanks);
    if (begin == std::string::npos) return std::nullopt;
    return token.substr(begin, token.find_last_not_of(blanks) - begin + 1);
}

std::optional<std::string> active_token(const Environment& environment) {
    if (environment.token) return environment.token;
    const auto content = read_file_if_exists(environment.token_path, max_token_file);
    return content ? clean_token(*content) : std::nullopt;
}

}  // namespace hfhub
