// hfhub-fetch: transfers through the whole pipeline, in the manner of curl.
#include "core/log.hpp"
#include "core/page_buffer.hpp"
#include "http/file_source.hpp"
#include "http/proxy_rules.hpp"
#include "transfer.hpp"

#include <hfhub/log.hpp>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <semaphore>
#include <string>
#include <vector>

namespace {

using namespace hfhub;
using namespace std::chrono;

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

struct Arguments {
    bool http1 = false, http2 = false, h2c = false, insecure = false, verbose = false, json = false;
    std::string cacert, proxy, method, output;
    std::optional<std::string> data;
    std::vector<std::string> headers, urls;
    std::uint64_t repeat = 1;
    std::size_t concurrency = 1;
    int retry = 5;
    double timeout = 0, connect_timeout = 10, retry_delay = 1, pause = 0;
};

http::Method method_of(const Arguments& arguments) {
    if (arguments.method.empty()) return arguments.data ? http::Method::post : http::Method::get;
    for (auto method : {http::Method::get, http::Method::head, http::Method::post, http::Method::put,
                        http::Method::patch, http::Method::delete_, http::Method::options}) {
        if (arguments.method == http::to_string(method)) return method;
    }
    throw InvalidArgumentError("unknown method " + arguments.method +
                               "; -X takes GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
}

http::Headers headers_of(const Arguments& arguments) {
    http::Headers headers;
    for (const std::string& field : arguments.headers) {
        const auto colon = field.find(':');
        if (colon == std::string::npos || colon == 0) throw InvalidArgumentError("-H takes 'Name: value'");
        const auto value = field.find_first_not_of(' ', colon + 1);
        headers.add(field.substr(0, colon), value == std::string::npos ? "" : field.substr(value));
    }
    return headers;
}

/// What can be known to be wrong before anything is sent. Throws InvalidArgumentError.
void check(const Arguments& arguments) {
    method_of(arguments);
    headers_of(arguments);
    for (const std::string& text : arguments.urls) {
        const Url url = Url::parse(text);
        if (url.scheme != "http" && url.scheme != "https") {
            throw InvalidArgumentError(url.redacted() + " is no http:// or https:// URL");
        }
        http::proxy_for(url, {arguments.proxy, arguments.proxy, {}, {}});
    }
}

http::Request request_of(const Arguments& arguments, http::SessionState& state, const std::string& url) {
    http::Request request;
    request.url = Url::parse(url);
    request.method = method_of(arguments);
    request.headers = headers_of(arguments);
    if (arguments.data && arguments.data->starts_with('@')) {
        request.body = std::make_shared<http::FileSource>(state.workers(), arguments.data->substr(1));
    } else if (arguments.data) {
        request.body = *arguments.data;
    }
    request.timeouts.connect = duration_cast<milliseconds>(duration<double>(arguments.connect_timeout));
    if (arguments.timeout > 0) {
        request.deadline =
            http::Clock::now() + duration_cast<http::Clock::duration>(duration<double>(arguments.timeout));
    }
    return request;
}

SessionOptions options_of(const Arguments& arguments) {
    SessionOptions options;
    Environment& environment = options.environment;
    if (!arguments.cacert.empty()) {
        environment.ssl_cert_file = arguments.cacert;
        environment.ssl_cert_dir.reset();
    }
    options.verify_tls = !arguments.insecure;
    if (arguments.http1) options.http_version = HttpVersion::http1;
    if (arguments.h2c) options.http_version = HttpVersion::http2_prior_knowledge;
    if (!arguments.proxy.empty()) {
        environment.all_proxy = environment.http_proxy = environment.https_proxy = arguments.proxy;
        environment.no_proxy.reset();
    }
    options.max_attempts = 1 + arguments.retry;
    options.backoff_base = duration_cast<milliseconds>(duration<double>(arguments.retry_delay));
    return options;
}

/// The transfers of one run, and what they share.
struct Run {
    const Arguments& arguments;
    http::SessionState& state;
    tools::Output& output;
    std::uint64_t next = 0, failed = 0;
    std::minstd_rand random{1};

    std::uint64_t size() const { return arguments.repeat * arguments.urls.size(); }
};

void report(const Run& run, const std::string& url, const tools::Outcome& outcome, steady_clock::duration elapsed) {
    if (run.arguments.json) {
        boost::json::object line{{"url", redact(url)},
                                 {"status", outcome.status},
                                 {"protocol", outcome.protocol},
                                 {"bytes", outcome.bytes},
                                 {"seconds", duration<double>(elapsed).count()},
                                 {"error", nullptr}};
        if (!outcome.error.empty()) line["error"] = outcome.error;
        std::cout << boost::json::serialize(line) << "\n";
    } else if (!outcome.error.empty()) {
        std::cerr << "hfhub-fetch: " << outcome.error << "\n";
    }
}

awaitable<void> fetch(Run& run, const std::string& url, std::span<std::byte> buffer) {
    const auto begin = steady_clock::now();
    tools::Outcome outcome;
    try {
        http::Request request = request_of(run.arguments, run.state, url);
        tools::Transfer transfer(run.state, std::move(request), run.arguments.http2, run.output, outcome);
        co_await transfer.run(buffer);
    } catch (const std::exception& error) {
        outcome.error = redact(error.what());
    }
    if (!outcome.error.empty()) ++run.failed;
    report(run, url, outcome, steady_clock::now() - begin);
}

awaitable<void> lane(Run& run) {
    constexpr std::size_t size = 64 * 1024;
    const PageBuffer memory = page_buffer(size);
    const std::span<std::byte> buffer(memory.get(), size);
    while (run.next < run.size()) {
        const std::string& url = run.arguments.urls[run.next++ % run.arguments.urls.size()];
        co_await fetch(run, url, buffer);
        const duration<double> pause(run.arguments.pause * run.random() / std::minstd_rand::max());
        if (pause.count() == 0) continue;
        http::Event event(run.state.waits());
        co_await event.wait(http::Clock::now() + duration_cast<http::Clock::duration>(pause));
    }
}

tools::Output output_of(const Arguments& arguments, std::size_t lanes) {
    if (!arguments.output.empty()) {
        const int fd = ::open(arguments.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0) throw IoError("cannot write " + arguments.output + ": " + std::strerror(errno));
        return {fd, lanes == 1};
    }
    if (arguments.json || arguments.repeat > 1) return {};
    return {STDOUT_FILENO, false};
}

int transfer_all(const Arguments& arguments) {
    if (arguments.verbose) {
        set_log_level(LogLevel::debug);
        set_log_sink([](LogLevel, std::string_view text) { std::cerr << "* " << text << "\n"; });
    }
    const std::uint64_t all = arguments.repeat * arguments.urls.size();
    const auto lanes = static_cast<std::size_t>(std::min<std::uint64_t>(arguments.concurrency, all));
    tools::Output output = output_of(arguments, lanes);
    const Session session(options_of(arguments));
    http::SessionState& state = *session.state();
    Run run{arguments, state, output};
    std::counting_semaphore<> done(0);
    asio::post(state.executor(), [&] {
        for (std::size_t i = 0; i < lanes; ++i) {
            state.spawn(lane(run), {}, [&](std::exception_ptr error) {
                if (error) ++run.failed;
                done.release();
            });
        }
    });
    for (std::size_t i = 0; i < lanes; ++i) done.acquire();
    return run.failed == 0 ? 0 : exit_failure;
}

void describe(CLI::App& app, Arguments& arguments) {
    CLI::Option* http1 = app.add_flag("--http1", arguments.http1, "HTTP/1.1 only");
    CLI::Option* http2 = app.add_flag("--http2", arguments.http2, "Fail where the answer does not come by HTTP/2");
    CLI::Option* h2c = app.add_flag("--h2c", arguments.h2c, "HTTP/2 without TLS by prior knowledge");
    http1->excludes(http2)->excludes(h2c);
    http2->excludes(h2c);
    app.add_option("--cacert", arguments.cacert, "PEM file of the authorities that are trusted");
    app.add_flag("--insecure", arguments.insecure, "Accept any certificate");
    app.add_option("--proxy", arguments.proxy, "Proxy for all URLs: http, https, socks5 or socks5h");
    app.add_option("-X", arguments.method, "Method");
    app.add_option("-H", arguments.headers, "Header field 'Name: value'; may be repeated")->allow_extra_args(false);
    app.add_option("--data", arguments.data, "Body, or @FILE; makes the method POST");
    app.add_option("-o", arguments.output, "Write bodies to this file");
    app.add_option("--repeat", arguments.repeat, "Times that each URL is fetched")->check(CLI::PositiveNumber);
    app.add_option("--concurrency", arguments.concurrency, "Transfers at a time")->check(CLI::PositiveNumber);
    app.add_option("--timeout", arguments.timeout, "Seconds for each whole transfer")->check(CLI::Range(0.0, 1e6));
    app.add_option("--connect-timeout", arguments.connect_timeout, "Seconds for a connection, all addresses together")
        ->check(CLI::Range(0.001, 1e6));
    app.add_option("--pause", arguments.pause, "Seconds between the transfers of a lane at most, a random part of them")
        ->check(CLI::Range(0.0, 1e6));
    app.add_option("--retry", arguments.retry, "Times that a request is tried again")->check(CLI::Range(0, 1000));
    app.add_option("--retry-delay", arguments.retry_delay, "Seconds that the first wait between tries lasts at most")
        ->check(CLI::Range(0.0, 1e6));
    app.add_flag("-v", arguments.verbose, "Log attempts to standard error");
    app.add_flag("--json", arguments.json, "One JSON object per transfer on standard output");
    app.add_option("url", arguments.urls, "URLs")->required();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Transfers URLs through hfhub's pipeline: retries, resumption, redirects, decoding.", "hfhub-fetch");
    Arguments arguments;
    describe(app, arguments);
    try {
        app.parse(argc, argv);
        check(arguments);
        return transfer_all(arguments);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_usage;
    } catch (const InvalidArgumentError& error) {
        std::cerr << "hfhub-fetch: " << redact(error.what()) << "\n";
        return exit_usage;
    } catch (const std::exception& error) {
        std::cerr << "hfhub-fetch: " << redact(error.what()) << "\n";
        return exit_failure;
    }
}
