// What a session does while nothing is to be done, whatever its peers do: nothing. And what it notices meanwhile.

#include "http/session.hpp"
#include "support/certificates.hpp"
#include "support/h2_peer.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Peer;
using test::Server;

namespace {

constexpr std::size_t large = 4 << 20;  // more than the buffers on the way hold

// What the thread that runs the executor has done so far: how often it went to sleep, and its time on a processor.
struct Effort {
    long sleeps = 0;
    std::chrono::microseconds busy{0};
};

awaitable<Effort> effort() {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    const auto length = [](const timeval& time) {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    co_return Effort{used.ru_nvcsw, length(used.ru_utime) + length(used.ru_stime)};
}

SessionOptions options_of(HttpVersion version) {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    options.http_version = version;
    options.verify_tls = false;
    options.max_attempts = 1;
    return options;
}

// A request whose answer, if one comes, is kept unread.
struct Held {
    Session session;
    std::atomic<bool> answered = false, ended = false;
    std::string outcome;
    Response response;
    asio::cancellation_signal cancel;

    explicit Held(HttpVersion version) : session(options_of(version)) {}
    ~Held() {
        Blocking::run(session, drop());
        session.close();
        while (!ended) std::this_thread::sleep_for(1ms);
    }
    awaitable<void> drop() {
        if (!ended) cancel.emit(asio::cancellation_type::terminal);
        response.body.reset();
        co_return;
    }
    awaitable<void> ask(Request request) {
        response = co_await session.state()->pipeline().send(std::move(request));
        answered = true;
    }
    void start(const std::string& url, std::size_t upload = 0) {
        Request request;
        request.url = Url::parse(url);
        // None may pass meanwhile, also on a slow machine.
        request.timeouts.headers = request.timeouts.idle = request.timeouts.write = 60s;
        if (upload > 0) {
            request.method = Method::put;
            request.body = std::string(upload, 'u');
        }
        const auto state = session.state();
        state->post([this, state, request = std::move(request)]() mutable {
            state->spawn(ask(std::move(request)), cancel.slot(), [this](std::exception_ptr error) {
                outcome = test::outcome_of(error);
                ended = true;
            });
        });
    }
};

void play_http2(Peer& peer) {
    test::H2Peer h2;
    h2.on_request = [&](test::H2Peer::Exchange& one) {
        if (one.field(":path") == "/answer") h2.respond(one.id, 200, {}, "hello");
        if (one.field(":path") == "/large") h2.respond(one.id, 200, {}, std::string(32 << 20, 'b'));
        if (one.field(":path") == "/half") peer.end_sending();
    };
    test::serve_h2(peer, h2);
}

void play_http1(Peer& peer) {
    while (const auto request = peer.read_request()) {
        if (request->target == "/answer") peer.write(test::ok_answer("hello"));
        if (request->target == "/answer-and-end") {
            peer.write(test::ok_answer("hello"));
            peer.end_sending();
            peer.wait_for_end(20s);
        }
        if (request->target == "/large") peer.write(test::ok_answer(std::string(32 << 20, 'b')));
        if (request->target == "/head") peer.write("HTTP/1.1 200 OK\r\ncontent-len");
        if (request->target == "/half") peer.end_sending();
        if (request->target == "/reset") peer.reset();
        if (request->target == "/part") peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        if (request->target == "/never") peer.wait_for_end(20s);
    }
}

}  // namespace

TEST_CASE("a session that waits uses no processor, whatever its peers leave behind") {
    const Server plain(play_http1), http2(play_http2), deaf([](Peer& peer) { peer.wait_for_end(20s); });
    const test::Authority authority;
    test::CertificateSpec spec;
    spec.addresses = {"127.0.0.1"};
    const auto context = [&](const char* protocol) {
        return test::tls_server_context({authority.issue(spec), {protocol}, 0});
    };
    const Server tls(play_http1, context("http/1.1")), tls_http2(play_http2, context("h2"));
    const auto none = HttpVersion::http1, prior = HttpVersion::http2_prior_knowledge, any = HttpVersion::negotiate;
    struct Case {
        const char* name;
        HttpVersion version;
        std::string url;
        std::size_t upload;
        bool ends;
    };
    const auto over_tls = [](const Server& server, const char* target) {
        return "https://127.0.0.1:" + std::to_string(server.port()) + target;
    };
    const Case cases[] = {
        {"HTTP/1.1, kept", none, plain.url("/answer"), 0, true},
        {"HTTP/1.1, kept, but the peer has ended its side", none, plain.url("/answer-and-end"), 0, true},
        {"HTTP/1.1, TLS, kept, but the peer has ended its side", any, over_tls(tls, "/answer-and-end"), 0, true},
        {"HTTP/1.1, no answer", none, plain.url("/never"), 0, false},
        {"HTTP/1.1, half a head", none, plain.url("/head"), 0, false},
        {"HTTP/1.1, half a body", none, plain.url("/part"), 0, true},
        {"HTTP/1.1, a body that nobody reads", none, plain.url("/large"), 0, true},
        {"HTTP/1.1, TLS, a body that nobody reads", any, over_tls(tls, "/large"), 0, true},
        {"HTTP/1.1, an upload that the peer does not read", none, deaf.url("/"), large, false},
        {"HTTP/2, kept", prior, http2.url("/answer"), 0, true},
        {"HTTP/2, TLS, kept", any, over_tls(tls_http2, "/answer"), 0, true},
        {"HTTP/2, no answer", prior, http2.url("/never"), 0, false},
        {"HTTP/2, the peer has ended its side", prior, http2.url("/half"), 0, true},
        {"HTTP/2, a body that nobody reads", prior, http2.url("/large"), 0, true},
        {"HTTP/2, TLS, a body that nobody reads", any, over_tls(tls_http2, "/large"), 0, true},
        {"HTTP/2, an upload that the peer does not read", prior, deaf.url("/"), large, false},
    };
    std::list<Held> all;
    std::vector<Effort> before;
    for (const Case& one : cases) {
        Held& held = all.emplace_back(one.version);
        held.start(one.url, one.upload);
    }
    const auto settled = [&] {
        std::size_t index = 0;
        return std::all_of(all.begin(), all.end(), [&](const Held& held) { return held.ended == cases[index++].ends; });
    };
    for (int i = 0; i < 5000 && !settled(); ++i) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(300ms);  // buffers on the way fill up
    for (Held& held : all) before.push_back(Blocking::run(held.session, effort()));
    std::this_thread::sleep_for(1s);
    std::size_t index = 0;
    for (Held& held : all) {
        CAPTURE(cases[index].name);
        const Effort now = Blocking::run(held.session, effort());
        CHECK(held.ended == cases[index].ends);
        CHECK(now.sleeps - before[index].sleeps <= 10);
        CHECK(now.busy - before[index].busy < 20ms);
        ++index;
    }
}

TEST_CASE("an end or a reset of the peer is noticed at once, not when a limit passes") {
    const Server plain(play_http1), http2(play_http2);
    for (const auto& [version, url] : {std::pair{HttpVersion::http1, plain.url("/half")},
                                       {HttpVersion::http1, plain.url("/reset")},
                                       {HttpVersion::http2_prior_knowledge, http2.url("/half")}}) {
        CAPTURE(url);
        Held held(version);
        const auto begin = Clock::now();
        held.start(url);
        while (!held.ended && Clock::now() - begin < 5s) std::this_thread::sleep_for(1ms);
        CHECK(Clock::now() - begin < 1s);
        CHECK(held.outcome == "ConnectionLostError");
    }
}
