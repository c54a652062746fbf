#include "http/proxy.hpp"

#include "support/connecting.hpp"
#include "support/script_stream.hpp"

#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <mutex>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::caught;
using test::CertificateSpec;
using test::ConnectFixture;
using test::context_of;
using test::good_spec;
using test::hello;
using test::local;
using test::Loop;
using test::Peer;
using test::Script;
using test::Server;
using test::TrustFile;
using tcp = asio::ip::tcp;

namespace {

// A proxy that answers CONNECT and passes bytes on, and what it was asked for.
struct TunnelProxy {
    explicit TunnelProxy(std::uint16_t to, test::SslContext tls = nullptr)
        : server([this, to](Peer& peer) { play(peer, to); }, std::move(tls)) {}

    void play(Peer& peer, std::uint16_t to) {
        const auto request = peer.read_request();
        if (!request) return;
        {
            const std::lock_guard lock(mutex);
            asked.push_back(request->method + " " + request->target);
        }
        asio::io_context io;
        tcp::socket target(io);
        target.connect({asio::ip::address_v4::loopback(), to});
        target.non_blocking(true);
        peer.write("HTTP/1.1 200 Connection established\r\n\r\n");
        boost::system::error_code error;
        while (!peer.ended() && error != asio::error::eof) {
            const std::string there = peer.read_some(1ms);
            asio::write(target, asio::buffer(there), error);
            char back[4096];
            const std::size_t n = target.read_some(asio::buffer(back), error);
            if (n > 0) peer.write({back, n});
        }
    }

    std::mutex mutex;
    std::vector<std::string> asked;
    Server server;
};

}  // namespace

