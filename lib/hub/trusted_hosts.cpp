#include "hub/trusted_hosts.hpp"

#include "http/redirect.hpp"

#include <string_view>

namespace hfhub::hub {

namespace {

bool is_at(const Url& url, std::string_view domain) noexcept {
    const std::string_view host = url.host;
    if (!url.is_https() || url.port != 443 || !host.ends_with(domain)) return false;
    return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

constexpr std::string_view hub = "huggingface.co";
constexpr std::string_view endpoints = "huggingface.cloud";

}  // namespace

bool may_have_hub_token(const Url& endpoint, const Url& url, NamedBy by) noexcept {
    if (http::may_send_credentials(endpoint, url)) return true;
    switch (by) {
        case NamedBy::server:
            return is_at(url, hub) && is_at(endpoint, hub);
        case NamedBy::library:
            return is_at(url, hub);
        case NamedBy::user:
            return is_at(url, hub) || is_at(url, endpoints);
    }
    return false;
}

bool is_downgrade(const Url& endpoint, const Url& url) noexcept { return endpoint.is_https() && !url.is_https(); }

}  // namespace hfhub::hub
