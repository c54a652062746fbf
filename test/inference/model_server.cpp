#include "model_server.hpp"

#include "support/h2_peer.hpp"

#include <cstdio>
#include <utility>

namespace hfhub::test {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint32_t internal_error = 2, cancel = 8;  // RFC 9113 7

std::string chunk(std::string_view bytes) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + std::string(bytes) + "\r\n";
}

/// One answer that is given over HTTP/2.
struct Playing {
    std::int32_t id;
    Script script;
    Clock::time_point due;
    bool headers_sent = false, over = false, reset = false;
    std::size_t next = 0;

    /// Whether the client has left it while it had not ended.
    bool abandoned() const { return !reset && (!over || script.end == Script::End::never); }

    void play(H2Peer& peer) {
        while (!over && Clock::now() >= due) {
            if (!headers_sent) {
                peer.respond(id, 200, {{"content-type", script.content_type}}, {}, false);
                headers_sent = true;
            } else if (next < script.steps.size()) {
                peer.data(id, script.steps[next++].bytes, false);
            } else {
                finish(peer);
                return;
            }
            due = Clock::now() + (next < script.steps.size() ? script.steps[next].pause : milliseconds(0));
        }
    }
    void finish(H2Peer& peer) {
        if (script.end == Script::End::cut && !peer.exchanges[id].outgoing.empty()) return;  // a reset overtakes data
        over = script.end != Script::End::endless;
        if (script.end == Script::End::whole) peer.data(id, {}, true);
        if (script.end == Script::End::cut) peer.reset(id, internal_error);
        const bool hungry = peer.exchanges[id].outgoing.size() < (1 << 20);
        if (script.end == Script::End::endless && hungry) {
            std::string bytes;
            while (bytes.size() < (1 << 20)) bytes += script.steps.back().bytes;
            peer.data(id, bytes, false);
        }
    }
};

}  // namespace

std::string event(std::string_view text, bool finish) {
    return R"(data: {"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"("},"finish_reason":)" +
           (finish ? "\"stop\"" : "null") + "}]}\n\n";
}

Script letters(int count) {
    Script script;
    for (int i = 0; i < count; ++i) {
        script.steps.push_back({event(std::string(1, static_cast<char>('a' + i)), i + 1 == count)});
    }
    script.steps.push_back({done_event});
    return script;
}

ModelServer::ModelServer(bool http2, Scripts scripts)
    : scripts_(std::move(scripts)),
      server_([this, http2](Peer& peer) { http2 ? serve_http2(peer) : serve_http1(peer); }) {}

ModelServer::ModelServer(bool http2, Script script)
    : ModelServer(http2, [script = std::move(script)](int) { return script; }) {}

bool ModelServer::sees(const std::function<bool()>& condition) const {
    const auto end = Clock::now() + std::chrono::seconds(2);
    while (!condition() && Clock::now() < end) std::this_thread::sleep_for(milliseconds(1));
    return condition();
}

void ModelServer::serve_http1(Peer& peer) {
    while (peer.read_request()) {
        const Script script = scripts_(requests_++);
        const bool went_on = play_http1(peer, script);
        if (!went_on && script.end != Script::End::cut) ++cancelled_;
        if (!went_on) return;
    }
}

bool ModelServer::play_http1(Peer& peer, const Script& script) {
    const auto send = [&](const std::string& bytes) {
        if (!peer.write(bytes)) return false;
        sent_ += bytes.size();
        return true;
    };
    const auto pause = [&](milliseconds length) {
        for (const auto end = Clock::now() + length; !peer.ended() && Clock::now() < end;) {
            peer.read_some(std::chrono::ceil<milliseconds>(end - Clock::now()));
        }
        return !peer.ended();
    };
    if (!pause(script.pause_before_headers)) return false;
    if (!send("HTTP/1.1 200 OK\r\ncontent-type: " + script.content_type + "\r\ntransfer-encoding: chunked\r\n\r\n")) {
        return false;
    }
    for (const Script::Step& step : script.steps) {
        if (!pause(step.pause) || !send(chunk(step.bytes))) return false;
    }
    if (script.end == Script::End::whole) return send(chunk({}));
    if (script.end == Script::End::cut) return false;
    while (script.end == Script::End::endless && send(chunk(script.steps.back().bytes))) {
    }
    peer.wait_for_end();
    return false;
}

void ModelServer::serve_http2(Peer& peer) {
    H2Peer h2;
    std::vector<Playing> answers;
    h2.on_request = [&](H2Peer::Exchange& one) {
        Script script = scripts_(requests_++);
        const auto due = Clock::now() + script.pause_before_headers;
        answers.push_back({one.id, std::move(script), due});
    };
    peer.write(h2.take());
    while (!peer.ended()) {
        const std::string bytes = peer.read_some(milliseconds(2));
        if (!bytes.empty()) h2.receive(bytes);
        for (Playing& one : answers) {
            const H2Peer::Exchange& exchange = h2.exchanges[one.id];
            if (exchange.reset && !std::exchange(one.reset, true)) {
                ++(*exchange.reset == cancel ? cancelled_ : reset_otherwise_);
            }
            one.over = one.over || one.reset || exchange.closed;
            one.play(h2);
        }
        const std::string out = h2.take();
        sent_ += out.size();
        if (!out.empty()) peer.write(out);
    }
    for (const Playing& one : answers) cancelled_ += one.abandoned() ? 1 : 0;
}

}  // namespace hfhub::test
