#pragma once

// Which proxy a URL goes through. No I/O.

#include "core/url.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace hfhub::http {

/// Proxies as the environment names them (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY); empty means unset. A proxy
/// without a scheme is an http:// one.
struct ProxySettings {
    std::string http;      ///< For http URLs.
    std::string https;     ///< For https URLs.
    std::string all;       ///< For URLs whose scheme has no proxy of its own.
    std::string no_proxy;  ///< What is reached directly; see bypasses_proxy.
};

/// The proxy for a URL, or none. Throws InvalidArgumentError where the setting is no URL of a supported scheme: http,
/// https, socks5 (names are looked up here) or socks5h (the proxy looks them up).
std::optional<Url> proxy_for(const Url& url, const ProxySettings& settings);

/// Whether a NO_PROXY list (separated by commas or blanks) names the URL's host. Entries:
///   *                    everything
///   example.com          the host and its subdomains
///   .example.com         its subdomains only; also written *.example.com
///   10.0.0.1, ::1        an address, also in brackets
///   10.0.0.0/8, fd00::/8 a network; matches URLs with an address, names are not looked up
/// Each but `*` may have a scheme in front (https://…) and all but networks a port behind (:8080); the URL must have
/// the same then. What cannot be read matches nothing.
bool bypasses_proxy(const Url& url, std::string_view no_proxy);

/// The user info of a URL, percent-decoded. A '%' without two hexadecimal digits after it stays as it is: passwords are
/// often pasted.
struct Login {
    std::string user, password;
};
Login login_of(const Url& url);

/// Value of Proxy-Authorization or Authorization for the user info of a URL (RFC 7617): "Basic " and base64 of the
/// decoded user:password; empty where the URL has no user info.
std::string basic_credentials(const Url& url);

}  // namespace hfhub::http
