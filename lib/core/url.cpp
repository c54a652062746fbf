#include "core/url.hpp"

#include "core/log.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace hfhub {

namespace {

constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_unreserved(char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void append_escaped(std::string& out, char c) {
    constexpr char digits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

/// The part of a malformed URL that may stand in a message: no user info, no query, no token, no control characters.
std::string shown(std::string_view text) {
    text = text.substr(0, text.find_first_of("?#"));
    std::string out;
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const auto authority = text.find("//");
        if (authority != std::string_view::npos && authority < at) out = text.substr(0, authority + 2);
        text.remove_prefix(at + 1);
    }
    return redact(printable(out.append(text)));
}

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
    throw InvalidArgumentError("\"" + shown(text) + "\" is not a URL that can be used: " + std::string(reason));
}

/// Without outer blanks and fragment; refuses what could end a request line early.
std::string_view checked(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    if (std::any_of(text.begin(), text.end(), is_control)) refuse(text, "it holds a control character");
    return text.substr(0, text.find('#'));
}

/// What may stand in a path or query as it is, by byte.
constexpr std::array<bool, 256> legal_bytes = [] {
    std::array<bool, 256> legal{};
    for (int byte = 0; byte < 256; ++byte) {
        const auto c = static_cast<char>(byte);
        legal[static_cast<std::size_t>(byte)] =
            is_unreserved(c) || std::string_view("!$&'()*+,;=:@/?%[]").find(c) != std::string_view::npos;
    }
    return legal;
}();
constexpr bool is_legal(char c) { return legal_bytes[static_cast<unsigned char>(c)]; }

/// Escapes what may not stand in a path or query; escapes and delimiters that are there stay as they are.
std::string escape_illegal(std::string_view text) {
    const auto first = std::find_if_not(text.begin(), text.end(), is_legal);
    std::string out(text.begin(), first);
    for (auto at = first; at != text.end(); ++at) {
        if (is_legal(*at))
            out += *at;
        else
            append_escaped(out, *at);
    }
    return out;
}

/// The scheme in front of a reference, where it has one (RFC 3986 3.1).
std::optional<std::string_view> scheme_of(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || !is_alpha(text.front())) return std::nullopt;
    const auto scheme = text.substr(0, colon);
    const bool valid = std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    return valid ? std::optional(scheme) : std::nullopt;
}

/// RFC 3986 5.2.4 for a path that begins with '/'.
std::string remove_dot_segments(std::string path_text) {
    if (path_text.empty()) path_text = "/";
    if (path_text.find("/.") == std::string::npos) return path_text;
    std::string_view path = path_text;
    std::string out;
    while (!path.empty()) {
        const auto end = std::min(path.find('/', 1), path.size());
        const auto segment = path.substr(0, end);  // with the '/' in front
        path.remove_prefix(end);
        if (segment == "/.") {
            if (path.empty()) out += '/';
        } else if (segment == "/..") {
            out.erase(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
            if (path.empty()) out += '/';
        } else {
            out += segment;
        }
    }
    return out.empty() ? "/" : out;
}

bool is_ipv4(std::string_view text) {
    for (int part = 0; part < 4; ++part) {
        const auto dot = std::min(text.find('.'), text.size());
        const auto number = text.substr(0, dot);
        if (number.empty() || number.size() > 3 || !std::all_of(number.begin(), number.end(), is_digit)) return false;
        unsigned value = 0;
        std::from_chars(number.data(), number.data() + number.size(), value);
        if (value > 255) return false;
        if (part == 3) return dot == text.size();
        if (dot == text.size()) return false;
        text.remove_prefix(dot + 1);
    }
    return false;
}

/// Number of 16-bit groups in one side of an IPv6 address, -1 where it is malformed.
int ipv6_groups(std::string_view text, bool last_side) {
    if (text.empty()) return 0;
    for (int groups = 0;;) {
        const auto colon = std::min(text.find(':'), text.size());
        const auto group = text.substr(0, colon);
        if (colon == text.size() && last_side && group.find('.') != std::string_view::npos) {
            return is_ipv4(group) ? groups + 2 : -1;
        }
        const bool valid = !group.empty() && group.size() <= 4 &&
                           std::all_of(group.begin(), group.end(), [](char c) { return hex_value(c) >= 0; });
        if (!valid) return -1;
        ++groups;
        if (colon == text.size()) return groups;
        text.remove_prefix(colon + 1);
    }
}

bool is_ipv6(std::string_view text) {
    const auto gap = text.find("::");
    if (gap == std::string_view::npos) return ipv6_groups(text, true) == 8;
    const int before = ipv6_groups(text.substr(0, gap), false);
    const int after = ipv6_groups(text.substr(gap + 2), true);
    return before >= 0 && after >= 0 && before + after <= 7;
}

std::uint16_t parse_port(std::string_view digits, std::string_view scheme, std::string_view text) {
    if (digits.empty()) return default_port(scheme);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        refuse(text, "the port is not a number up to 65535");
    }
    return port;
}

