#include "http/connect.hpp"

#include "http/proxy.hpp"
#include "http/socket.hpp"
#include "http/system_store.hpp"
#include "support/loop.hpp"
#include "support/no_descriptors.hpp"
#include "support/script_stream.hpp"
#include "support/server.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <fcntl.h>
#include <netinet/tcp.h>

#include <atomic>
#include <fstream>
#include <list>
#include <mutex>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Authority;
using test::CertificateSpec;
using test::Loop;
using test::Peer;
using test::Script;
using test::Server;
using tcp = asio::ip::tcp;

namespace {

const Authority& authority() {
    static const Authority made;
    return made;
}

// A file with the authority's certificate.
struct TrustFile {
    test::TempDir dir;
    std::string path = (dir.path() / "ca.pem").string();
    explicit TrustFile(const std::string& pem = authority().pem()) { std::ofstream(path) << pem; }
    TrustSettings settings() const { return {path, "", "SSL_CERT_FILE", true}; }
};

test::SslContext context_of(CertificateSpec spec, int max_version = 0,
                            std::vector<std::string> alpn = {"h2", "http/1.1"}) {
    return test::tls_server_context({authority().issue(spec), std::move(alpn), max_version});
}

CertificateSpec good_spec() {
    CertificateSpec spec;
    spec.dns_names = {"localhost"};
    spec.addresses = {"127.0.0.1"};
    return spec;
}

struct Fixture {
    Loop loop;
    Workers workers{*loop.waits, 1};
    TlsContext tls;
    Connector connector;

    explicit Fixture(TrustSettings trust = {}, Resolver resolver = look_up)
        : tls(std::move(trust)), connector(*loop.waits, workers, tls, std::move(resolver)) {}

    Limit limit(std::chrono::milliseconds length = 5s) {
        return limit_from_now(TimeoutPhase::connect, length, Clock::time_point::max());
    }
    std::unique_ptr<Stream> connect(const std::string& url, const std::string& proxy = {}, bool offer_http2 = true,
                                    std::chrono::milliseconds length = 5s) {
        Route route;
        route.target = Url::parse(url);
        if (!proxy.empty()) route.proxy = Url::parse(proxy);
        route.offer_http2 = offer_http2;
        auto work = connector.connect(std::move(route), limit(length));
        return loop.run(std::move(work));
    }
    std::string read(Stream& stream) {
        std::array<std::byte, 1000> buffer;
        IoResult result;
        loop.until([&] {
            result = stream.try_read(buffer);
            return result.bytes > 0 || result.state == IoState::eof;
        });
        return std::string(reinterpret_cast<const char*>(buffer.data()), result.bytes);
    }
};

std::string local(const Server& server, std::string_view scheme = "https", std::string_view host = "localhost") {
    return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(server.port()) + "/";
}

Server::Handler hello() {
    return [](Peer& peer) {
        peer.write("hello");
        peer.wait_for_end();
    };
}

// An address on the loopback that drops what comes to that port: its queue of connections is full.
class SilentAddress {
  public:
    explicit SilentAddress(tcp::endpoint at) : full_(io_) {
        full_.open(tcp::v4());
        full_.bind(at);
        full_.listen(0);
        for (int i = 0; i < 4; ++i) {
            fillers_.emplace_back(io_);
            fillers_.back().async_connect(at, [](boost::system::error_code) {});
        }
        io_.run_for(50ms);
    }

