#include "gitignore.hpp"

#include <algorithm>

namespace hfhub::local_hub {

namespace {

// '*' and '?' stay within a path segment, "**" crosses segments.
bool glob(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.starts_with("**/") && glob(pattern.substr(3), text)) return true;
    if (pattern.starts_with("**")) {
        for (std::size_t i = 0; i <= text.size(); ++i) {
            if (glob(pattern.substr(2), text.substr(i))) return true;
        }
        return false;
    }
    if (pattern[0] == '*') {
        for (std::size_t i = 0; i <= text.size(); ++i) {
            if (glob(pattern.substr(1), text.substr(i))) return true;
            if (i < text.size() && text[i] == '/') return false;
        }
        return false;
    }
    if (text.empty()) return false;
    if (pattern[0] == '?' ? text[0] == '/' : pattern[0] != text[0]) return false;
    return glob(pattern.substr(1), text.substr(1));
}

}  // namespace

Gitignore::Gitignore(std::string_view text) {
    while (!text.empty()) {
        std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
        if (line.empty() || line[0] == '#') continue;
        Rule rule;
        rule.negated = line[0] == '!';
        if (rule.negated) line.remove_prefix(1);
        rule.directory_only = line.ends_with('/');
        if (rule.directory_only) line.remove_suffix(1);
        rule.anchored = line.find('/') != line.npos;
        if (line.starts_with('/')) line.remove_prefix(1);
        rule.pattern = line;
        if (!line.empty()) rules_.push_back(std::move(rule));
    }
}

bool Gitignore::Rule::matches(std::string_view path, bool is_directory) const {
    if (directory_only && !is_directory) return false;
    if (anchored) return glob(pattern, path);
    std::size_t slash = path.rfind('/');
    return glob(pattern, slash == path.npos ? path : path.substr(slash + 1));
}

bool Gitignore::decide(std::string_view path, bool is_directory) const {
    bool ignored = false;
    for (const Rule& rule : rules_) {
        if (rule.matches(path, is_directory)) ignored = !rule.negated;
    }
    return ignored;
}

bool Gitignore::ignores(std::string_view path) const {
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
        if (decide(path.substr(0, slash), true)) return true;
    }
    return decide(path, false);
}

}  // namespace hfhub::local_hub