/// Fills user info, host and port (RFC 3986 3.2).
void parse_authority(Url& url, std::string_view authority, std::string_view text) {
    // Some parsers end the authority at a backslash, others do not: such a URL would name two hosts.
    if (std::any_of(authority.begin(), authority.end(), [](char c) { return c == '\\' || c == ' '; })) {
        refuse(text, "blank or backslash before the path");
    }
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        url.user_info = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    }
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos || !is_ipv6(authority.substr(1, close - 1))) {
            refuse(text, "the IPv6 address is malformed");
        }
        url.host = to_lower(authority.substr(1, close - 1));
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':') refuse(text, "the port is not a number up to 65535");
        port = authority.empty() ? authority : authority.substr(1);
    } else {
        const auto colon = std::min(authority.find(':'), authority.size());
        url.host = to_lower(authority.substr(0, colon));
        port = authority.substr(std::min(colon + 1, authority.size()));
        if (!std::all_of(url.host.begin(), url.host.end(), is_unreserved)) {
            refuse(text, "the host has a character that no host name has (write international names in punycode)");
        }
    }
    if (url.host.empty()) refuse(text, "it names no host");
    url.port = parse_port(port, url.scheme, text);
}

/// Takes what follows the scheme's ':', which begins with "//".
void parse_after_scheme(Url& url, std::string_view rest, std::string_view text) {
    if (!rest.starts_with("//")) refuse(text, "\"//\" is missing after the scheme");
    rest.remove_prefix(2);
    const auto stop = std::find_if(rest.begin(), rest.end(), [](char c) { return c == '/' || c == '?'; });
    const auto end = static_cast<std::size_t>(stop - rest.begin());
    parse_authority(url, rest.substr(0, end), text);
    rest.remove_prefix(end);
    const auto question = std::min(rest.find('?'), rest.size());
    url.path = remove_dot_segments(escape_illegal(rest.substr(0, question)));
    url.query = escape_illegal(rest.substr(std::min(question + 1, rest.size())));
}

bool is_http(std::string_view scheme) { return scheme == "http" || scheme == "https"; }

}  // namespace

std::uint16_t default_port(std::string_view scheme) noexcept {
    if (scheme == "https") return 443;
    if (scheme == "http") return 80;
    if (scheme == "socks5" || scheme == "socks5h") return 1080;
    return 0;
}

Url Url::parse(std::string_view input) {
    const auto text = checked(input);
    const auto scheme = scheme_of(text);
    if (!scheme) refuse(text, "it does not begin with a scheme such as https://");
    Url url;
    url.scheme = to_lower(*scheme);
    if (default_port(url.scheme) == 0) refuse(text, "only http, https, socks5 and socks5h are supported");
    parse_after_scheme(url, text.substr(scheme->size() + 1), text);
    return url;
}

Url Url::resolve(std::string_view input) const {
    const auto text = checked(input);
    Url url;
    if (const auto scheme = scheme_of(text)) {
        url = parse(text);
        if (is_http(this->scheme) && !is_http(url.scheme)) refuse(text, "it leads away from http and https");
    } else if (text.starts_with("//")) {
        url.scheme = this->scheme;
        parse_after_scheme(url, text, text);
    } else {
        url = *this;
        const auto question = std::min(text.find('?'), text.size());
        const auto reference_path = text.substr(0, question);
        if (!reference_path.empty() || question < text.size()) {
            url.query = escape_illegal(text.substr(std::min(question + 1, text.size())));
        }
        if (reference_path.starts_with('/')) {
            url.path = remove_dot_segments(escape_illegal(reference_path));
        } else if (!reference_path.empty()) {
            url.path = remove_dot_segments(path.substr(0, path.rfind('/') + 1) + escape_illegal(reference_path));
        }
    }
    if (url.user_info.empty() && same_origin(url)) url.user_info = user_info;
    return url;
}

namespace {

void append_authority(std::string& text, const Url& url) {
    const bool is_ipv6 = url.host.find(':') != std::string::npos;
    if (is_ipv6) text += '[';
    text += url.host;
    if (is_ipv6) text += ']';
    if (url.port != default_port(url.scheme)) text.append(":").append(std::to_string(url.port));
}

constexpr std::size_t most_around = sizeof "://[]:65535?";

}  // namespace

std::string Url::authority() const {
    std::string text;
    text.reserve(host.size() + most_around);
    append_authority(text, *this);
    return text;
}

std::string Url::origin() const {
    std::string text;
    text.reserve(scheme.size() + host.size() + path.size() + query.size() +
                 most_around);  // what often follows fits too
    text.append(scheme).append("://");
    append_authority(text, *this);
    return text;
}

std::string Url::host_port() const {
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string Url::target() const { return query.empty() ? path : path + "?" + query; }

std::string Url::str() const {
    std::string text = origin();
    text += path;
    if (!query.empty()) text.append("?").append(query);
    return text;
}

std::string Url::redacted() const {
    std::string text = origin();
    text += path;
    char separator = '?';
    for (std::string_view rest = query; !rest.empty();) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto parameter = rest.substr(0, end);
        text += separator;
        text += parameter.substr(0, parameter.find('='));
        separator = '&';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return text;
}

bool Url::same_origin(const Url& other) const noexcept {
    return scheme == other.scheme && host == other.host && port == other.port;
}

void Url::add_query(std::string_view name, std::string_view value) {
    if (!query.empty()) query += '&';
    query += percent_encode(name) + "=" + percent_encode(value);
}

std::string percent_encode(std::string_view text, std::string_view keep) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c) || keep.find(c) != std::string_view::npos)
            out += c;
        else
            append_escaped(out, c);
    }
    return out;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0) throw InvalidArgumentError("'%' without two hexadecimal digits after it");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

}  // namespace hfhub
