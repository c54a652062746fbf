// hfhub-fetch: transfers through the whole pipeline, in the manner of curl.
#include "http/file_source.hpp"
#include "http/pipeline.hpp"
#include "http/session.hpp"

#include <hfhub/log.hpp>
#include <hfhub/mode.hpp>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <semaphore>
#include <vector>

namespace {

using namespace hfhub;
using namespace std::chrono;

struct Arguments {
    bool http1 = false, http2 = false, h2c = false, insecure = false, verbose = false, json = false;
    std::string cacert, proxy, method, data, output;
    std::vector<std::string> headers, urls;
    std::uint64_t repeat = 1;
    std::size_t concurrency = 1;
    double timeout = 0;
};

struct Transfer {
    std::string url;
    int status = 0;
    std::string protocol;
    std::uint64_t bytes = 0;
    double seconds = 0;
    std::string error;
};

http::Method method_of(const std::string& name) {
    for (auto method : {http::Method::get, http::Method::head, http::Method::post, http::Method::put,
                        http::Method::patch, http::Method::delete_, http::Method::options}) {
        if (name == http::to_string(method)) return method;
    }
    throw InvalidArgumentError("unknown method " + name);
}

http::Request request_of(const Arguments& arguments, http::SessionState& state, const std::string& url) {
    http::Request request;
    request.url = Url::parse(url);
    request.method = method_of(arguments.method.empty() ? (arguments.data.empty() ? "GET" : "POST") : arguments.method);
    for (const std::string& field : arguments.headers) {
        const auto colon = field.find(':');
        if (colon == std::string::npos) throw InvalidArgumentError("-H takes 'Name: value', not '" + field + "'");
        const auto value = field.find_first_not_of(' ', colon + 1);
        request.headers.add(field.substr(0, colon), value == std::string::npos ? "" : field.substr(value));
    }
    if (arguments.data.starts_with('@')) {
        request.body = std::make_shared<http::FileSource>(state.workers(), arguments.data.substr(1));
    } else if (!arguments.data.empty()) {
        request.body = arguments.data;
    }
    if (arguments.timeout > 0) {
        request.deadline =
            http::Clock::now() + duration_cast<http::Clock::duration>(duration<double>(arguments.timeout));
    }
    return request;
}

void write_out(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) throw IoError("cannot write the output");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

awaitable<void> transfer(http::SessionState& state, const Arguments& arguments, int output, std::span<std::byte> buffer,
                         Transfer& result) {
    const auto begin = steady_clock::now();
    try {
        http::Request request = request_of(arguments, state, result.url);
        http::Response response = co_await state.pipeline().send(std::move(request));
        result.status = response.status;
        result.protocol = to_string(response.protocol);
        while (const std::size_t n = co_await http::read_some(response.body.get(), buffer)) {
            result.bytes += n;
            if (output >= 0) write_out(output, std::span(buffer).first(n));
        }
    } catch (const std::exception& error) {
        result.error = error.what();
    }
    result.seconds = duration<double>(steady_clock::now() - begin).count();
}

struct Totals {
    std::uint64_t next = 0, failed = 0;
};

void report(const Arguments& arguments, const Transfer& one) {
    if (arguments.json) {
        boost::json::object line{{"url", one.url},     {"status", one.status},   {"protocol", one.protocol},
                                 {"bytes", one.bytes}, {"seconds", one.seconds}, {"error", nullptr}};
        if (!one.error.empty()) line["error"] = one.error;
        std::cout << boost::json::serialize(line) << "\n";
    } else if (!one.error.empty()) {
        std::cerr << "hfhub-fetch: " << one.error << "\n";
    } else if (one.status >= 400) {
        std::cerr << "hfhub-fetch: " << one.url << ": status " << one.status << "\n";
    }
}

awaitable<void> lane(http::SessionState& state, const Arguments& arguments, int output, Totals& totals) {
    std::vector<std::byte> buffer(64 * 1024);
    const std::uint64_t all = arguments.repeat * arguments.urls.size();
    while (totals.next < all) {
        Transfer one;
        one.url = arguments.urls[totals.next++ % arguments.urls.size()];
        co_await transfer(state, arguments, output, buffer, one);
        if (!one.error.empty() || one.status >= 400) ++totals.failed;
        report(arguments, one);
    }
}

int run(const Arguments& arguments) {
    SessionOptions options;
    if (!arguments.cacert.empty()) options.environment.ssl_cert_file = arguments.cacert;
    options.verify_tls = !arguments.insecure;
    if (arguments.http1) options.http_version = HttpVersion::http1;
    if (arguments.h2c) options.http_version = HttpVersion::http2_prior_knowledge;
    if (!arguments.proxy.empty()) {
        options.environment.all_proxy = options.environment.http_proxy = options.environment.https_proxy =
            arguments.proxy;
        options.environment.no_proxy.reset();
    }
    if (arguments.verbose) {
        set_log_level(LogLevel::debug);
        set_log_sink([](LogLevel, std::string_view text) { std::cerr << "* " << text << "\n"; });
    }
    int output = -1;
    if (!arguments.output.empty()) {
        output = ::open(arguments.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (output < 0) throw IoError("cannot write " + arguments.output);
    } else if (!arguments.json && arguments.repeat == 1) {
        output = STDOUT_FILENO;
    }
    const Session session(options);
    http::SessionState& state = *session.state();
    Totals totals;
    std::vector<awaitable<void>> lanes;
    for (std::size_t i = 0; i < arguments.concurrency; ++i) lanes.push_back(lane(state, arguments, output, totals));
    std::counting_semaphore<> done(0);
    asio::post(state.executor(), [&] {
        for (auto& one : lanes) state.spawn(std::move(one), {}, [&](std::exception_ptr) { done.release(); });
    });
    for (std::size_t i = 0; i < arguments.concurrency; ++i) done.acquire();
    return totals.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Transfers URLs through hfhub's pipeline: retries, redirects, decoding.", "hfhub-fetch");
    Arguments arguments;
    app.add_flag("--http1", arguments.http1, "HTTP/1.1 only");
    app.add_flag("--http2", arguments.http2, "HTTP/2 where TLS negotiates it (the default)");
    app.add_flag("--h2c", arguments.h2c, "HTTP/2 without TLS by prior knowledge");
    app.add_option("--cacert", arguments.cacert, "PEM file of trusted authorities");
    app.add_flag("--insecure", arguments.insecure, "Accept any certificate");
    app.add_option("--proxy", arguments.proxy, "Proxy for all URLs");
    app.add_option("-X", arguments.method, "Method");
    app.add_option("-H", arguments.headers, "Header field 'Name: value'")->take_all();
    app.add_option("--data", arguments.data, "Body, or @FILE");
    app.add_option("-o", arguments.output, "Write bodies to this file");
    app.add_option("--repeat", arguments.repeat, "Times that each URL is fetched");
    app.add_option("--concurrency", arguments.concurrency, "Transfers at a time");
    app.add_option("--timeout", arguments.timeout, "Seconds for each whole transfer");
    app.add_flag("-v", arguments.verbose, "Log attempts to standard error");
    app.add_flag("--json", arguments.json, "One JSON object per transfer on standard output");
    app.add_option("url", arguments.urls, "URLs")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        return run(arguments);
    } catch (const std::exception& error) {
        std::cerr << "hfhub-fetch: " << error.what() << "\n";
        return 1;
    }
}
