#include "http/server_message.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <vector>

namespace hfhub::http {

namespace {

namespace json = boost::json;

// Whatever a server sends, the message stays readable.
constexpr std::size_t max_text = 4000;
constexpr std::size_t max_lines = 20;

std::string_view trim(std::string_view text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// At most `size` bytes, without half a UTF-8 character at the end.
std::string_view cut(std::string_view text, std::size_t size) noexcept {
    if (text.size() <= size) return text;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

constexpr bool is_token_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// Replaces what looks like an access token of the Hub.
std::string masked(std::string_view text) {
    constexpr std::size_t shortest = 20;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && is_token_character(text[end])) ++end;
        const std::string_view word = text.substr(at, end - at);
        const bool token = word.size() >= shortest && (word.starts_with("hf_") || word.starts_with("api_org_"));
        out += token ? word.substr(0, word.find('_') + 1) : word;
        if (token) out += "***";
        if (end < text.size()) out += text[end++];
        at = end;
    }
    return out;
}

/// Lines of a message of which none is contained in another.
class MessageLines {
  public:
    void add(std::string_view text) {
        text = cut(trim(text), max_text);
        if (text.empty() || lines_.size() == max_lines) return;
        const std::string key = to_lower(text);
        for (auto& line : lines_) {
            if (to_lower(line).find(key) != std::string::npos) return;
            if (key.find(to_lower(line)) != std::string::npos) {
                line = text;
                return;
            }
        }
        lines_.emplace_back(text);
    }
    std::string str() const {
        std::string out;
        for (const std::string& line : lines_) out += (out.empty() ? "" : "\n") + line;
        return out;
    }

  private:
    std::vector<std::string> lines_;
};

void add_json(MessageLines& lines, const json::value* value) {
    if (!value) return;
    if (const auto* text = value->if_string()) {
        lines.add({text->data(), text->size()});
    } else if (const auto* list = value->if_array()) {
        for (const json::value& item : *list) add_json(lines, &item);
    } else if (const auto* object = value->if_object()) {
        for (const char* name : {"message", "msg", "error", "detail"}) add_json(lines, object->if_contains(name));
    }
}

bool add_json_body(MessageLines& lines, std::string_view body) {
    if (!body.starts_with('{') && !body.starts_with('[') && !body.starts_with('"')) return false;
    json::error_code error;
    json::parse_options options;
    options.max_depth = 32;
    const json::value value = json::parse(body, error, {}, options);
    if (error) return false;
    const auto* object = value.if_object();
    if (!object) {
        add_json(lines, &value);
        return true;
    }
    for (const char* name : {"error", "error_description", "message", "detail", "errors"}) {
        add_json(lines, object->if_contains(name));
    }
    return true;
}

/// Object stores answer in XML that repeats keys and signatures: only these two elements are for people.
bool add_xml_body(MessageLines& lines, std::string_view body) {
    if (!body.starts_with("<?xml") && !body.starts_with("<Error")) return false;
    for (const std::string_view name : {"Code", "Message"}) {
        const std::string open = "<" + std::string(name) + ">";
        const std::size_t begin = body.find(open);
        const std::size_t end = body.find("</" + std::string(name) + ">", std::min(begin, body.size()));
        if (end != std::string_view::npos) lines.add(body.substr(begin + open.size(), end - begin - open.size()));
    }
    return true;
}

bool is_html(std::string_view content_type, std::string_view body) {
    const std::string start = to_lower(body.substr(0, 16));
    return to_lower(content_type).find("html") != std::string::npos || start.starts_with("<!doctype") ||
           start.starts_with("<html");
}

}  // namespace

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

std::string server_message(std::string_view header_message, std::string_view content_type, std::string_view body) {
    MessageLines lines;
    lines.add(header_message);
    body = trim(body);
    const bool understood = add_json_body(lines, body) || add_xml_body(lines, body) || is_html(content_type, body);
    if (!understood) lines.add(body);
    return masked(lines.str());
}

}  // namespace hfhub::http
