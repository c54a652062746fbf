#include "core/log.hpp"

#include "core/fork.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

namespace hfhub {

namespace {

constexpr std::string_view mark = "***";
constexpr std::size_t max_secrets = 256;
constexpr std::size_t min_secret_size = 6;

struct Sinks {
    ForkSafeMutex mutex;
    std::shared_ptr<const LogSink> sink;
    LogLevel level = LogLevel::warning;
};

using SecretTexts = std::deque<std::string>;

struct Secrets {
    ForkSafeMutex mutex;
    std::shared_ptr<const SecretTexts> texts = std::make_shared<const SecretTexts>();  // replaced, never changed
};

// Never destroyed: a thread may log while the process's statics are torn down.
Sinks& sinks() {
    static auto* const instance = new Sinks;
    return *instance;
}
Secrets& secrets() {
    static auto* const instance = new Secrets;
    return *instance;
}

std::shared_ptr<const SecretTexts> known_secrets() {
    const std::lock_guard lock(secrets().mutex);
    return secrets().texts;
}

/// The level in force: `off` while there is no sink.
std::atomic<LogLevel> threshold{LogLevel::off};

constexpr bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
constexpr bool is_name(char c) { return is_alnum(c) || c == '_' || c == '-'; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), text.begin(), [](char p, char t) { return p == lower(t); });
}

std::size_t run_of_names(std::string_view text) {
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_name) - text.begin());
}

bool is_header_secret(std::string_view name) {
    return name == "authorization" || name == "proxy-authorization" || name == "cookie" || name == "set-cookie" ||
           name == "x-xet-access-token" || name == "x-api-key";
}

bool is_secret_name(std::string_view name) {
    constexpr std::string_view exact[] = {"signature", "policy", "key-pair-id", "sig", "credential", "password"};
    return std::find(std::begin(exact), std::end(exact), name) != std::end(exact) || name.starts_with("x-amz-") ||
           name.starts_with("x-goog-") || name.ends_with("token") || name.ends_with("secret") ||
           name.ends_with("api_key") || name.ends_with("api-key") || is_header_secret(name);
}

/// Where a secret stands in the text that begins at the current place.
struct Found {
    std::size_t keep;  ///< Bytes before it that stay.
    std::size_t hide;  ///< Bytes of it.
};

/// "hf_…" and "api_org_…": tokens hold capitals or digits, names such as hf_hub_download do not.
std::optional<Found> find_hub_token(std::string_view text) {
    const std::size_t prefix = text.starts_with("hf_") ? 3 : text.starts_with("api_org_") ? 8 : 0;
    if (prefix == 0) return std::nullopt;
    std::size_t size = run_of_names(text);
    while (size + 1 < text.size() && text[size] == '.' && is_name(text[size + 1])) {
        size += 1 + run_of_names(text.substr(size + 1));
    }
    const auto body = text.substr(prefix, size - prefix);
    const bool secret = body.size() >= 30 || std::any_of(body.begin(), body.end(), [](char c) {
                            return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
                        });
    return secret ? std::optional(Found{prefix, size - prefix}) : std::nullopt;
}

/// A JSON Web Token: three runs joined by dots, the first being base64 of '{"'.
std::optional<Found> find_web_token(std::string_view text) {
    if (!text.starts_with("eyJ")) return std::nullopt;
    const auto end = std::find_if_not(text.begin(), text.end(), [](char c) { return is_name(c) || c == '.'; });
    const auto size = static_cast<std::size_t>(end - text.begin());
    if (size < 20 || text.substr(0, size).find('.') == std::string_view::npos) return std::nullopt;
    return Found{0, size};
}

std::optional<Found> find_credentials(std::string_view text) {
    const std::size_t scheme = starts_with_nocase(text, "bearer") ? 6 : starts_with_nocase(text, "basic") ? 5 : 0;
    if (scheme == 0 || scheme >= text.size() || !is_blank(text[scheme])) return std::nullopt;
    const auto begin = text.find_first_not_of(" \t", scheme);
    if (begin == std::string_view::npos) return std::nullopt;
    const auto end = std::min(text.find_first_of(" \t\r\n\"',;", begin), text.size());
    return end > begin ? std::optional(Found{begin, end - begin}) : std::nullopt;
}

std::optional<Found> find_user_info(std::string_view text) {
    if (!text.starts_with("://")) return std::nullopt;
    const auto authority = text.substr(3, text.find_first_of("/?# \t\r\n\"'<>", 3) - 3);
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos || at == 0) return std::nullopt;
    return Found{3, at};
}

