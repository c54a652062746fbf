#include "core/glob.hpp"

#include <algorithm>
#include <iterator>

namespace hfhub {

namespace {

/// Takes one UTF-8 character off the front; a byte that begins none is mapped above Unicode.
char32_t take_character(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    char32_t character = size <= 1 ? lead : lead & (0x7fu >> size);
    bool valid = size != 0 && size <= text.size();
    for (std::size_t i = 1; valid && i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        valid = (byte & 0xc0) == 0x80;
        character = character << 6 | (byte & 0x3f);
    }
    text.remove_prefix(valid ? size : 1);
    return valid ? character : 0x110000 + lead;
}

std::u32string characters_of(std::string_view text) {
    std::u32string out;
    out.reserve(text.size());
    while (!text.empty()) out += take_character(text);
    return out;
}

Glob path_glob(std::string_view pattern) {
    std::string text(pattern);
    std::replace(text.begin(), text.end(), '\\', '/');
    if (text.ends_with('/')) text += '*';
    return Glob(text);
}

bool any_matches(const std::vector<Glob>& globs, std::string_view path) {
    return std::any_of(globs.begin(), globs.end(), [&](const Glob& glob) { return glob.matches(path); });
}

}  // namespace

Glob::Glob(std::string_view pattern) {
    const auto characters = characters_of(pattern);
    for (std::size_t at = 0; at < characters.size();) {
        const char32_t c = characters[at++];
        Token token;
        if (c == U'*') {
            if (!tokens_.empty() && tokens_.back().kind == Token::star) continue;
            token.kind = Token::star;
        } else if (c == U'?') {
            token.kind = Token::any;
        } else {
            token.character = c;
            if (c == U'[') {
                auto begin = at;
                const bool negated = begin < characters.size() && characters[begin] == U'!';
                if (negated) ++begin;
                // A ']' that comes first is one of the set.
                const auto end = characters.find(U']', begin + 1);
                if (begin < characters.size() && end != std::u32string::npos) {
                    token.kind = Token::set;
                    token.negated = negated;
                    token.ranges = parse_ranges(std::u32string_view(characters).substr(begin, end - begin));
                    at = end + 1;
                }
            }
        }
        tokens_.push_back(std::move(token));
    }
}

/// A '-' between two characters makes a range; an empty one, such as z-a, holds nothing.
std::vector<Glob::Range> Glob::parse_ranges(std::u32string_view content) {
    std::vector<Range> ranges;
    for (std::size_t at = 0; at < content.size();) {
        if (at + 2 < content.size() && content[at + 1] == U'-') {
            ranges.push_back({content[at], content[at + 2]});
            at += 3;
        } else {
            ranges.push_back({content[at], content[at]});
            ++at;
        }
    }
    return ranges;
}

bool Glob::accepts(const Token& token, char32_t character) {
    if (token.kind == Token::any) return true;
    if (token.kind == Token::literal) return token.character == character;
    const bool listed = std::any_of(token.ranges.begin(), token.ranges.end(), [&](const Range& range) {
        return range.first <= character && character <= range.last;
    });
    return listed != token.negated;
}

// Only the last star is ever widened: what an earlier one took can stay, since the last takes whatever follows.
bool Glob::matches(std::string_view text) const {
    constexpr auto none = static_cast<std::size_t>(-1);
    const auto characters = characters_of(text);
    std::size_t at = 0, token = 0, last_star = none, star_at = 0;
    while (at < characters.size()) {
        if (token < tokens_.size() && tokens_[token].kind == Token::star) {
            last_star = token++;
            star_at = at;
        } else if (token < tokens_.size() && accepts(tokens_[token], characters[at])) {
            ++token;
            ++at;
        } else if (last_star != none) {
            token = last_star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (token < tokens_.size() && tokens_[token].kind == Token::star) ++token;
    return token == tokens_.size();
}

PathFilter::PathFilter(const std::optional<std::vector<std::string>>& allow, const std::vector<std::string>& ignore) {
    if (allow) {
        allow_.emplace();
        for (const auto& pattern : *allow) allow_->push_back(path_glob(pattern));
    }
    for (const auto& pattern : ignore) ignore_.push_back(path_glob(pattern));
}

bool PathFilter::accepts(std::string_view path) const {
    std::string normalized(path);
    std::replace(normalized.begin(), normalized.end(), '\\', '/');
    return (!allow_ || any_matches(*allow_, normalized)) && !any_matches(ignore_, normalized);
}

std::vector<std::string> filter_paths(std::span<const std::string> paths,
                                      const std::optional<std::vector<std::string>>& allow,
                                      const std::vector<std::string>& ignore) {
    const PathFilter filter(allow, ignore);
    std::vector<std::string> accepted;
    std::copy_if(paths.begin(), paths.end(), std::back_inserter(accepted),
                 [&](const std::string& path) { return filter.accepts(path); });
    return accepted;
}

}  // namespace hfhub
