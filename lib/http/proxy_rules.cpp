#include "http/proxy_rules.hpp"

#include "core/base64.hpp"
#include "http/headers.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace hfhub::http {

namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> parse_address(std::string_view text) {
    boost::system::error_code error;
    const ip::address address = ip::make_address(std::string(text), error);
    return error ? std::nullopt : std::optional(address);
}

std::string_view without_last_dot(std::string_view host) noexcept {
    if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
    return host;
}

bool in_network(std::string_view host, std::string_view network) {
    const auto address = parse_address(host);
    if (!address) return false;
    boost::system::error_code error;
    if (address->is_v4()) {
        const ip::network_v4 range = ip::make_network_v4(std::string(network), error);
        const unsigned shift = 32U - static_cast<unsigned>(error ? 0 : range.prefix_length());
        return !error && (shift == 32 || address->to_v4().to_uint() >> shift == range.address().to_uint() >> shift);
    }
    const ip::network_v6 range = ip::make_network_v6(std::string(network), error);
    if (error) return false;
    const auto a = address->to_v6().to_bytes();
    const auto b = range.address().to_bytes();
    const auto whole = static_cast<std::size_t>(range.prefix_length()) / 8;
    const int rest = range.prefix_length() % 8;
    return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()) &&
           (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool is_subdomain(std::string_view host, std::string_view domain) noexcept {
    return host.size() > domain.size() && host[host.size() - domain.size() - 1] == '.' &&
           iequals(host.substr(host.size() - domain.size()), domain);
}

/// Takes ":port" off the end of an entry; false where it is there and is not the URL's.
bool take_port(std::string_view& entry, std::uint16_t port) {
    const bool bracketed = entry.starts_with('[');
    const std::size_t colon = entry.rfind(':');
    const bool has_port = bracketed ? colon != std::string_view::npos && colon > entry.find(']')
                                    : colon != std::string_view::npos && entry.find(':') == colon;
    if (!has_port) return true;
    const std::string_view digits = entry.substr(colon + 1);
    entry = entry.substr(0, colon);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size() && number == port;
}

bool matches(const Url& url, std::string_view entry) {
    if (entry == "*") return true;
    if (const std::size_t scheme = entry.find("://"); scheme != std::string_view::npos) {
        if (!iequals(entry.substr(0, scheme), url.scheme)) return false;
        entry.remove_prefix(scheme + 3);
    }
    const std::string_view host = without_last_dot(url.host);
    if (entry.find('/') != std::string_view::npos) return in_network(host, entry);
    if (!take_port(entry, url.port)) return false;
    if (entry.size() > 2 && entry.front() == '[' && entry.back() == ']') entry = entry.substr(1, entry.size() - 2);
    if (entry.starts_with("*.")) entry.remove_prefix(1);
    entry = without_last_dot(entry);
    if (entry.empty() || entry == ".") return false;
    const auto address = parse_address(host);
    if (address) return parse_address(entry) == address;  // "0.0.1" is no domain that 127.0.0.1 is in
    if (entry.front() == '.') return is_subdomain(host, entry.substr(1));
    return iequals(host, entry) || is_subdomain(host, entry);
}

std::string decode_leniently(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        const char* digits = text.data() + i + 1;
        const bool escape =
            text[i] == '%' && text.size() - i > 2 && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2;
        out += escape ? static_cast<char>(value) : text[i];
        if (escape) i += 2;
    }
    return out;
}

Url parse_proxy(std::string_view text) {
    const std::size_t scheme_end = text.find("://");
    const std::string_view scheme = text.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
    const auto supported = {"", "http", "https", "socks5", "socks5h"};
    if (std::none_of(supported.begin(), supported.end(), [&](const char* name) { return iequals(scheme, name); })) {
        // What is no scheme may be anything, also the password.
        const bool shown =
            std::all_of(scheme.begin(), scheme.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
        throw InvalidArgumentError("the proxy setting " +
                                   (shown ? "has the scheme \"" + std::string(scheme) + "\", but"
                                          : std::string("does not begin with a scheme:")) +
                                   " a proxy must be one of http://, https://, socks5:// and socks5h://");
    }
    try {
        return Url::parse(scheme.empty() ? "http://" + std::string(text) : std::string(text));
    } catch (const InvalidArgumentError& error) {
        throw InvalidArgumentError(std::string("the proxy setting cannot be used: ") + error.what());
    }
}

}  // namespace

std::optional<Url> proxy_for(const Url& url, const ProxySettings& settings) {
    const std::string& own = url.is_https() ? settings.https : settings.http;
    const std::string& text = own.empty() ? settings.all : own;
    if (text.empty() || bypasses_proxy(url, settings.no_proxy)) return std::nullopt;
    return parse_proxy(text);
}

bool bypasses_proxy(const Url& url, std::string_view no_proxy) {
    constexpr std::string_view separators = ", \t\r\n";
    while (!no_proxy.empty()) {
        const std::size_t end = std::min(no_proxy.find_first_of(separators), no_proxy.size());
        if (end > 0 && matches(url, no_proxy.substr(0, end))) return true;
        no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    }
    return false;
}

Login login_of(const Url& url) {
    const std::string_view info(url.user_info);
    const std::size_t colon = std::min(info.find(':'), info.size());
    return {decode_leniently(info.substr(0, colon)), decode_leniently(info.substr(std::min(colon + 1, info.size())))};
}

std::string basic_credentials(const Url& url) {
    if (url.user_info.empty()) return {};
    const Login login = login_of(url);
    return "Basic " + base64_encode(login.user + ":" + login.password);
}

}  // namespace hfhub::http
