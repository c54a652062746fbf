#include <hfhub/environment.hpp>
#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

using namespace hfhub;
using namespace std::chrono_literals;

namespace {
Environment with(std::map<std::string, std::string, std::less<>> variables) {
    variables.emplace("HOME", "/home/me");
    return Environment::from([&](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
}
}  // namespace

TEST_CASE("without variables the defaults hold") {
    const auto env = with({});
    CHECK(env.endpoint == "https://huggingface.co");
    CHECK(env.hf_home == "/home/me/.cache/huggingface");
    CHECK(env.hub_cache == "/home/me/.cache/huggingface/hub");
    CHECK(env.xet_cache == "/home/me/.cache/huggingface/xet");
    CHECK(env.assets_cache == "/home/me/.cache/huggingface/assets");
    CHECK(env.token_path == "/home/me/.cache/huggingface/token");
    CHECK(env.stored_tokens_path == "/home/me/.cache/huggingface/stored_tokens");
    CHECK(!env.token);
    CHECK(!env.offline);
    CHECK(env.etag_timeout == 10s);
    CHECK(env.download_timeout == 10s);
    CHECK(!env.etag_timeout_changed);
    CHECK(!env.disable_progress_bars);
    CHECK(env.verbosity == LogLevel::warning);
    CHECK(!env.http_proxy);
    CHECK(!env.ssl_cert_file);
}

TEST_CASE("the endpoint loses blanks and trailing slashes, and a blank one is unset") {
    CHECK(with({{"HF_ENDPOINT", " https://hub.local/prefix// \n"}}).endpoint == "https://hub.local/prefix");
    for (const char* blank : {"", "  ", "\n", "/"}) {
        CHECK(with({{"HF_ENDPOINT", blank}}).endpoint == "https://huggingface.co");
    }
}

TEST_CASE("the home folder comes from HF_HOME, then XDG_CACHE_HOME") {
    CHECK(with({{"XDG_CACHE_HOME", "/xdg"}}).hf_home == "/xdg/huggingface");
    const auto env = with({{"XDG_CACHE_HOME", "/xdg"}, {"HF_HOME", "/hf"}});
    CHECK(env.hf_home == "/hf");
    CHECK(env.hub_cache == "/hf/hub");
    CHECK(env.token_path == "/hf/token");
}

TEST_CASE("empty variables count as unset") {
    const auto env = with({{"HF_HOME", ""},
                           {"XDG_CACHE_HOME", ""},
                           {"HF_HUB_CACHE", ""},
                           {"HF_TOKEN", ""},
                           {"HF_HUB_DISABLE_PROGRESS_BARS", ""},
                           {"SSL_CERT_FILE", ""},
                           {"REQUESTS_CA_BUNDLE", ""},
                           {"CURL_CA_BUNDLE", ""},
                           {"SSL_CERT_DIR", ""},
                           {"HF_HUB_ETAG_TIMEOUT", ""},
                           {"NO_COLOR", ""},
                           {"HTTPS_PROXY", ""},
                           {"HF_HUB_OFFLINE", ""}});
    CHECK(env.hub_cache == "/home/me/.cache/huggingface/hub");
    CHECK(!env.token);
    CHECK(!env.disable_progress_bars);
    CHECK(!env.ssl_cert_file);
    CHECK(!env.ssl_cert_dir);
    CHECK(!env.requests_ca_bundle);
    CHECK(!env.curl_ca_bundle);
    CHECK(!env.no_color);
    CHECK(!env.https_proxy);
}

TEST_CASE("paths expand the home folder and variables") {
    CHECK(with({{"HF_HOME", "~/x"}}).hf_home == "/home/me/x");
    CHECK(with({{"HF_HOME", "~"}}).hf_home == "/home/me");
    CHECK(with({{"HF_HOME", "~/x"}, {"HOME", "/h/"}}).hf_home == "/h/x");
    CHECK(with({{"HF_HOME", "~/x"}, {"HOME", "/"}}).hf_home == "/x");
    CHECK(with({{"HF_HOME", "~other/x"}}).hf_home == "~other/x");
    CHECK(with({{"HF_HOME", "/a~/x"}}).hf_home == "/a~/x");
    CHECK(with({{"HF_HOME", "$DATA/${WHO}x/$$/$"}, {"DATA", "/d"}, {"WHO", "w"}}).hf_home == "/d/wx/$$/$");
    CHECK(with({{"HF_HOME", "/$UNKNOWN/${UNKNOWN}/${open"}}).hf_home == "/$UNKNOWN/${UNKNOWN}/${open");
    CHECK(with({{"HF_HUB_CACHE", "~/c"}}).hub_cache == "/home/me/c");
    CHECK(with({{"XDG_CACHE_HOME", "$HOME/c"}}).hf_home == "/home/me/c/huggingface");
    CHECK(with({{"HF_XET_CACHE", "~/xet"}}).xet_cache == "/home/me/xet");
    const auto env = with({{"HF_TOKEN_PATH", "~/secret/t"}});
    CHECK(env.token_path == "/home/me/secret/t");
    CHECK(env.stored_tokens_path == "/home/me/secret/stored_tokens");
}

TEST_CASE("old names are read where the new ones are unset") {
    CHECK(with({{"HUGGINGFACE_HUB_CACHE", "/old"}}).hub_cache == "/old");
    CHECK(with({{"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_HUB_CACHE", "/new"}}).hub_cache == "/new");
    CHECK(with({{"HUGGINGFACE_ASSETS_CACHE", "/old"}}).assets_cache == "/old");
    CHECK(with({{"HUGGING_FACE_HUB_TOKEN", "old"}}).token == "old");
    CHECK(with({{"HUGGING_FACE_HUB_TOKEN", "old"}, {"HF_TOKEN", "new"}}).token == "new");
    CHECK(with({{"HUGGING_FACE_HUB_TOKEN", "old"}, {"HF_TOKEN", ""}}).token == "old");
}

TEST_CASE("the token is cleaned, and a blank one is none") {
    CHECK(with({{"HF_TOKEN", " hf_\r\nabc\n "}}).token == "hf_abc");
    CHECK(!with({{"HF_TOKEN", " \r\n"}}).token);
}

TEST_CASE("truth is 1, ON, YES or TRUE in any case") {
    for (const char* yes : {"1", "on", "Yes", "TRUE", "tRuE"}) CHECK(with({{"HF_HUB_OFFLINE", yes}}).offline);
    for (const char* no : {"0", "off", "no", "false", "2", " 1", "y"}) CHECK(!with({{"HF_HUB_OFFLINE", no}}).offline);
    CHECK(with({{"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}).disable_implicit_token);
    CHECK(with({{"HF_HUB_DISABLE_SYMLINKS", "1"}}).disable_symlinks);
    CHECK(with({{"HF_HUB_DISABLE_XET", "1"}}).disable_xet);
    CHECK(with({{"HF_XET_HIGH_PERFORMANCE", "1"}}).xet_high_performance);
    CHECK(with({{"HF_XET_HP", "1"}}).xet_high_performance);
    CHECK(with({{"NO_COLOR", "0"}}).no_color);
    CHECK(with({{"HF_HUB_USER_AGENT_ORIGIN", "partner"}}).user_agent_origin == "partner");
}

TEST_CASE("the Hub's own offline variable wins over that of transformers") {
    CHECK(with({{"TRANSFORMERS_OFFLINE", "1"}}).offline);
    CHECK(!with({{"HF_HUB_OFFLINE", "0"}, {"TRANSFORMERS_OFFLINE", "1"}}).offline);
}

TEST_CASE("each of three variables turns telemetry off") {
    for (const char* name : {"HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK"}) {
        CHECK(with({{name, "1"}}).disable_telemetry);
    }
    CHECK(!with({}).disable_telemetry);
}

TEST_CASE("progress bars are forced off, forced on, or left to the caller") {
    CHECK(with({{"HF_HUB_DISABLE_PROGRESS_BARS", "1"}}).disable_progress_bars == true);
    CHECK(with({{"HF_HUB_DISABLE_PROGRESS_BARS", "0"}}).disable_progress_bars == false);
}

TEST_CASE("timeouts are seconds, and tell whether they were changed") {
    const auto env = with({{"HF_HUB_ETAG_TIMEOUT", "30"}, {"HF_HUB_DOWNLOAD_TIMEOUT", " 0.25 "}});
    CHECK(env.etag_timeout == 30s);
    CHECK(env.etag_timeout_changed);
    CHECK(env.download_timeout == 250ms);
    CHECK(env.download_timeout_changed);
    CHECK(!with({{"HF_HUB_ETAG_TIMEOUT", "10"}}).etag_timeout_changed);
    CHECK(with({{"HF_HUB_ETAG_TIMEOUT", "0"}}).etag_timeout == 10s);
    CHECK(with({{"HF_HUB_ETAG_TIMEOUT", "1.5"}}).etag_timeout == 1500ms);
    CHECK(with({{"HF_HUB_ETAG_TIMEOUT", "1.23456"}}).etag_timeout == 1234ms);
    CHECK(with({{"HF_HUB_ETAG_TIMEOUT", "99999999999999999999999"}}).etag_timeout == std::chrono::hours(365 * 24));
    for (const char* bad : {"ten", "-1", "1s", ".", "1.2.3", "1e3"}) {
        CAPTURE(bad);
        CHECK_THROWS_WITH_AS(with({{"HF_HUB_ETAG_TIMEOUT", bad}}), doctest::Contains("HF_HUB_ETAG_TIMEOUT"),
                             InvalidArgumentError);
    }
}

TEST_CASE("verbosity has Python's names, and HF_DEBUG makes it debug") {
    CHECK(with({{"HF_HUB_VERBOSITY", "debug"}}).verbosity == LogLevel::debug);
    CHECK(with({{"HF_HUB_VERBOSITY", "INFO"}}).verbosity == LogLevel::info);
    CHECK(with({{"HF_HUB_VERBOSITY", "error"}}).verbosity == LogLevel::error);
    CHECK(with({{"HF_HUB_VERBOSITY", "critical"}}).verbosity == LogLevel::off);
    CHECK(with({{"HF_HUB_VERBOSITY", "loud"}}).verbosity == LogLevel::warning);
    const auto env = with({{"HF_HUB_VERBOSITY", "error"}, {"HF_DEBUG", "1"}});
    CHECK(env.debug);
    CHECK(env.verbosity == LogLevel::debug);
}

TEST_CASE("proxies are read in both letter cases, lower case first") {
    const auto env = with({{"HTTPS_PROXY", "http://up:1"},
                           {"https_proxy", " http://low:1 "},
                           {"ALL_PROXY", "socks5://a"},
                           {"no_proxy", "localhost,.x"},
                           {"HTTP_PROXY", "http://up:2"}});
    CHECK(env.https_proxy == "http://low:1");
    CHECK(env.all_proxy == "socks5://a");
    CHECK(env.no_proxy == "localhost,.x");
    CHECK(env.http_proxy == "http://up:2");
}

TEST_CASE("an empty lower-case proxy variable turns the upper-case one off") {
    CHECK(!with({{"https_proxy", ""}, {"HTTPS_PROXY", "http://up:1"}}).https_proxy);
}

TEST_CASE("a CGI program does not take its proxy from the peer's header") {
    CHECK(!with({{"HTTP_PROXY", "http://evil"}, {"REQUEST_METHOD", "GET"}}).http_proxy);
    CHECK(with({{"http_proxy", "http://good"}, {"REQUEST_METHOD", "GET"}}).http_proxy == "http://good");
    CHECK(with({{"HTTPS_PROXY", "http://good"}, {"REQUEST_METHOD", "GET"}}).https_proxy == "http://good");
}

TEST_CASE("certificate variables are paths") {
    const auto env = with({{"SSL_CERT_FILE", "/f.pem"},
                           {"SSL_CERT_DIR", "/d"},
                           {"REQUESTS_CA_BUNDLE", "/r.pem"},
                           {"CURL_CA_BUNDLE", "/c.pem"}});
    CHECK(env.ssl_cert_file == "/f.pem");
    CHECK(env.ssl_cert_dir == "/d");
    CHECK(env.requests_ca_bundle == "/r.pem");
    CHECK(env.curl_ca_bundle == "/c.pem");
}

TEST_CASE("the process's variables are read") {
    const char* old = std::getenv("HF_HUB_USER_AGENT_ORIGIN");
    const std::optional<std::string> saved = old ? std::optional<std::string>(old) : std::nullopt;
    setenv("HF_HUB_USER_AGENT_ORIGIN", "from-process", 1);
    CHECK(Environment::from_process().user_agent_origin == "from-process");
    if (saved)
        setenv("HF_HUB_USER_AGENT_ORIGIN", saved->c_str(), 1);
    else
        unsetenv("HF_HUB_USER_AGENT_ORIGIN");
}