  private:
    asio::io_context io_;
    tcp::acceptor full_;
    std::list<tcp::socket> fillers_;
};

tcp::endpoint endpoint_at(const char* address, std::uint16_t port) { return {asio::ip::make_address(address), port}; }

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
        target.connect(endpoint_at("127.0.0.1", to));
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

template <class E, class F>
E caught(F&& f) {
    try {
        f();
    } catch (const E& error) {
        return error;
    }
    FAIL("nothing of that kind was thrown");
    throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("addresses alternate between the families, beginning with the first") {
    const auto end = [](const char* address) { return tcp::endpoint(asio::ip::make_address(address), 1); };
    const auto text = [](const std::vector<tcp::endpoint>& list) {
        std::string out;
        for (const auto& one : list) out += one.address().to_string() + " ";
        return out;
    };
    CHECK(text(interleave({})).empty());
    CHECK(text(interleave({end("::1"), end("::2"), end("::3"), end("1.0.0.1"), end("1.0.0.2")})) ==
          "::1 1.0.0.1 ::2 1.0.0.2 ::3 ");
    CHECK(text(interleave({end("1.0.0.1"), end("1.0.0.2"), end("::1")})) == "1.0.0.1 ::1 1.0.0.2 ");
}

TEST_CASE("a plain connection is made by address and by name") {
    Server server(hello());
    Fixture f;
    for (const char* host : {"127.0.0.1", "localhost"}) {
        auto stream = f.connect(local(server, "http", host));
        CHECK(f.read(*stream) == "hello");
        CHECK(stream->alpn().empty());
        CHECK(stream->peer() == "127.0.0.1:" + std::to_string(server.port()));
    }
}

TEST_CASE("addresses are tried side by side: a silent one costs its head start, a refusing one nothing") {
    Server server(hello());
    const auto at = [&](const char* address) { return endpoint_at(address, server.port()); };
    const SilentAddress silent(at("127.0.0.2"));
    Fixture f;
    struct Outcome {
        std::string result, address;
        Clock::duration took;
    };
    const auto race = [&](std::vector<tcp::endpoint> endpoints, std::chrono::milliseconds limit) {
        Outcome outcome;
        const auto begin = Clock::now();
        outcome.result = test::outcome([&] {
            auto work = race_to(*f.loop.waits, endpoints, "test", f.limit(limit));
            outcome.address = f.loop.run(std::move(work)).remote_endpoint().address().to_string();
        });
        outcome.took = Clock::now() - begin;
        return outcome;
    };
    const Outcome silent_first = race({at("127.0.0.2"), at("127.0.0.1")}, 5s);
    CHECK(silent_first.address == "127.0.0.1");
    CHECK(silent_first.took >= 200ms);
    CHECK(silent_first.took < 900ms);
    const Outcome refused_first = race({at("127.0.0.3"), at("127.0.0.1")}, 5s);
    CHECK(refused_first.address == "127.0.0.1");
    CHECK(refused_first.took < 200ms);
    CHECK(race({at("127.0.0.3"), at("127.0.0.4")}, 5s).result == "ConnectError");
    CHECK(race({at("127.0.0.3"), at("127.0.0.2")}, 100ms).result == "TimeoutError");
    CHECK(race({}, 100ms).result == "ConnectError");
}

TEST_CASE("a name with two families: who answered is asked first the next time") {
    Server server(hello());
    const SilentAddress silent(endpoint_at("127.0.0.2", server.port()));
    std::atomic<int> asked = 0;
    const auto resolver = [&](const std::string& host, std::uint16_t port) {
        ++asked;
        CHECK(host == "two.test");
        Lookup found;
        for (const char* one : {"127.0.0.2", "127.0.0.1", "::1"}) found.endpoints.push_back(endpoint_at(one, port));
        return found;
    };
    Fixture f({}, resolver);
    const auto took = [&] {
        const auto begin = Clock::now();
        auto stream = f.connect(local(server, "http", "two.test"));
        CHECK(stream->peer() == "127.0.0.1:" + std::to_string(server.port()));
        return Clock::now() - begin;
    };
    const auto first = took();
    CHECK(first >= 200ms);  // the silent one's head start; the IPv6 address refuses at once
    CHECK(first < 900ms);
    CHECK(took() < 200ms);
    CHECK(asked == 2);
}

TEST_CASE("sockets are not inherited by other programs, and notice a peer that vanished") {
    Server server(hello());
    Fixture f;
    auto work = race_to(*f.loop.waits, {endpoint_at("127.0.0.1", server.port())}, "test", f.limit());
    tcp::socket socket = f.loop.run(std::move(work));
    const int fd = socket.native_handle();
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    const SocketStream stream(std::move(socket));
    const auto option = [&](int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        ::getsockopt(fd, level, name, &value, &size);
        return value;
    };
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 75'000);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(IPPROTO_TCP, TCP_KEEPINTVL) == 30);
    CHECK(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(option(IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 256 * 1024);
}

TEST_CASE("without descriptors the error says what to do, and another try may help" *
          doctest::skip(test::needs_descriptors)) {
    Server server(hello());
    Fixture f;
    const test::NoDescriptors none;
    for (const char* host : {"127.0.0.1", "localhost"}) {
        CAPTURE(host);
        const auto error = caught<OutOfDescriptorsError>([&] { f.connect(local(server, "http", host)); });
        CHECK_FALSE(error.permanent);
        CHECK(std::string(error.what()).find(host) != std::string::npos);
        CHECK(std::string(error.what()).find("ulimit -n") != std::string::npos);
    }
}

TEST_CASE("who cannot be reached is named, with the reason") {
    Fixture f;
    const std::string port = std::to_string(test::refused_port());
    const auto refused = caught<ConnectError>([&] { f.connect("http://127.0.0.1:" + port + "/"); });
    CHECK(std::string(refused.what()).find("127.0.0.1:" + port) != std::string::npos);
    CHECK(std::string(refused.what()).find("refused") != std::string::npos);
    CHECK_FALSE(refused.permanent);
    CHECK_FALSE(refused.maybe_processed);
    const auto unknown = caught<ConnectError>([&] { f.connect("http://no-such-host.invalid/"); });
    CHECK(std::string(unknown.what()).find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("the connect limit covers the TLS handshake, and cancelling ends it") {
    Server silent([](Peer& peer) { peer.wait_for_end(); });
    Fixture f;
    const auto begin = Clock::now();
    const auto error = caught<TimeoutError>([&] { f.connect(local(silent), {}, true, 50ms); });
    CHECK(error.phase == TimeoutPhase::connect);
    CHECK(Clock::now() - begin < 2s);
    const auto connect = [&]() -> awaitable<void> {
        Route route;
        route.target = Url::parse(local(silent));
        auto work = f.connector.connect(std::move(route), f.limit());
        const auto stream = co_await std::move(work);
    };
    const auto task = f.loop.start(connect());
    f.loop.pass(20ms);
    task->cancel();
    f.loop.turn();
    CHECK(task->outcome() == "CancelledError");
    CHECK([&] {
        for (int i = 0; i < 200 && silent.open() > 0; ++i) f.loop.pass(10ms);
        return silent.open();
    }() == 0);
}

TEST_CASE("TLS: a trusted certificate with the right name or address is accepted, ALPN is agreed") {
    TrustFile trust;
    Server server(hello(), context_of(good_spec()));
    Fixture f(trust.settings());
    auto stream = f.connect(local(server));
    CHECK(stream->alpn() == "h2");
    CHECK(f.read(*stream) == "hello");
    CHECK(f.connect(local(server, "https", "127.0.0.1"))->alpn() == "h2");
    CHECK(f.connect(local(server), {}, false)->alpn() == "http/1.1");
    Server old(hello(), context_of(good_spec(), 0, {}));
    CHECK(f.connect(local(old))->alpn().empty());
}

TEST_CASE("TLS: what is not to be trusted is refused with host, subject, issuer and advice") {
    struct Case {
        const char* name;
        CertificateSpec spec;
        std::vector<const char*> says;
    };
    CertificateSpec wrong_name = good_spec(), wrong_address = good_spec(), expired = good_spec(), early = good_spec(),
                    self_signed = good_spec(), common_name = good_spec(), wildcard = good_spec();
    wrong_name.dns_names = {"other.test"};
    wrong_name.addresses = {};
    wrong_address.addresses = {"127.0.0.2"};
    expired.valid_from_days = -20;
    expired.valid_to_days = -1;
    early.valid_from_days = 5;
    self_signed.self_signed = true;
    common_name.dns_names = {"other.test"};
    common_name.addresses = {};
    common_name.subject = "localhost";
    wildcard.dns_names = {"*"};
    wildcard.addresses = {};
    const Case cases[] = {
        {"wrong name", wrong_name, {"hostname mismatch", "a name that the certificate holds"}},
        {"expired", expired, {"expired", "clock"}},
        {"not yet valid", early, {"not yet valid", "clock"}},
        {"self-signed", self_signed, {"self", "SSL_CERT_FILE"}},
        {"only the common name fits", common_name, {"hostname mismatch"}},
        {"a bare wildcard", wildcard, {"hostname mismatch"}},
    };
    TrustFile trust;
    for (const Case& one : cases) {
        CAPTURE(one.name);
        Server server(hello(), context_of(one.spec));
        Fixture f(trust.settings());
        const auto error = caught<ConnectError>([&] { f.connect(local(server)); });
        const std::string text = error.what();
        CAPTURE(text);
        CHECK(error.permanent);
        CHECK(text.find("localhost") != std::string::npos);
        CHECK(text.find("CN=" + one.spec.subject) != std::string::npos);
        CHECK(text.find("issuer") != std::string::npos);
        CHECK(text.find(trust.path) != std::string::npos);
        for (const char* word : one.says) CHECK(text.find(word) != std::string::npos);
    }
    Server server(hello(), context_of(wrong_address));
    Fixture f(trust.settings());
    CHECK(caught<ConnectError>([&] { f.connect(local(server, "https", "127.0.0.1")); }).permanent);
}

TEST_CASE("TLS: an unknown authority is named, with what to set; without verification it is accepted") {
    const Authority other("another authority");
    TrustFile trust(other.pem());
    Server server(hello(), context_of(good_spec()));
    Fixture f(trust.settings());
    const std::string text = caught<ConnectError>([&] { f.connect(local(server)); }).what();
    CHECK(text.find("hfhub test authority") != std::string::npos);
    CHECK(text.find("SSL_CERT_FILE") != std::string::npos);
    TrustSettings careless;
    careless.verify = false;
    Fixture g(careless);
    CHECK(g.read(*g.connect(local(server))) == "hello");
}

TEST_CASE("the system's store: a folder that can be looked up, else a bundle") {
    test::TempDir dir;
    const auto make = [&](const std::string& name) {
        std::ofstream(dir.path() / name) << "x";
        return (dir.path() / name).string();
    };
    const std::string bundle = make("ca-certificates.crt"), missing = (dir.path() / "missing.pem").string();
    const std::array files = {missing.c_str(), bundle.c_str()};
    CHECK(system_store("/no/such/place", files) == SystemStore{{}, bundle});
    const std::string folder = dir.path().string();
    CHECK(system_store(folder, files) == SystemStore{{}, bundle});
    for (const char* name :
         {"5ed36f99", "5ed36f99.pem", "5ed36f99.r0", "5ED36F99.0", "5ed36f9.0", "5ed36f990.0", "a.0"})
        make(name);
    CHECK(system_store(folder, files) == SystemStore{{}, bundle});
    make("5ed36f99.12");
    CHECK(system_store(folder, files) == SystemStore{folder, {}});
    CHECK(system_store("/no/such/place", std::span(files).first(1)) == SystemStore{});
}

TEST_CASE("TLS below 1.2 is refused") {
    TrustFile trust;
    Server server(hello(), context_of(good_spec(), TLS1_1_VERSION));
    Fixture f(trust.settings());
    const auto error = caught<ConnectError>([&] { f.connect(local(server)); });
    CHECK(error.permanent);
}

TEST_CASE("a trust store that cannot be read is an error that names it and its setting") {
    Server server(hello(), context_of(good_spec()));
    for (const bool folder : {false, true}) {
        TrustSettings trust;
        (folder ? trust.ca_dir : trust.ca_file) = "/no/such/place";
        trust.source = "SSL_CERT_FILE";
        Fixture f(trust);
        const auto error = caught<ConnectError>([&] { f.connect(local(server)); });
        CHECK(std::string(error.what()).find("/no/such/place") != std::string::npos);
        CHECK(std::string(error.what()).find("SSL_CERT_FILE") != std::string::npos);
        CHECK(error.permanent);
    }
}

TEST_CASE("TLS sessions are resumed") {
    TrustFile trust;
    Server server(hello(), context_of(good_spec()));
    Fixture f(trust.settings());
    {
        auto stream = f.connect(local(server));
        CHECK_FALSE(dynamic_cast<TlsStream&>(*stream).resumed());
        CHECK(f.read(*stream) == "hello");
    }
    auto stream = f.connect(local(server));
    CHECK(dynamic_cast<TlsStream&>(*stream).resumed());
    CHECK(f.read(*stream) == "hello");
}

TEST_CASE("an end without close_notify is a lost connection, one with it is the end") {
    TrustFile trust;
    for (const bool polite : {false, true}) {
        Server server(
            [&](Peer& peer) {
                peer.write("data");
                if (!polite) peer.interrupt();
            },
            context_of(good_spec()));
        Fixture f(trust.settings());
        auto stream = f.connect(local(server));
        CHECK(f.read(*stream) == "data");
        if (polite) CHECK(f.read(*stream).empty());
        if (!polite) CHECK(test::outcome([&] { f.read(*stream); }) == "ConnectionLostError");
    }
}

TEST_CASE("TLS: a large transfer passes whole both ways through small windows of the reader") {
    TrustFile trust;
    const std::string large(3'000'000, 'z');
    Server server(
        [&](Peer& peer) {
            std::string got = peer.read_exactly(large.size());
            peer.write(got);
        },
        context_of(good_spec()));
    Fixture f(trust.settings());
    auto stream = f.connect(local(server));
    std::size_t got = 0;
    const auto transfer = [&]() -> awaitable<void> {
        StreamWait readiness(*f.loop.waits, *stream);
        co_await readiness.write_all(std::as_bytes(std::span(large)), 5s, Clock::time_point::max());
        std::vector<std::byte> buffer(70'000);
        while (got < large.size()) {
            const IoResult result = stream->try_read(buffer);
            got += result.bytes;
            if (result.state == IoState::want_read) co_await readiness.wait(result.state, f.limit());
        }
    };
    f.loop.run(transfer());
    CHECK(got == large.size());
}

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
        Fixture f(trust.settings());
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
    Fixture f;
    const auto error =
        caught<ProxyError>([&] { f.connect(local(target), "http://127.0.0.1:" + std::to_string(proxy.port()) + "/"); });
    CHECK(error.status == 407);
    CHECK(target.accepted() == 0);
}
