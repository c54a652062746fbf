#pragma once

#include "http/connect.hpp"
#include "support/certificates.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"
#include "support/silent_address.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include <array>
#include <fstream>

// What the tests of connecting, of TLS and of proxies share.
namespace hfhub::test {

using namespace std::chrono_literals;

inline const Authority& authority() {
    static const Authority made;
    return made;
}

// A file with the authority's certificate.
struct TrustFile {
    TempDir dir;
    std::string path = (dir.path() / "ca.pem").string();
    explicit TrustFile(const std::string& pem = authority().pem()) { std::ofstream(path) << pem; }
    http::TrustSettings settings() const { return {path, "", "SSL_CERT_FILE", true}; }
};

inline SslContext context_of(CertificateSpec spec, int max_version = 0,
                             std::vector<std::string> alpn = {"h2", "http/1.1"}) {
    return tls_server_context({authority().issue(spec), std::move(alpn), max_version});
}

inline CertificateSpec good_spec() {
    CertificateSpec spec;
    spec.dns_names = {"localhost"};
    spec.addresses = {"127.0.0.1"};
    return spec;
}

struct ConnectFixture {
    Loop loop;
    http::Workers workers{*loop.waits, 1};
    http::TlsContext tls;
    http::Connector connector;
    http::ConnectTimes times;  // of the last connect

    explicit ConnectFixture(http::TrustSettings trust = {}, http::Resolver resolver = http::look_up)
        : tls(std::move(trust)), connector(*loop.waits, workers, tls, std::move(resolver)) {}

    http::Limit limit(std::chrono::milliseconds length = 5s) {
        return http::limit_from_now(TimeoutPhase::connect, length, http::Clock::time_point::max());
    }
    std::unique_ptr<http::Stream> connect(const std::string& url, const std::string& proxy = {},
                                          bool offer_http2 = true, std::chrono::milliseconds length = 5s) {
        http::Route route;
        route.target = Url::parse(url);
        if (!proxy.empty()) route.proxy = Url::parse(proxy);
        route.offer_http2 = offer_http2;
        times = {};
        auto work = connector.connect(std::move(route), limit(length), times);
        return loop.run(std::move(work));
    }
    std::string read(http::Stream& stream) {
        std::array<std::byte, 1000> buffer;
        http::IoResult result;
        loop.until([&] {
            result = stream.try_read(buffer);
            return result.bytes > 0 || result.state == http::IoState::eof;
        });
        return std::string(reinterpret_cast<const char*>(buffer.data()), result.bytes);
    }
};

inline std::string local(const Server& server, std::string_view scheme = "https", std::string_view host = "localhost") {
    return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(server.port()) + "/";
}

inline Server::Handler hello() {
    return [](Peer& peer) {
        peer.write("hello");
        peer.wait_for_end();
    };
}

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

}  // namespace hfhub::test