/// The value after a name that is known to hold a secret: name=value, name%3Dvalue, "name": "value", Name: value.
std::optional<Found> find_value(std::string_view rest, bool header) {
    std::size_t at = 0;
    const bool quoted_name = rest.starts_with('"') || rest.starts_with('\'');
    if (quoted_name) ++at;
    while (at < rest.size() && is_blank(rest[at])) ++at;
    const bool escaped = starts_with_nocase(rest.substr(at), "%3d");
    const char separator = escaped ? '=' : at < rest.size() ? rest[at] : '\0';
    // "token: " in prose is no secret, but it is in JSON and in header fields.
    if (separator != '=' && (separator != ':' || !(quoted_name || header))) return std::nullopt;
    at += escaped ? 3 : 1;
    while (at < rest.size() && is_blank(rest[at])) ++at;

    std::string_view ends = separator == '=' ? "&# \t\r\n\"'<>" : quoted_name ? ",}\r\n" : "\r\n";
    if (at < rest.size() && (rest[at] == '"' || rest[at] == '\'')) {
        ends = rest[at] == '"' ? "\"" : "'";
        ++at;
    }
    auto end = std::min(rest.find_first_of(ends, at), rest.size());
    if (escaped) {
        for (auto amp = rest.find('%', at); amp < end; amp = rest.find('%', amp + 1)) {
            if (rest.substr(amp, 3) == "%26") end = amp;
        }
    }
    return end > at ? std::optional(Found{at, end - at}) : std::nullopt;
}

/// As find_value, for text that begins with a whole name. `escaped` says that a '%' stands before it.
std::optional<Found> find_named(std::string_view text, bool escaped) {
    const auto size = run_of_names(text);
    std::string name(text.substr(0, size));
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (escaped && name.size() > 2) name.erase(0, 2);  // the two digits of the escape
    if (!is_secret_name(name)) return std::nullopt;
    auto found = find_value(text.substr(size), is_header_secret(name));
    if (found) found->keep += size;
    return found;
}

std::optional<Found> find_secret(std::string_view text, std::size_t at) {
    const auto rest = text.substr(at);
    const char before = at == 0 ? '\0' : text[at - 1];
    switch (rest.front()) {
        case 'h':
        case 'a':
            if (const auto found = find_hub_token(rest)) return found;
            break;
        case 'e':
            if (const auto found = find_web_token(rest)) return found;
            break;
        case ':':
            return find_user_info(rest);
        default:
            break;
    }
    if (is_name(before) || !is_name(rest.front())) return std::nullopt;
    if (const auto found = find_credentials(rest)) return found;
    return find_named(rest, before == '%');
}

void replace_all(std::string& text, std::string_view what) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + mark.size())) {
        text.replace(at, what.size(), mark);
    }
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace:
            return "trace";
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warning:
            return "warning";
        case LogLevel::error:
            return "error";
        case LogLevel::off:
            return "off";
    }
    return "unknown";
}

std::string redact(std::string_view input) {
    std::string text(input);
    const auto known = known_secrets();
    for (const auto& secret : *known) replace_all(text, secret);
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        if (const auto found = find_secret(text, at)) {
            out.append(text, at, found->keep).append(mark);
            at += found->keep + found->hide;
        } else {
            out += text[at++];
        }
    }
    return out;
}

void register_secret(std::string secret) {
    if (secret.size() < min_secret_size) return;
    const std::lock_guard lock(secrets().mutex);
    auto& texts = secrets().texts;
    if (std::find(texts->begin(), texts->end(), secret) != texts->end()) return;
    auto more = std::make_shared<SecretTexts>(*texts);
    more->push_back(std::move(secret));
    if (more->size() > max_secrets) more->pop_front();
    texts = std::move(more);
}

void set_log_sink(LogSink sink) {
    auto next = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
    auto& all = sinks();
    {
        const std::lock_guard lock(all.mutex);
        all.sink.swap(next);
        threshold.store(all.sink ? all.level : LogLevel::off, std::memory_order_relaxed);
    }
    // `next` now holds the former sink; it is destroyed outside the lock, for its destructor is foreign code.
}

void set_log_level(LogLevel level) noexcept {
    auto& all = sinks();
    const std::lock_guard lock(all.mutex);
    all.level = level;
    threshold.store(all.sink ? level : LogLevel::off, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) noexcept {
    return level != LogLevel::off && level >= threshold.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view message) noexcept {
    if (!log_enabled(level)) return;
    try {
        std::shared_ptr<const LogSink> sink;
        {
            const std::lock_guard lock(sinks().mutex);
            sink = sinks().sink;
        }
        if (sink) (*sink)(level, redact(message));
    } catch (...) {
        // A message that cannot be delivered must not change what the library does.
    }
}

}  // namespace hfhub
