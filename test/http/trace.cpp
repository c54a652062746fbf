#include "http/file_source.hpp"
#include "http/session.hpp"
#include "support/connecting.hpp"
#include "support/h2_peer.hpp"
#include "support/server.hpp"

#include <hfhub/http_client.hpp>
#include <hfhub/trace.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <semaphore>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Peer;
using test::Server;

namespace {

// What was told of one try, with texts of its own.
struct Told {
    explicit Told(const AttemptTrace& trace)
        : line(to_string(trace)),
          method(trace.method),
          url(trace.url),
          protocol(trace.protocol),
          address(trace.remote_address),
          proxy(trace.proxy),
          tls(trace.tls_version),
          cipher(trace.tls_cipher),
          id(trace.request_id),
          error(trace.error),
          reason(trace.reason),
          numbers(trace) {}
    std::string line, method, url, protocol, address, proxy, tls, cipher, id, error, reason;
    AttemptTrace numbers;  // its texts are gone
};

SessionOptions plain_options() {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    options.backoff_base = options.backoff_cap = 2ms;
    return options;
}

// A session whose tries are told.
struct Watched {
    explicit Watched(SessionOptions wanted = plain_options()) : session(with_hook(std::move(wanted))) {}
    SessionOptions with_hook(SessionOptions options) {
        options.hooks.on_attempt = [this](const AttemptTrace& trace) {
            told.emplace_back(trace);
            count.release();
        };
        return options;
    }
    const Told& at(std::size_t index) const {
        REQUIRE(index < told.size());
        return told[index];
    }

    std::vector<Told> told;
    std::counting_semaphore<> count{0};
    Session session;
    HttpClient client{session};
};

// An answer of any status on each connection, in turn.
Server::Handler in_turn(std::vector<std::string> answers) {
    auto left = std::make_shared<std::vector<std::string>>(std::move(answers));
    auto mutex = std::make_shared<std::mutex>();
    return test::http1_answers([=](const test::ServerRequest&) {
        const std::lock_guard lock(*mutex);
        if (left->empty()) return test::ok_answer("last");
        const std::string answer = left->front();
        left->erase(left->begin());
        return answer;
    });
}

std::string answer_of(int status, std::string_view fields = {}, std::string_view body = {}) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
}

std::string address_of(const Server& server) { return "127.0.0.1:" + std::to_string(server.port()); }

Request request_to(const std::string& url) {
    Request request;
    request.url = Url::parse(url);
    return request;
}

}  // namespace

TEST_CASE("a try tells how its connection was made, and a later one that it was kept") {
    Server server(in_turn({answer_of(200, "x-request-id: id-1\r\n", "hello")}));
    Watched one;
    one.client.get(server.url("/a?token=secret"));
    one.client.get(server.url("/b"));
    REQUIRE(one.told.size() == 2);
    const Told& first = one.at(0);
    CHECK(first.method == "GET");
    CHECK(first.url == server.url("/a?token"));
    CHECK(first.protocol == "HTTP/1.1");
    CHECK(first.address == address_of(server));
    CHECK(first.proxy.empty());
    CHECK(first.tls.empty());
    CHECK(first.id == "id-1");
    CHECK(first.error.empty());
    CHECK(first.reason.empty());
    const AttemptTrace& numbers = first.numbers;
    CHECK(numbers.status == 200);
    CHECK(numbers.attempt == 1);
    CHECK(numbers.max_attempts == 6);
    CHECK(numbers.bytes_sent == 0);
    CHECK(numbers.bytes_received == 5);
    CHECK(!numbers.reused);
    REQUIRE(numbers.dns);
    REQUIRE(numbers.connect);
    REQUIRE(numbers.queued);
    REQUIRE(numbers.first_byte);
    CHECK(numbers.connect->count() > 0);
    CHECK(*numbers.queued >= *numbers.connect);
    CHECK(*numbers.first_byte >= *numbers.queued);
    CHECK(numbers.total >= *numbers.first_byte);
    CHECK(!numbers.tls);
    CHECK(!numbers.proxy_handshake);
    CHECK(!numbers.wait);
    const AttemptTrace& second = one.at(1).numbers;
    CHECK(second.reused);
    CHECK(!second.dns);
    CHECK(!second.connect);
    CHECK(one.at(1).address == address_of(server));
    CHECK(one.at(1).id.size() == 36);  // as it was sent
}