TEST_CASE("the tunnel of an HTTP proxy") {
    Loop loop;
    const Url proxy = Url::parse("http://user:p%40ss@proxy.test:3128"), target = Url::parse("https://hub.test/x");
    CHECK(connect_request(proxy, target) ==
          "CONNECT hub.test:443 HTTP/1.1\r\nHost: hub.test:443\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    CHECK(connect_status("HTTP/1.1 200 Connection established\r\n\r\n") == 200);
    CHECK(connect_status("HTTP/1.0 407 x\r\n\r\n") == 407);
    for (const char* bad : {"", "HTTP/1.1", "SSH-2.0\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"}) {
        CHECK(test::outcome([&] { connect_status(bad); }) == "ProxyError");
    }
    const auto play = [&](const std::string& answer, bool end) {
        auto script = std::make_shared<Script>(loop.io.get_executor());
        auto stream = script->stream();
        const Limit limit = limit_from_now(TimeoutPhase::connect, 2s, Clock::time_point::max());
        const auto task = loop.start(connect_through_http(*loop.waits, *stream, proxy, target, limit));
        for (const char c : answer) script->send(std::string(1, c));
        if (end) script->end();
        loop.until([&] { return task->done; });
        if (task->done && !task->error) {
            std::array<std::byte, 100> rest;
            CHECK(stream->try_read(rest).bytes == 0);
        }
        return task;
    };
    CHECK(play("HTTP/1.1 200 OK\r\nx: y\r\n\r\n", false)->outcome() == "ok");
    CHECK(play("HTTP/1.1 200 OK\r\nx: y\r\n", true)->outcome() == "ProxyError");
    for (const int status : {407, 401}) {
        const auto refused = play("HTTP/1.1 " + std::to_string(status) + " Auth\r\n\r\n", false);
        const auto error = caught<ProxyError>([&] { std::rethrow_exception(refused->error); });
        CHECK(error.status == status);
        CHECK(error.permanent);
        CHECK(std::string(error.what()).find("user and password") != std::string::npos);
        CHECK(std::string(error.what()).find("p%40ss") == std::string::npos);
    }
    CHECK_FALSE(
        caught<ProxyError>([&] { std::rethrow_exception(play("HTTP/1.1 503 x\r\n\r\n", false)->error); }).permanent);
}

TEST_CASE("the bytes of SOCKS5") {
    using namespace std::string_literals;
    Loop loop;
    struct Case {
        const char* name;
        std::string proxy, address;
        std::string answers, written, result;
    };
    const std::string ipv4_reply = "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"s;
    const Case cases[] = {
        {"a name", "socks5h://p:1", "hub.test", "\x05\x00"s + ipv4_reply,
         "\x05\x01\x00"s + "\x05\x01\x00\x03\x08hub.test\x01\xbb"s, "ok"},
        {"an IPv4 address", "socks5://p:1", "1.2.3.4", "\x05\x00"s + "\x05\x00\x00\x03\x02xy\x12\x34"s,
         "\x05\x01\x00"s + "\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb"s, "ok"},
        {"an IPv6 address", "socks5://p:1", "::1", "\x05\x00"s + "\x05\x00\x00\x04"s + std::string(18, '\0'),
         "\x05\x01\x00"s + "\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x01\xbb"s, "ok"},
        {"a login", "socks5h://us%20er:pw@p:1", "h", "\x05\x02\x01\x00"s + ipv4_reply,
         "\x05\x02\x00\x02"s + "\x01\x05us er\x02pw"s + "\x05\x01\x00\x03\x01h\x01\xbb"s, "ok"},
        {"a login that is refused", "socks5h://u:pw@p:1", "h", "\x05\x02\x01\x01"s,
         "\x05\x02\x00\x02"s + "\x01\x01u\x02pw"s, "ProxyError"},
        {"no method fits", "socks5h://p:1", "h", "\x05\xff"s, "\x05\x01\x00"s, "ProxyError"},
        {"a login is demanded but not known", "socks5h://p:1", "h", "\x05\x02"s, "\x05\x01\x00"s, "ProxyError"},
        {"no SOCKS5", "socks5h://p:1", "h", "HT"s, "\x05\x01\x00"s, "ProxyError"},
        {"refused", "socks5h://p:1", "h", "\x05\x00\x05\x05\x00\x01"s,
         "\x05\x01\x00"s + "\x05\x01\x00\x03\x01h\x01\xbb"s, "ProxyError"},
        {"closed", "socks5h://p:1", "h", "\x05"s, "\x05\x01\x00"s, "ProxyError"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        auto script = std::make_shared<Script>(loop.io.get_executor());
        auto stream = script->stream();
        const Limit limit = limit_from_now(TimeoutPhase::connect, 2s, Clock::time_point::max());
        const Url proxy = Url::parse(one.proxy);
        const auto task = loop.start(connect_through_socks5(*loop.waits, *stream, proxy, one.address, 443, limit));
        for (const char c : one.answers) script->send(std::string(1, c));
        script->send("T");
        if (one.result != "ok") script->end();
        CHECK(loop.until([&] { return task->done; }));
        CHECK(task->outcome() == one.result);
        CHECK(script->written == one.written);
        std::array<std::byte, 100> rest;
        if (one.result == "ok") CHECK(stream->try_read(rest).bytes == 1);
    }
}

TEST_CASE("socks5: all addresses of a name are tried; what the proxy says of each is told") {
    using namespace std::string_literals;
    struct Case {
        const char* name;
        std::string first;  // the answer for the first address, none for silence
        std::string last;
        std::string result;
        int connections;
    };
    const std::string reached = "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"s, unreachable = "\x05\x04\x00\x01"s;
    const Case cases[] = {
        {"the first is reached", reached, "", "hello", 1},
        {"the first cannot be reached", unreachable, reached, "hello", 2},
        {"the first is silent", "", reached, "hello", 2},
        {"none can be reached", unreachable, "\x05\x05\x00\x01"s,
         "proxy 127.0.0.1 cannot reach two.test:80 (2001:db8::1: host unreachable, 192.0.2.1: connection refused)", 2},
        {"none answers", "", "",
         "no connection could be made within 400 ms to two.test:80 by the proxy 127.0.0.1 "
         "(2001:db8::1: no answer, 192.0.2.1: no answer)",
         2},
    };
    const auto resolver = [](const std::string&, std::uint16_t port) {
        Lookup found;
        for (const char* one : {"2001:db8::1", "192.0.2.1"}) {
            found.endpoints.emplace_back(asio::ip::make_address(one), port);
        }
        return found;
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        Server proxy([&](Peer& peer) {
            peer.read_exactly(3);
            peer.write("\x05\x00"s);
            const bool first = peer.read_exactly(4).back() == '\x04';
            peer.read_exactly(first ? 18 : 6);
            peer.write(first ? one.first : one.last);
            if ((first ? one.first : one.last) == reached) peer.write("hello");
            peer.wait_for_end();
        });
        ConnectFixture f({}, resolver);
        std::string text;
        try {
            const auto stream =
                f.connect("http://two.test/", "socks5://127.0.0.1:" + std::to_string(proxy.port()), true, 400ms);
            text = f.read(*stream);
        } catch (const TransportError& error) {
            text = error.what();
        }
        const std::string port = ":" + std::to_string(proxy.port());
        if (const auto at = text.find(port); at != std::string::npos) text.erase(at, port.size());
        CHECK(text == one.result);
        CHECK(proxy.accepted() == one.connections);
        if (one.connections == 1 || one.result != "hello") continue;
        const auto again = f.connect("http://two.test/", "socks5://127.0.0.1:" + std::to_string(proxy.port()));
        CHECK(proxy.accepted() == 3);  // who was reached is asked for first the next time
    }
}

TEST_CASE("TLS through a proxy's tunnel checks the target's name, and that of a proxy with TLS too") {
    TrustFile trust;
    CertificateSpec other = good_spec();
    other.dns_names = {"other.test"};
    other.addresses = {};
    Server target(hello(), context_of(good_spec())), impostor(hello(), context_of(other));
    for (const bool secure : {false, true}) {
        CAPTURE(secure);
        const auto tls = [&](const CertificateSpec& spec) { return secure ? context_of(spec, 0, {}) : nullptr; };
        TunnelProxy good(target.port(), tls(good_spec())), misled(impostor.port(), tls(good_spec()));
        const auto url = [&](const TunnelProxy& proxy) {
            return (secure ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(proxy.server.port());
        };
        ConnectFixture f(trust.settings());
        {
            auto stream = f.connect(local(target), url(good));
            CHECK(stream->alpn() == "h2");
            CHECK(f.read(*stream) == "hello");
        }
        CHECK(good.asked == std::vector<std::string>{"CONNECT localhost:" + std::to_string(target.port())});
        const auto error = caught<ConnectError>([&] { f.connect(local(target), url(misled)); });
        CHECK(error.permanent);
        CHECK(std::string(error.what()).find("hostname mismatch") != std::string::npos);
        CHECK(std::string(error.what()).find("localhost") != std::string::npos);
        if (!secure) continue;
        TunnelProxy wrong(target.port(), context_of(other, 0, {}));
        CHECK(caught<ConnectError>([&] { f.connect(local(target), url(wrong)); }).permanent);
        CHECK(wrong.asked.empty());
    }
}

TEST_CASE("a proxy that refuses the tunnel ends the connect before the target hears of it") {
    Server target(hello());
    Server proxy([&](Peer& peer) {
        if (peer.read_request()) peer.write("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    });
    ConnectFixture f;
    const auto error =
        caught<ProxyError>([&] { f.connect(local(target), "http://127.0.0.1:" + std::to_string(proxy.port()) + "/"); });
    CHECK(error.status == 407);
    CHECK(target.accepted() == 0);
}
