#include "http/tls.hpp"

#include "http/system_store.hpp"
#include "support/connecting.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Authority;
using test::authority;
using test::caught;
using test::CertificateSpec;
using test::ConnectFixture;
using test::context_of;
using test::good_spec;
using test::hello;
using test::local;
using test::Peer;
using test::Server;
using test::TrustFile;

TEST_CASE("TLS: a trusted certificate with the right name or address is accepted, ALPN is agreed") {
    TrustFile trust;
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f(trust.settings());
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
        ConnectFixture f(trust.settings());
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
    ConnectFixture f(trust.settings());
    CHECK(caught<ConnectError>([&] { f.connect(local(server, "https", "127.0.0.1")); }).permanent);
}

TEST_CASE("TLS: an unknown authority is named, with what to set; without verification it is accepted") {
    const Authority other("another authority");
    TrustFile trust(other.pem());
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f(trust.settings());
    const std::string text = caught<ConnectError>([&] { f.connect(local(server)); }).what();
    CHECK(text.find("hfhub test authority") != std::string::npos);
    CHECK(text.find("SSL_CERT_FILE") != std::string::npos);
    TrustSettings careless;
    careless.verify = false;
    ConnectFixture g(careless);
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
    ConnectFixture f(trust.settings());
    const auto error = caught<ConnectError>([&] { f.connect(local(server)); });
    CHECK(error.permanent);
}

TEST_CASE("a trust store that cannot be read is an error that names it and its setting") {
    Server server(hello(), context_of(good_spec()));
    for (const bool folder : {false, true}) {
        TrustSettings trust;
        (folder ? trust.ca_dir : trust.ca_file) = "/no/such/place";
        trust.source = "SSL_CERT_FILE";
        ConnectFixture f(trust);
        const auto error = caught<ConnectError>([&] { f.connect(local(server)); });
        CHECK(std::string(error.what()).find("/no/such/place") != std::string::npos);
        CHECK(std::string(error.what()).find("SSL_CERT_FILE") != std::string::npos);
        CHECK(error.permanent);
    }
}

TEST_CASE("TLS sessions are resumed") {
    TrustFile trust;
    Server server(hello(), context_of(good_spec()));
    ConnectFixture f(trust.settings());
    {
        auto stream = f.connect(local(server));
        CHECK_FALSE(dynamic_cast<TlsStream&>(*stream).tls().resumed);
        CHECK(f.read(*stream) == "hello");
    }
    auto stream = f.connect(local(server));
    CHECK(dynamic_cast<TlsStream&>(*stream).tls().resumed);
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
        ConnectFixture f(trust.settings());
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
    ConnectFixture f(trust.settings());
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
