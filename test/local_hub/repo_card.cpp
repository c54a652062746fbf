#include "repo_card.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\r')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

json::value scalar(std::string_view text) {
    text = trimmed(text);
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
        return json::value(text.substr(1, text.size() - 2));
    }
    if (text == "true" || text == "false") return text == "true";
    return json::value(text);
}

json::value flow_value(std::string_view text) {
    text = trimmed(text);
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return scalar(text);
    text = text.substr(1, text.size() - 2);
    json::array list;
    while (!text.empty()) {
        std::size_t end = std::min(text.find(','), text.size());
        list.push_back(scalar(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return list;
}

}  // namespace

RepoCard parse_card(std::string_view readme) {
    RepoCard card;
    if (!readme.starts_with("---\n") && !readme.starts_with("---\r\n")) return card;
    std::string key;
    std::size_t number = 0;
    while (!readme.empty()) {
        std::size_t end = std::min(readme.find('\n'), readme.size());
        std::string_view line = readme.substr(0, end);
        readme.remove_prefix(std::min(end + 1, readme.size()));
        if (++number == 1) continue;
        std::string_view text = trimmed(line);
        if (text == "---") return card;
        if (text.empty() || text.front() == '#') continue;
        if (text.starts_with("- ") && !key.empty()) {
            json::value& list = card.fields[key];
            if (!list.is_array()) list = json::array();
            list.as_array().push_back(scalar(text.substr(2)));
            continue;
        }
        if (line.front() == ' ') continue;
        std::size_t colon = text.find(':');
        if (colon == text.npos || colon == 0) {
            card.error = "bad YAML in the front matter, line " + std::to_string(number) + ": no \"key: value\"";
            return card;
        }
        key = text.substr(0, colon);
        std::string_view value = trimmed(text.substr(colon + 1));
        card.fields[key] = value.empty() ? json::value(nullptr) : flow_value(value);
    }
    card.error = "the front matter does not end with ---";
    return card;
}

}  // namespace hfhub::local_hub
