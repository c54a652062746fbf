#include "http/pagination.hpp"

#include "core/log.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::http {

namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view default_host = "huggingface.co";

void skip_blanks(std::string_view& text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
}

std::string_view take_until(std::string_view& text, std::string_view ends) noexcept {
    const std::size_t end = std::min(text.find_first_of(ends), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(end);
    return part;
}

/// The content of a quoted string (RFC 9110 5.6.4) at whose opening quote the text begins.
std::string take_quoted(std::string_view& text) {
    std::string out;
    text.remove_prefix(1);
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
        out += text.front();
        text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    return out;
}

struct Parameter {
    std::string_view name;
    std::string value;
};

/// Takes one parameter after its ';'.
Parameter take_parameter(std::string_view& text) {
    skip_blanks(text);
    Parameter parameter;
    parameter.name = take_until(text, " \t=;,");
    skip_blanks(text);
    if (!text.starts_with('=')) return parameter;
    text.remove_prefix(1);
    skip_blanks(text);
    parameter.value = text.starts_with('"') ? take_quoted(text) : std::string(take_until(text, " \t;,"));
    return parameter;
}

bool has_relation(std::string_view list, std::string_view relation) {
    while (!list.empty()) {
        const std::string_view word = take_until(list, blanks);
        if (!word.empty() && iequals(word, relation)) return true;
        list.remove_prefix(std::min<std::size_t>(1, list.size()));
    }
    return false;
}

[[noreturn]] void refuse(const Url& page, std::string_view target, std::string_view reason) {
    const std::string shown = redact(printable(target.substr(0, target.find_first_of("?#"))));
    ProtocolError error("the listing's next page \"" + shown + "\" is not read: " + std::string(reason));
    error.at(page.redacted());
    throw error;
}

/// The same place below the endpoint, whose own path may be a prefix.
Url moved_to(const Url& endpoint, const Url& url) {
    Url moved = endpoint;
    std::string prefix = endpoint.path;
    while (prefix.ends_with('/')) prefix.pop_back();
    moved.path = prefix + url.path;
    moved.query = url.query;
    return moved;
}

bool is_default_hub(const Url& url) { return url.is_https() && url.host == default_host && url.port == 443; }

}  // namespace

std::optional<std::string> link_target(const Headers& headers, std::string_view relation) {
    const std::string field = headers.joined("link");
    std::string_view text = field;
    while (!text.empty()) {
        take_until(text, "<");
        if (text.empty()) break;
        text.remove_prefix(1);
        const std::string_view target = take_until(text, ">");
        if (text.empty()) break;
        text.remove_prefix(1);
        bool matches = false;
        bool has_rel = false;
        for (skip_blanks(text); text.starts_with(';'); skip_blanks(text)) {
            text.remove_prefix(1);
            const Parameter parameter = take_parameter(text);
            if (has_rel || !iequals(parameter.name, "rel")) continue;  // RFC 8288 3.3: only the first one counts
            has_rel = true;
            matches = has_relation(parameter.value, relation);
        }
        if (matches) return std::string(target);
        take_until(text, ",");
    }
    return std::nullopt;
}

std::optional<Url> next_page(const Url& page, const Headers& headers, const Url& endpoint) {
    const auto target = link_target(headers, "next");
    if (!target) return std::nullopt;
    Url url;
    try {
        url = page.resolve(*target);
    } catch (const InvalidArgumentError& error) {
        refuse(page, *target, error.what());
    }
    url.user_info = endpoint.user_info;
    if (url.same_origin(endpoint)) return url;
    if (is_default_hub(url)) return moved_to(endpoint, url);
    // Servers behind a TLS terminator do not know that they are reached by https.
    if (url.host == endpoint.host && url.scheme == "http" && url.port == 80 && endpoint.is_https()) {
        url.scheme = endpoint.scheme;
        url.port = endpoint.port;
        return url;
    }
    refuse(page, *target, "it is on another host than " + endpoint.origin());
}

}  // namespace hfhub::http
