#pragma once

#include "support/h2_peer.hpp"
#include "support/server.hpp"

#include <atomic>
#include <string>

namespace hfhub::test {

/// Answers with the target; /big with a large body, of which the second half is sent when the test lets it go.
class PacedServer {
  public:
    explicit PacedServer(SslContext tls = nullptr)
        : server_([this](Peer& peer) { peer.alpn() == "h2" ? play_http2(peer) : play_http1(peer); }, std::move(tls)) {}

    std::string url(std::string_view target) const { return server_.url(target); }
    int accepted() const noexcept { return server_.accepted(); }
    void wait_for_half() const {
        while (halves_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    void let_go() { go_ = true; }
    /// Whether anything came, or the connection ended, while the second half was held back.
    bool disturbed() const noexcept { return disturbed_; }

    static constexpr std::size_t half = 200'000;
    static std::string big() { return std::string(half, 'a') + std::string(half, 'b'); }

  private:
    void play_http1(Peer& peer) {
        while (const auto request = peer.read_request()) {
            if (request->target != "/big") {
                peer.write(ok_answer(request->target));
                continue;
            }
            const std::string answer = ok_answer(big());
            peer.write(std::string_view(answer).substr(0, answer.size() - half));
            ++halves_;
            while (!go_ && !server_.stopping() && !disturbed_) {
                const std::string news = peer.read_some(std::chrono::milliseconds(2));
                if (!news.empty() || peer.ended()) disturbed_ = true;
            }
            peer.write(std::string_view(answer).substr(answer.size() - half));
        }
    }

    void play_http2(Peer& peer) {
        H2Peer h2;
        std::int32_t held = 0;
        h2.on_request = [&](H2Peer::Exchange& one) {
            if (one.field(":path") != "/big") return h2.respond(one.id, 200, {}, one.field(":path"));
            h2.respond(one.id, 200, {}, std::string(half, 'a'), false);
            held = one.id;
            ++halves_;
        };
        serve_h2(peer, h2, [&] {
            if (held != 0 && !go_ && (h2.goaway || h2.exchanges[held].reset)) disturbed_ = true;
            if (held != 0 && go_) h2.data(std::exchange(held, 0), std::string(half, 'b'), true);
            return true;
        });
        if (held != 0 && !go_) disturbed_ = true;
    }

    std::atomic<int> halves_ = 0;
    std::atomic<bool> go_ = false, disturbed_ = false;
    Server server_;
};

}  // namespace hfhub::test
