#include "hub/stored_tokens.hpp"

#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

[[noreturn]] void damaged(std::size_t line, std::string_view why) {
    throw IoError("line " + std::to_string(line) + " of the stored tokens " + std::string(why) +
                  "; mend or delete that file");
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

}  // namespace

StoredTokens parse_stored_tokens(std::string_view text) {
    StoredTokens tokens;
    std::map<std::string, std::string>* section = nullptr;
    std::string* value = nullptr;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string_view content = trimmed(line);
        if (content.empty() || content.front() == '#' || content.front() == ';') continue;
        if (value != nullptr && blanks.find(line.front()) != blanks.npos) {
            value->append("\n").append(content);
            continue;
        }
        value = nullptr;
        if (content.front() == '[') {
            const std::size_t end = content.rfind(']');
            if (end == content.npos || end < 2) damaged(number, "begins a name that does not end");
            const auto [at, added] = tokens.try_emplace(std::string(content.substr(1, end - 1)));
            if (!added) damaged(number, "has the name of another token");
            section = &at->second;
            continue;
        }
        const std::size_t separator = content.find_first_of("=:");
        if (separator == content.npos || separator == 0) damaged(number, "is neither a name nor a field");
        if (section == nullptr) damaged(number, "belongs to no token");
        const std::string key = lower(trimmed(content.substr(0, separator)));
        value = &((*section)[key] = trimmed(content.substr(separator + 1)));
    }
    return tokens;
}

std::string format_stored_tokens(const StoredTokens& tokens) {
    std::string text;
    for (const auto& [name, fields] : tokens) {
        text.append("[").append(name).append("]\n");
        for (const auto& [key, value] : fields) {
            text.append(key).append(" = ");
            for (const char c : value) text.append(c == '\n' ? "\n\t" : std::string_view(&c, 1));
            text += "\n";
        }
        text += "\n";
    }
    return text;
}

void validate_token_name(std::string_view name) {
    const bool good = !name.empty() && name != "DEFAULT" && name.find(']') == name.npos && is_utf8(name) &&
                      printable(name, name.size()) == name;
    if (!good) throw InvalidArgumentError("a token cannot be stored under the name '" + printable(name) + "'");
}

}  // namespace hfhub::hub
