#pragma once

#include <hfhub/log.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// What the process's environment variables say, read once. Empty variables count as unset; a variable is true where it
/// is 1, ON, YES or TRUE in any case. Members hold defaults where nothing is set.
struct Environment {
    /// Gives the value of a variable, or nothing.
    using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

    /// Reads the variables of this process. Throws InvalidArgumentError where a number is malformed.
    static Environment from_process();
    /// Reads the variables that `lookup` knows; "~" in paths is its HOME. Throws as from_process.
    static Environment from(const Lookup& lookup);

    std::string endpoint = "https://huggingface.co";  ///< HF_ENDPOINT, without blanks around it and '/' at its end.

    // Folders and files; "~", "$NAME" and "${NAME}" in the variables are expanded.
    std::filesystem::path hf_home;             ///< HF_HOME, else huggingface in XDG_CACHE_HOME or ~/.cache.
    std::filesystem::path hub_cache;           ///< HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, else hub in hf_home.
    std::filesystem::path xet_cache;           ///< HF_XET_CACHE, else xet in hf_home.
    std::filesystem::path assets_cache;        ///< HF_ASSETS_CACHE, HUGGINGFACE_ASSETS_CACHE, else assets in hf_home.
    std::filesystem::path token_path;          ///< HF_TOKEN_PATH, else token in hf_home.
    std::filesystem::path stored_tokens_path;  ///< stored_tokens beside token_path.

    std::optional<std::string> token;     ///< HF_TOKEN or HUGGING_FACE_HUB_TOKEN, without line ends and outer blanks.
    bool disable_implicit_token = false;  ///< HF_HUB_DISABLE_IMPLICIT_TOKEN: tokens are sent only where asked for.

    bool offline = false;                            ///< HF_HUB_OFFLINE, or TRANSFORMERS_OFFLINE where that is unset.
    std::chrono::milliseconds etag_timeout{10'000};  ///< HF_HUB_ETAG_TIMEOUT, in seconds there.
    bool etag_timeout_changed = false;               ///< It is not the default, and so wins over arguments.
    std::chrono::milliseconds download_timeout{10'000};  ///< HF_HUB_DOWNLOAD_TIMEOUT, in seconds there.
    bool download_timeout_changed = false;               ///< It is not the default, and so wins over arguments.
    std::string user_agent_origin;                       ///< HF_HUB_USER_AGENT_ORIGIN.
    bool disable_telemetry = false;  ///< HF_HUB_DISABLE_TELEMETRY, DISABLE_TELEMETRY or DO_NOT_TRACK.

    std::optional<bool> disable_progress_bars;  ///< HF_HUB_DISABLE_PROGRESS_BARS; where set, code cannot override it.
    bool disable_symlinks = false;              ///< HF_HUB_DISABLE_SYMLINKS: the cache copies or moves files.
    bool disable_xet = false;                   ///< HF_HUB_DISABLE_XET.
    bool xet_high_performance = false;          ///< HF_XET_HIGH_PERFORMANCE or HF_XET_HP.

    LogLevel verbosity = LogLevel::warning;  ///< HF_HUB_VERBOSITY: debug, info, warning, error or critical.
    bool debug = false;                      ///< HF_DEBUG; makes verbosity debug.
    bool no_color = false;                   ///< NO_COLOR has any value.

    // Proxies. Of two letter cases the lower one wins, and an empty one in lower case turns the other off, as in curl
    // and Python. HTTP_PROXY is ignored where REQUEST_METHOD is set: a CGI program gets it from the peer's Proxy field.
    std::optional<std::string> http_proxy;
    std::optional<std::string> https_proxy;
    std::optional<std::string> all_proxy;
    std::optional<std::string> no_proxy;

    // Trust.
    std::optional<std::filesystem::path> ssl_cert_file;       ///< SSL_CERT_FILE.
    std::optional<std::filesystem::path> ssl_cert_dir;        ///< SSL_CERT_DIR.
    std::optional<std::filesystem::path> requests_ca_bundle;  ///< REQUESTS_CA_BUNDLE.
    std::optional<std::filesystem::path> curl_ca_bundle;      ///< CURL_CA_BUNDLE.
};

}  // namespace hfhub
