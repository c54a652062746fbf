#include "core/token.hpp"

#include <hfhub/environment.hpp>
#include <hfhub/error.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace hfhub {

namespace {

std::string in_case(std::string_view text, int (*convert)(int)) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [convert](char c) { return static_cast<char>(convert(static_cast<unsigned char>(c))); });
    return out;
}

bool is_true(std::string_view value) {
    const auto upper = in_case(value, ::toupper);
    return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

std::string trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(blanks) - begin + 1));
}

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// The variables, read through the caller's function.
class Variables {
  public:
    explicit Variables(const Environment::Lookup& lookup) : lookup_(lookup) {}

    /// The value of the first of these names that is set.
    std::optional<std::string> get(std::initializer_list<std::string_view> names) const {
        for (const auto name : names) {
            if (auto value = lookup_(name); value && !value->empty()) return value;
        }
        return std::nullopt;
    }
    std::string text(std::string_view name) const { return get({name}).value_or(std::string()); }
    bool flag(std::string_view name) const { return is_true(text(name)); }

    std::optional<std::filesystem::path> path(std::string_view name) const {
        const auto value = get({name});
        return value ? std::optional(std::filesystem::path(*value)) : std::nullopt;
    }
    std::filesystem::path expanded_path(std::initializer_list<std::string_view> names,
                                        const std::filesystem::path& otherwise) const {
        return expanded(get(names).value_or(otherwise.string()));
    }

    std::optional<std::string> proxy(std::string_view lower_name) const {
        auto value = lookup_(lower_name);
        const bool forged = lower_name == "http_proxy" && get({"REQUEST_METHOD"});
        if (!value && !forged) value = lookup_(in_case(lower_name, ::toupper));
        const auto text = trimmed(value.value_or(std::string()));
        return text.empty() ? std::nullopt : std::optional(text);
    }

    std::chrono::milliseconds seconds(std::string_view name, std::chrono::milliseconds otherwise) const;

  private:
    std::string expanded(std::string_view text) const;

    const Environment::Lookup& lookup_;
};

/// Expands a leading "~" and then "$NAME" and "${NAME}"; what is unknown stays as it is, as in Python's os.path.
std::string Variables::expanded(std::string_view text) const {
    std::string path(text);
    if (path == "~" || path.starts_with("~/")) {
        if (auto home = get({"HOME"})) {
            while (path.size() > 1 && home->ends_with('/')) home->pop_back();
            path.replace(0, 1, *home);
        }
    }
    std::string out;
    for (std::size_t at = 0; at < path.size();) {
        if (path[at] != '$') {
            out += path[at++];
            continue;
        }
        const bool braced = path.compare(at, 2, "${") == 0;
        const auto begin = at + (braced ? 2 : 1);
        auto end = begin;
        while (end < path.size() && (braced ? path[end] != '}' : is_name(path[end]))) ++end;
        const auto after = std::min(end + (braced ? 1 : 0), path.size());
        const auto value = end > begin ? get({std::string_view(path).substr(begin, end - begin)}) : std::nullopt;
        out += value ? *value : path.substr(at, after - at);
        at = after;
    }
    return out;
}

/// Digits with an optional fraction; zero means the default, as in Python.
std::chrono::milliseconds Variables::seconds(std::string_view name, std::chrono::milliseconds otherwise) const {
    constexpr std::int64_t max_seconds = 31'536'000;  // a year
    const auto value = trimmed(text(name));
    if (value.empty()) return otherwise;
    std::int64_t milliseconds = 0;
    std::int64_t unit = 1000;  // worth of the next digit behind the point, times ten
    bool valid = true, digits = false, fraction = false;
    for (const char c : value) {
        if (c == '.' && !fraction) {
            fraction = true;
        } else if (c < '0' || c > '9') {
            valid = false;
        } else {
            digits = true;
            if (fraction)
                milliseconds += std::int64_t{c - '0'} * (unit /= 10);
            else
                milliseconds = std::min(milliseconds * 10 + std::int64_t{c - '0'} * 1000, max_seconds * 1000);
        }
    }
    if (!valid || !digits) {
        throw InvalidArgumentError(std::string(name) + " is \"" + value + "\", which is not a number of seconds");
    }
    if (milliseconds == 0) return otherwise;
    return std::chrono::milliseconds(std::min(milliseconds, max_seconds * 1000));
}

