// Downloads whose connections are cut at any byte of what the server sends, handshakes and framing included.

#include "../core/temporary_folder.hpp"
#include "core/digest.hpp"
#include "file_server.hpp"
#include "hub/transfer.hpp"
#include "support/fault_proxy.hpp"
#include "support/h2_peer.hpp"
#include "support/server.hpp"

#include <hfhub/mode.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>

using namespace hfhub;
using namespace hfhub::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t chunk = 5'000, buffer = 64 * 1024;

enum class Framing { length, chunked, http2 };
struct Kind {
    const char* name;
    Framing framing;
    bool tls;
};
constexpr Kind kinds[] = {{"HTTP/1.1 by length", Framing::length, false},
                          {"HTTP/1.1 in chunks", Framing::chunked, false},
                          {"HTTP/2", Framing::http2, false},
                          {"HTTP/1.1 by length, TLS", Framing::length, true},
                          {"HTTP/2, TLS", Framing::http2, true}};

bool is_long() {
    const char* text = std::getenv("HFHUB_LONG");
    return text != nullptr && std::string_view(text) == "1";
}

std::string in_chunks(std::string_view body) {
    std::string out;
    for (std::size_t at = 0; at < body.size(); at += chunk) {
        const std::string_view part = body.substr(at, chunk);
        char head[16];
        std::snprintf(head, sizeof head, "%zx\r\n", part.size());
        out.append(head).append(part).append("\r\n");
    }
    return out + "0\r\n\r\n";
}

/// Where "bytes=N-" begins.
std::size_t first_of(std::string_view range) { return range.empty() ? 0 : std::stoul(std::string(range.substr(6))); }

std::string content_range(std::size_t first, std::size_t size) {
    return "bytes " + std::to_string(first) + "-" + std::to_string(size - 1) + "/" + std::to_string(size);
}

void serve_http1(Peer& peer, const std::string& content, bool chunked) {
    while (const auto request = peer.read_request()) {
        const std::size_t first = first_of(request->header("range"));
        const std::string_view body = std::string_view(content).substr(first);
        std::string head = first == 0 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 206 Partial Content\r\n";
        if (first > 0) head += "content-range: " + content_range(first, content.size()) + "\r\n";
        head += chunked ? "transfer-encoding: chunked\r\n" : "content-length: " + std::to_string(body.size()) + "\r\n";
        if (!peer.write(head + "etag: \"v\"\r\n\r\n") || !peer.write(chunked ? in_chunks(body) : std::string(body)))
            return;
    }
}

void serve_http2(Peer& peer, const std::string& content) {
    H2Peer h2;
    h2.on_request = [&](H2Peer::Exchange& request) {
        const std::size_t first = first_of(request.field("range"));
        H2Peer::Fields fields = {{"etag", "\"v\""}};
        if (first > 0) fields.emplace_back("content-range", content_range(first, content.size()));
        h2.respond(request.id, first == 0 ? 200 : 206, fields, std::string_view(content).substr(first));
    };
    serve_h2(peer, h2);
}

SslContext server_context(Framing framing) {
    static const Certificate certificate = [] {
        CertificateSpec spec;
        spec.addresses = {"127.0.0.1"};
        return Authority().issue(spec);
    }();
    return tls_server_context({certificate, {framing == Framing::http2 ? "h2" : "http/1.1"}});
}

/// A server of one content, and downloads of it through a proxy that cuts.
class CutDownloads {
  public:
    using Cuts = std::function<std::optional<std::size_t>(int connection)>;

    CutDownloads(Kind kind, std::string content)
        : kind_(kind),
          content_(std::move(content)),
          etag_(sha256_hex(content_)),
          server_(
              [this](Peer& peer) {
                  kind_.framing == Framing::http2 ? serve_http2(peer, content_)
                                                  : serve_http1(peer, content_, kind_.framing == Framing::chunked);
              },
              kind.tls ? server_context(kind.framing) : nullptr) {}