TEST_CASE("TLS: version, cipher and whether the session was resumed, for both protocols") {
    test::TrustFile trust;
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        Server server(
            http2 ? Server::Handler([](Peer& peer) {
                test::H2Peer h2;
                h2.on_request = [&](test::H2Peer::Exchange& exchange) { h2.respond(exchange.id, 200, {}, "body"); };
                test::serve_h2(peer, h2);
            })
                  : test::http1_answers(
                        [](const test::ServerRequest&) { return test::ok_answer("body", "connection: close\r\n"); }),
            test::context_of(test::good_spec()));
        SessionOptions options = plain_options();
        options.environment.ssl_cert_file = trust.path;
        if (!http2) options.http_version = HttpVersion::http1;
        Watched one(options);
        one.client.get(test::local(server));
        one.client.get(test::local(server));
        REQUIRE(one.told.size() == 2);
        CHECK(one.at(0).protocol == (http2 ? "HTTP/2" : "HTTP/1.1"));
        CHECK(one.at(0).tls.starts_with("TLSv1."));
        CHECK(!one.at(0).cipher.empty());
        CHECK(!one.at(0).numbers.tls_resumed);
        CHECK(one.at(0).numbers.tls->count() > 0);
        CHECK(one.at(0).numbers.bytes_received == 4);
        CHECK(one.at(1).numbers.reused == http2);
        CHECK(one.at(1).numbers.tls_resumed == !http2);
        CHECK(one.at(1).numbers.tls.has_value() == !http2);
        const SessionStats stats = one.session.stats();
        CHECK(stats.tls_handshakes == 1);
        CHECK(stats.tls_resumptions == (http2 ? 0u : 1u));
        CHECK(stats.connections_reused == (http2 ? 1u : 0u));
    }
}

TEST_CASE("a proxy is named, and the address is the proxy's") {
    Server proxy(in_turn({}));
    SessionOptions options = plain_options();
    options.environment.http_proxy = "http://user:password@" + address_of(proxy);
    Watched one(options);
    one.client.get("http://hub.test/a");
    CHECK(one.at(0).proxy == address_of(proxy));
    CHECK(one.at(0).address == address_of(proxy));
    CHECK(one.at(0).numbers.proxy_handshake);
    CHECK(one.at(0).line.find("password") == std::string::npos);
}

TEST_CASE("each try is told, with the wait before the next one and its reason") {
    Server server(in_turn({answer_of(503, "", "busy"), answer_of(429, "retry-after: 0\r\n"), answer_of(404)}));
    Watched one;
    CHECK(one.client.get(server.url("/a")).status == 404);
    REQUIRE(one.told.size() == 3);
    CHECK(one.at(0).numbers.status == 503);
    CHECK(one.at(0).numbers.bytes_received == 4);
    CHECK(one.at(0).reason == "status 503");
    CHECK(one.at(0).numbers.wait);
    CHECK(one.at(1).numbers.attempt == 2);
    CHECK(one.at(1).reason == "status 429");
    CHECK(one.at(2).numbers.attempt == 3);
    CHECK(one.at(2).numbers.status == 404);
    CHECK(one.at(2).reason.empty());
    CHECK(!one.at(2).numbers.wait);
}

