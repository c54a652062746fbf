#include "http/redirect.hpp"

#include "core/log.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {

constexpr bool is_redirect(int status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Whether a reference names a scheme or a host (RFC 3986 4.2).
bool is_absolute(std::string_view reference) noexcept {
    if (reference.starts_with("//")) return true;
    const std::size_t end = reference.find_first_of(":/?#");
    return end != std::string_view::npos && reference[end] == ':' && end > 0 && is_alpha(reference[0]);
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// A message must not repeat what the server wrote into the query: signatures are there.
std::string shown(std::string_view reference) {
    return redact(printable(reference.substr(0, reference.find_first_of("?#"))));
}

[[noreturn]] void refuse(const Request& request, std::string_view location, std::string_view reason) {
    ProtocolError error("the redirect to \"" + shown(location) + "\" is not followed: " + std::string(reason));
    error.at(request.url.redacted());
    throw error;
}

[[noreturn]] void refuse_more(const Request& request, const std::string& reason) {
    TooManyRedirectsError error(reason);
    error.at(request.url.redacted());
    throw error;
}

/// The Location, empty where there is none. Two that differ may be the work of an injected header.
std::string_view location_of(const Request& request, const Headers& answer) {
    const std::string_view location = trim(answer.value("location"));
    for (const Headers::Field field : answer) {
        if (field.name == "location" && trim(field.value) != location) {
            refuse(request, location, "the answer names several targets");
        }
    }
    return location;
}

Url target_of(const Request& request, std::string_view location) {
    Url url;
    try {
        url = request.url.resolve(location);
    } catch (const InvalidArgumentError& error) {
        refuse(request, location, error.what());
    }
    if (url.scheme != "https" && url.scheme != "http") refuse(request, location, "only http and https are followed");
    if (request.url.is_https() && !url.is_https()) {
        refuse(request, location, "it leads from https to unprotected http");
    }
    return url;
}

Method next_method(Method method, int status) noexcept {
    if (status == 303 && method != Method::head) return Method::get;
    if ((status == 301 || status == 302) && method == Method::post) return Method::get;
    return method;
}

constexpr std::array<std::string_view, 7> body_fields = {
    "content-length",    "content-type", "content-encoding", "content-language", "content-location",
    "transfer-encoding", "expect"};

}  // namespace

std::string redirect_key(const Request& request) {
    return std::string(to_string(request.method)) + " " + request.url.str();
}

RedirectDecision redirect_of(const Request& request, int status, const Headers& answer,
                             std::span<const std::string> visited) {
    RedirectDecision decision;
    if (!is_redirect(status) || request.max_redirects <= 0) return decision;
    const std::string_view location = location_of(request, answer);
    if (location.empty() || (request.relative_redirects_only && is_absolute(location))) return decision;

    decision.url = target_of(request, location);
    if (request.relative_redirects_only) decision.url.query = request.url.query;
    decision.drop_credentials = !may_send_credentials(request.url, decision.url);
    // User info in a Location is the server's choice of credentials, not the caller's.
    decision.url.user_info = decision.drop_credentials ? std::string() : request.url.user_info;
    decision.method = next_method(request.method, status);
    decision.drop_body = decision.method != request.method;
    decision.follow = true;

    if (visited.size() >= static_cast<std::size_t>(request.max_redirects)) {
        refuse_more(request, "it leads on to " + decision.url.redacted() + ", but " +
                                 std::to_string(request.max_redirects) + " redirects are followed at most");
    }
    const std::string key = std::string(to_string(decision.method)) + " " + decision.url.str();
    if (key == redirect_key(request) || std::find(visited.begin(), visited.end(), key) != visited.end()) {
        refuse_more(request, "it leads back to " + decision.url.redacted() + ": the redirects run in a circle");
    }
    return decision;
}

void apply_redirect(Request& request, const RedirectDecision& decision) {
    if (decision.drop_body) {
        request.body = std::monostate();
        for (const std::string_view name : body_fields) request.headers.erase(name);
    }
    if (decision.drop_credentials) {
        std::vector<std::string> names;
        for (const Headers::Field field : request.headers) {
            if (is_credential_field(field.name)) names.emplace_back(field.name);
        }
        for (const std::string& name : names) request.headers.erase(name);
    }
    request.headers.erase("host");
    request.method = decision.method;
    request.url = decision.url;
}

bool may_send_credentials(const Url& from, const Url& to) noexcept {
    if (from.same_origin(to)) return true;
    return from.host == to.host && from.scheme == "http" && to.scheme == "https" && from.port == 80 && to.port == 443;
}

bool is_credential_field(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 9> words = {"authorization", "cookie",   "token",     "secret",    "api-key",
                                                       "apikey",        "password", "signature", "credential"};
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    const auto contains = [&](std::string_view word) {
        return std::search(name.begin(), name.end(), word.begin(), word.end(),
                           [&](char a, char b) { return lower(a) == b; }) != name.end();
    };
    return std::any_of(words.begin(), words.end(), contains);
}

}  // namespace hfhub::http