    /// Fetches the whole with cuts after so many bytes of each connection.
    void fetch(Cuts cuts, ProxyFaults::End end) {
        sent_.clear();
        ProxyFaults faults;
        faults.end = end;
        faults.cut_of = std::move(cuts);
        faults.passed = [this](int connection, std::string_view bytes) {
            const std::lock_guard lock(mutex_);
            sent_[connection] += bytes;
        };
        const FaultProxy proxy(server_.port(), std::move(faults));
        const Session session(options());
        const TemporaryFolder folder;
        auto part = std::make_shared<hub::PartFile>(folder.path(), etag_, hub::PartContent{etag_, content_.size()});
        hub::TransferRequest request;
        request.source.url =
            (kind_.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(proxy.port()) + "/f";
        request.source.on_hub = false;
        request.name = "f";
        hub::Client::Settings settings;
        settings.endpoint = request.source.url.substr(0, request.source.url.rfind('/'));
        const hub::Client client(session.state(), std::move(settings));
        Blocking::run<void>(session, hub::fetch(client, std::move(request), part));
        CHECK(read_file(part->path(), content_.size()) == content_);
        part->discard();
    }

    /// Of the server's, in the last fetch: all that went through the proxy, and the first connection.
    std::size_t sent() {
        const std::lock_guard lock(mutex_);
        std::size_t all = 0;
        for (const auto& [connection, bytes] : sent_) all += bytes.size();
        return all;
    }
    std::string first_connection() {
        const std::lock_guard lock(mutex_);
        return sent_[0];
    }
    std::size_t size() const { return content_.size(); }

  private:
    SessionOptions options() const {
        SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
        const bool http2 = kind_.framing == Framing::http2;
        if (!kind_.tls) options.http_version = http2 ? HttpVersion::http2_prior_knowledge : HttpVersion::http1;
        options.verify_tls = false;
        options.backoff_base = 0ms;
        options.backoff_cap = 1ms;
        return options;
    }

    Kind kind_;
    std::string content_, etag_;
    Server server_;
    std::mutex mutex_;
    std::map<int, std::string> sent_;
};

std::size_t number_at(std::string_view bytes, std::size_t at, std::size_t digits) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

/// Where heads, chunks, frames or TLS records end.
std::vector<std::size_t> edges_of(std::string_view bytes, Kind kind) {
    std::vector<std::size_t> edges;
    std::size_t at = 0;
    if (kind.tls) {
        for (; at + 5 <= bytes.size(); edges.push_back(at)) at += 5 + number_at(bytes, at + 3, 2);
    } else if (kind.framing == Framing::http2) {
        for (; at + 9 <= bytes.size(); edges.push_back(at)) at += 9 + number_at(bytes, at, 3);
    } else {
        edges.push_back(at = bytes.find("\r\n\r\n") + 4);
        while (kind.framing == Framing::chunked && at < bytes.size()) {
            const std::size_t size = std::stoul(std::string(bytes.substr(at, 8)), nullptr, 16);
            edges.push_back(at = bytes.find("\r\n", at) + 2 + size + 2);
        }
        edges.push_back(bytes.size());
    }
    return edges;
}

}  // namespace

TEST_CASE("downloads that are cut at random places, again and again, are whole, and little is sent twice") {
    const std::size_t size = is_long() ? std::size_t{64} << 20 : std::size_t{1} << 20;
    const int rounds = is_long() ? 10 : 2, cuts = 20;
    const unsigned seed = is_long() ? std::random_device()() : 12;
    CAPTURE(seed);
    std::minstd_rand dice(seed);
    int made = 0;
    std::size_t most = 0;
    for (const Kind kind : kinds) {
        CAPTURE(std::string(kind.name));
        CutDownloads downloads(kind, test_bytes(size));
        downloads.fetch([](int) { return std::nullopt; }, ProxyFaults::End::fin);
        const std::size_t framing = downloads.sent();
        std::uniform_int_distribution<std::size_t> place(0, 2 * size / cuts);
        for (int round = 0; round < rounds; ++round) {
            CAPTURE(round);
            std::vector<std::size_t> places(cuts);
            std::generate(places.begin(), places.end(), [&] { return place(dice); });
            int cut = 0;
            const auto next = [&](int connection) {
                const auto index = static_cast<std::size_t>(connection);
                if (index >= places.size()) return std::optional<std::size_t>();
                cut = connection + 1;
                return std::optional(places[index]);
            };
            downloads.fetch(next, round % 2 == 0 ? ProxyFaults::End::fin : ProxyFaults::End::rst);
            const std::size_t again = downloads.sent() - std::min(framing, downloads.sent());
            CHECK(again <= static_cast<std::size_t>(cut) * buffer);
            most = std::max(most, again / static_cast<std::size_t>(cut));
            made += cut;
        }
    }
    MESSAGE(made << " cuts, seed " << seed << ": at most " << most << " bytes more for each on an average");
    CHECK(made >= (is_long() ? 900 : 100));
}

TEST_CASE("downloads that are cut at each byte around the edges of heads, chunks, frames and records are whole") {
    const std::size_t reach = is_long() ? 40 : 10;
    for (const Kind kind : kinds) {
        CAPTURE(std::string(kind.name));
        CutDownloads downloads(kind, test_bytes(40'000));
        downloads.fetch([](int) { return std::nullopt; }, ProxyFaults::End::fin);
        const std::string whole = downloads.first_connection();
        const std::vector<std::size_t> edges = edges_of(whole, kind);
        REQUIRE(edges.size() >= 2);
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < edges.size(); ++i) {
            // Of many alike, those in the middle say nothing new.
            if (!is_long() && i >= 2 && i + 3 < edges.size()) continue;
            for (std::size_t at = edges[i] - std::min(edges[i], reach); at <= edges[i] + reach; ++at)
                places.push_back(at);
        }
        std::sort(places.begin(), places.end());
        places.erase(std::unique(places.begin(), places.end()), places.end());
        for (const std::size_t at : places) {
            CAPTURE(at);
            const auto cut = [at](int connection) {
                return connection == 0 ? std::optional(at) : std::optional<std::size_t>();
            };
            downloads.fetch(cut, at % 2 == 0 ? ProxyFaults::End::fin : ProxyFaults::End::rst);
            CHECK(downloads.sent() <= whole.size() + buffer);
        }
    }
}