TEST_CASE("redirects are tries of their own") {
    Server server(in_turn({answer_of(302, "location: /b?sig=secret\r\n")}));
    Watched one;
    one.client.get(server.url("/a"));
    REQUIRE(one.told.size() == 2);
    CHECK(one.at(0).numbers.status == 302);
    CHECK(one.at(1).url == server.url("/b?sig"));
    CHECK(one.session.stats().redirects == 1);
}

TEST_CASE("a try that finds no server tells why, and no connection") {
    Watched one;
    const std::string url = "http://127.0.0.1:" + std::to_string(test::refused_port()) + "/";
    const HttpRequestOptions options{.max_attempts = 2};
    CHECK(test::outcome([&] { one.client.get(url, options); }) == "ConnectError");
    REQUIRE(one.told.size() == 2);
    CHECK(one.at(0).error.find("refused") != std::string::npos);
    CHECK(one.at(0).numbers.wait);
    CHECK(one.at(1).reason.find("the last") != std::string::npos);
    CHECK(!one.at(1).numbers.wait);
    CHECK(one.at(1).numbers.status == 0);
    CHECK(one.at(1).protocol.empty());
    CHECK(!one.at(1).numbers.queued);
    CHECK(!one.at(1).numbers.first_byte);
}

TEST_CASE("a try that comes to no connection tells how long each step took, up to the one that failed") {
    const auto try_once = [](const std::string& url, SessionOptions options = plain_options()) {
        options.connect_timeout = 300ms;
        Watched one(options);
        CHECK(test::outcome([&] { one.client.get(url, {.max_attempts = 1}); }) != "ok");
        return one.at(0);
    };
    const Told refused = try_once("http://127.0.0.1:" + std::to_string(test::refused_port()) + "/");
    CHECK(refused.numbers.dns);
    CHECK(refused.numbers.connect);
    CHECK(!refused.numbers.tls);
    CHECK(!refused.numbers.proxy_handshake);
    CHECK(refused.line.find(", no connection (tried, DNS ") != std::string::npos);
    const Told unknown = try_once("http://no-such-host.invalid/");
    CHECK(unknown.numbers.dns);
    CHECK(!unknown.numbers.connect);
    Server mute([](Peer& peer) { peer.wait_for_end(); });
    const Told no_tls = try_once("https://" + address_of(mute) + "/");
    REQUIRE(no_tls.numbers.tls);
    CHECK(*no_tls.numbers.tls > 100ms);
    CHECK(*no_tls.numbers.connect < *no_tls.numbers.tls);
    SessionOptions through = plain_options();
    through.environment.https_proxy = "http://" + address_of(mute);
    const Told no_tunnel = try_once("https://hub.test/", through);
    CHECK(no_tunnel.proxy == address_of(mute));
    REQUIRE(no_tunnel.numbers.proxy_handshake);
    CHECK(*no_tunnel.numbers.proxy_handshake > 100ms);
    CHECK(!no_tunnel.numbers.tls);
}

TEST_CASE("an answer that breaks off is told with what had come of it") {
    Server server([](Peer& peer) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    });
    Watched one;
    CHECK(test::outcome([&] { one.client.get(server.url("/"), {.max_attempts = 1}); }) == "TruncatedError");
    CHECK(one.at(0).numbers.status == 200);
    CHECK(one.at(0).numbers.bytes_received == 4);
    CHECK(one.at(0).error.find("4 bytes of 100") != std::string::npos);
    CHECK(one.at(0).reason.find("the last") != std::string::npos);
}

