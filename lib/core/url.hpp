#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hfhub {

/// An absolute http, https, socks5 or socks5h URL, split (RFC 3986, with the WHATWG leniencies that servers rely on:
/// blanks in a Location are percent-encoded, a missing path is "/"). The fragment is dropped.
struct Url {
    std::string scheme;      ///< Lower case.
    std::string user_info;   ///< As written, before '@'; may be empty.
    std::string host;        ///< Lower case; an IPv6 address without brackets.
    std::uint16_t port = 0;  ///< Explicit or the scheme's default.
    std::string path;        ///< Percent-encoded, begins with '/'.
    std::string query;       ///< Percent-encoded, without '?'; empty where there is none.

    /// Throws InvalidArgumentError where the text is no such URL.
    static Url parse(std::string_view text);
    /// The URL that a reference (absolute, scheme-relative, absolute path, relative path, query only) means from here
    /// (RFC 3986 5.2). User info is not inherited by another origin. Throws InvalidArgumentError.
    Url resolve(std::string_view reference) const;

    /// scheme://host[:port], the port only where it is not the default.
    std::string origin() const;
    /// host[:port] as in a Host field or :authority.
    std::string authority() const;
    /// host:port, always with the port, as CONNECT takes it.
    std::string host_port() const;
    /// path[?query], what a request line takes.
    std::string target() const;
    /// The whole URL without user info.
    std::string str() const;
    /// For logs and errors: no user info, and of the query only the names.
    std::string redacted() const;
    bool same_origin(const Url& other) const noexcept;
    bool is_https() const noexcept { return scheme == "https"; }
    /// Appends name=value, both percent-encoded.
    void add_query(std::string_view name, std::string_view value);
};

std::uint16_t default_port(std::string_view scheme) noexcept;

/// Percent-encodes every byte except unreserved characters (RFC 3986 2.3) and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = {});
/// Throws InvalidArgumentError on a broken escape.
std::string percent_decode(std::string_view text);

}  // namespace hfhub