LogLevel verbosity_of(std::string_view text) {
    const auto name = in_case(text, ::tolower);
    if (name == "debug") return LogLevel::debug;
    if (name == "info") return LogLevel::info;
    if (name == "error") return LogLevel::error;
    if (name == "critical") return LogLevel::off;  // hfhub has nothing more severe than an error
    return LogLevel::warning;
}

void read_paths(Environment& env, const Variables& variables) {
    const auto cache = std::filesystem::path(variables.get({"XDG_CACHE_HOME"}).value_or("~/.cache"));
    env.hf_home = variables.expanded_path({"HF_HOME"}, cache / "huggingface");
    env.hub_cache = variables.expanded_path({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}, env.hf_home / "hub");
    env.xet_cache = variables.expanded_path({"HF_XET_CACHE"}, env.hf_home / "xet");
    env.assets_cache = variables.expanded_path({"HF_ASSETS_CACHE", "HUGGINGFACE_ASSETS_CACHE"}, env.hf_home / "assets");
    env.token_path = variables.expanded_path({"HF_TOKEN_PATH"}, env.hf_home / "token");
    env.stored_tokens_path = env.token_path.parent_path() / "stored_tokens";
}

void read_network(Environment& env, const Variables& variables) {
    auto endpoint = trimmed(variables.text("HF_ENDPOINT"));
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (!endpoint.empty()) env.endpoint = std::move(endpoint);

    env.offline = is_true(variables.get({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}).value_or(std::string()));
    const Environment defaults;
    env.etag_timeout = variables.seconds("HF_HUB_ETAG_TIMEOUT", defaults.etag_timeout);
    env.etag_timeout_changed = env.etag_timeout != defaults.etag_timeout;
    env.download_timeout = variables.seconds("HF_HUB_DOWNLOAD_TIMEOUT", defaults.download_timeout);
    env.download_timeout_changed = env.download_timeout != defaults.download_timeout;

    env.http_proxy = variables.proxy("http_proxy");
    env.https_proxy = variables.proxy("https_proxy");
    env.all_proxy = variables.proxy("all_proxy");
    env.no_proxy = variables.proxy("no_proxy");
    env.ssl_cert_file = variables.path("SSL_CERT_FILE");
    env.ssl_cert_dir = variables.path("SSL_CERT_DIR");
    env.requests_ca_bundle = variables.path("REQUESTS_CA_BUNDLE");
    env.curl_ca_bundle = variables.path("CURL_CA_BUNDLE");
}

/// Home from the user database, where HOME is unset, as under some service managers.
std::optional<std::string> home_of_user() {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
    return std::string(found->pw_dir);
}

}  // namespace

Environment Environment::from(const Lookup& lookup) {
    const Variables variables(lookup);
    Environment env;
    read_paths(env, variables);
    read_network(env, variables);

    if (const auto token = variables.get({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})) env.token = clean_token(*token);
    env.disable_implicit_token = variables.flag("HF_HUB_DISABLE_IMPLICIT_TOKEN");
    env.user_agent_origin = trimmed(variables.text("HF_HUB_USER_AGENT_ORIGIN"));
    env.disable_telemetry = variables.flag("HF_HUB_DISABLE_TELEMETRY") || variables.flag("DISABLE_TELEMETRY") ||
                            variables.flag("DO_NOT_TRACK");
    if (variables.get({"HF_HUB_DISABLE_PROGRESS_BARS"})) {
        env.disable_progress_bars = variables.flag("HF_HUB_DISABLE_PROGRESS_BARS");
    }
    env.disable_symlinks = variables.flag("HF_HUB_DISABLE_SYMLINKS");
    env.disable_xet = variables.flag("HF_HUB_DISABLE_XET");
    env.xet_high_performance = variables.flag("HF_XET_HIGH_PERFORMANCE") || variables.flag("HF_XET_HP");
    env.debug = variables.flag("HF_DEBUG");
    env.verbosity = env.debug ? LogLevel::debug : verbosity_of(variables.text("HF_HUB_VERBOSITY"));
    env.no_color = !variables.text("NO_COLOR").empty();
    return env;
}

Environment Environment::from_process() {
    return from([](std::string_view name) -> std::optional<std::string> {
        if (const char* value = std::getenv(std::string(name).c_str())) return std::string(value);
        return name == "HOME" ? home_of_user() : std::nullopt;
    });
}

}  // namespace hfhub