TEST_CASE("a streamed answer is told when it has been read, or is left") {
    Server server(in_turn({answer_of(200, "", std::string(300'000, 'x')), answer_of(200, "", "unread")}));
    Watched one;
    const auto read = [&](bool all) -> awaitable<void> {
        Response response = co_await one.session.state()->pipeline().send(request_to(server.url("/")));
        CHECK(one.told.size() == (all ? 0 : 1));
        if (all) {
            const std::string text = co_await read_all(response.body.get(), 1 << 20);
            CHECK(text.size() == 300'000);
        }
    };
    Blocking::run<void>(one.session, read(true));
    CHECK(one.at(0).error.empty());
    CHECK(one.at(0).numbers.bytes_received == 300'000);
    Blocking::run<void>(one.session, read(false));
    CHECK(one.at(1).error == "left before the end of the answer");
    CHECK(one.at(1).numbers.status == 200);
}

TEST_CASE("bytes received are those before decoding") {
    const std::string gzip(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00", 25);
    Server server(in_turn({answer_of(200, "content-encoding: gzip\r\n", gzip)}));
    Watched one;
    CHECK(one.client.get(server.url("/")).body == "hello");
    CHECK(one.at(0).error.empty());
    CHECK(one.at(0).numbers.bytes_received == gzip.size());
}

TEST_CASE("bytes sent are those of each try") {
    Server server(in_turn({answer_of(503), answer_of(200), answer_of(503), answer_of(200)}));
    Watched one;
    one.client.request("PUT", server.url("/"), {.body = "payload"});
    CHECK(one.at(0).numbers.bytes_sent == 7);
    CHECK(one.at(1).numbers.bytes_sent == 7);
    const test::TempDir folder;
    std::ofstream(folder.path() / "f") << std::string(2'000'000, 'x');
    const auto upload = [&]() -> awaitable<void> {
        Request request = request_to(server.url("/"));
        request.method = Method::put;
        const CallWorkers workers(one.session.state()->workers(), Clock::time_point::max());
        request.body = std::make_shared<FileSource>(workers, folder.path() / "f");
        co_await one.session.state()->pipeline().send(std::move(request));
    };
    Blocking::run<void>(one.session, upload());
    REQUIRE(one.told.size() == 4);
    CHECK(one.at(2).numbers.bytes_sent == 2'000'000);
    CHECK(one.at(3).numbers.bytes_sent == 2'000'000);
}

TEST_CASE("the error of an upload that breaks off says how many bytes were sent") {
    Server server([](Peer& peer) {
        peer.read_some();
        peer.reset();
    });
    const Session session(plain_options());
    const test::TempDir folder;
    std::ofstream(folder.path() / "f") << std::string(50'000'000, 'x');
    const auto upload = [&]() -> awaitable<void> {
        Request request = request_to(server.url("/"));
        request.method = Method::put;
        request.max_attempts = 1;
        const CallWorkers workers(session.state()->workers(), Clock::time_point::max());
        request.body = std::make_shared<FileSource>(workers, folder.path() / "f");
        co_await session.state()->pipeline().send(std::move(request));
    };
    const auto error = test::caught<ConnectionLostError>([&] { Blocking::run<void>(session, upload()); });
    CHECK(error.status == 0);
    CHECK(error.bytes_done > 0);
    CHECK(error.bytes_done < 50'000'000);
}

TEST_CASE("a call that is given up tells its try, and counts as cancelled") {
    std::binary_semaphore arrived(0);
    Server server([&](Peer& peer) {
        peer.read_request();
        arrived.release();
        peer.wait_for_end();
    });
    Watched one;
    std::stop_source stop;
    const auto call = [&]() -> awaitable<std::string> {
        Response response = co_await one.session.state()->pipeline().send(request_to(server.url("/")));
        co_return std::string();
    };
    std::thread stopper([&] {
        arrived.acquire();
        stop.request_stop();
    });
    CHECK(test::outcome([&] { Blocking::run<std::string>(one.session, call(), stop.get_token()); }) ==
          "CancelledError");
    stopper.join();
    CHECK(one.at(0).error == "ended by the caller");
    CHECK(one.at(0).address == address_of(server));
    CHECK(one.session.stats().requests_cancelled == 1);
    CHECK(one.session.stats().requests == 1);
}

TEST_CASE("what a server repeats of a token is not told, nor what a terminal would obey") {
    Server server(in_turn({answer_of(200, "x-request-id: hf_canaryTokenAAAAAAAAAAAAAAAAA1\r\n"),
                           answer_of(200, "x-request-id: \xc2\x9b\x32J\r\n")}));
    Watched one;
    one.client.get(server.url("/hf_canaryTokenAAAAAAAAAAAAAAAAA1"));
    one.client.get(server.url("/"));
    CHECK(one.at(0).line.find("canary") == std::string::npos);
    CHECK(one.at(0).id.starts_with("hf_"));
    CHECK(one.at(1).line.find('\xc2') == std::string::npos);
}

TEST_CASE("what a listener throws is dropped") {
    Server server(in_turn({}));
    SessionOptions options = plain_options();
    options.hooks.on_attempt = [](const AttemptTrace&) { throw std::runtime_error("no"); };
    CHECK(HttpClient(Session(options)).get(server.url("/")).status == 200);
}

TEST_CASE("the debug log tells each try in one line") {
    Server server(in_turn({answer_of(503)}));
    std::string lines;
    set_log_sink([&](LogLevel, std::string_view text) { lines.append(text).append("\n"); });
    set_log_level(LogLevel::debug);
    HttpClient(Session(plain_options())).get(server.url("/?sig=secret"));
    set_log_level(LogLevel::warning);
    set_log_sink({});
    CHECK(lines.find("GET " + server.url("/?sig") + ": 503, try 1/6, HTTP/1.1 to " + address_of(server)) !=
          std::string::npos);
    CHECK(lines.find(": 200, try 2/6, HTTP/1.1 to " + address_of(server) + " (reused)") != std::string::npos);
    CHECK(lines.find("secret") == std::string::npos);
}

TEST_CASE("a session counts what it does") {
    Server server([](Peer& peer) {
        while (const auto request = peer.read_request()) {
            if (request->target == "/lost") return;
            if (request->target == "/moved") {
                peer.write(answer_of(302, "location: /there\r\n"));
            } else {
                peer.write(test::ok_answer(std::string(1000, 'x')));
            }
        }
    });
    const Session session(plain_options());
    const HttpClient client(session);
    client.get(server.url("/a"));
    client.get(server.url("/moved"));
    const std::string body(5000, 'y');
    client.post(server.url("/b"), {.body = body});
    SessionStats stats = session.stats();
    CHECK(stats.requests == 3);
    CHECK(stats.redirects == 1);
    CHECK(stats.retries == 0);
    CHECK(stats.connections_opened == 1);
    CHECK(stats.connections_reused == 3);
    CHECK(stats.tls_handshakes == 0);
    CHECK(stats.bytes_sent > 5000);
    CHECK(stats.bytes_sent < 8000);
    CHECK(stats.bytes_received > 3000);
    CHECK(stats.bytes_received < 4000);
    CHECK(stats.waited == 0ms);
    CHECK(test::outcome([&] { client.get(server.url("/lost")); }) == "ConnectionLostError");
    stats = session.stats();
    CHECK(stats.requests == 4);
    CHECK(stats.retries == 5);
    CHECK(stats.connections_opened > 1);
    CHECK(stats.requests_cancelled == 0);
}

TEST_CASE("tries that a server refuses are counted") {
    std::atomic<int> seen = 0;
    Server server([&](Peer& peer) {
        test::H2Peer h2;
        h2.on_request = [&](test::H2Peer::Exchange& one) {
            if (++seen == 1) {
                h2.reset(one.id, 7);  // REFUSED_STREAM
            } else {
                h2.respond(one.id, 200, {}, "body");
            }
        };
        test::serve_h2(peer, h2);
    });
    SessionOptions options = plain_options();
    options.http_version = HttpVersion::http2_prior_knowledge;
    const Session session(options);
    CHECK(HttpClient(session).get(server.url("/")).status == 200);
    CHECK(session.stats().requests_refused == 1);
    CHECK(session.stats().retries == 1);
}
