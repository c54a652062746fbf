#include "http/pipeline.hpp"

#include "http/pool.hpp"
#include "support/connecting.hpp"
#include "support/mock_transport.hpp"
#include "support/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::answer;
using test::Loop;
using test::Peer;
using test::Server;
using Fixture = test::PipelineFixture;

TEST_CASE("every request gets the client's own fields, and keeps the caller's") {
    Fixture f;
    f.transport.steps = {answer(200), answer(200)};
    f.send();
    const Headers& first = f.transport.sent[0].headers;
    CHECK(first.value("user-agent") == "test/1");
    CHECK(first.value("accept") == "*/*");
    CHECK(first.value("accept-encoding") == "gzip, deflate, br, zstd");
    CHECK(first.value("x-amzn-trace-id").size() == 36);
    f.request.decode = false;
    f.request.headers = {{"User-Agent", "mine"}, {"Accept", "text/plain"}, {"X-Amzn-Trace-Id", "id"}};
    f.send();
    const Headers& second = f.transport.sent[1].headers;
    CHECK(second.size() == 4);
    CHECK(second.value("user-agent") == "mine");
    CHECK(second.value("accept-encoding") == "identity");
    CHECK(second.value("x-amzn-trace-id") == "id");
}

TEST_CASE("redirects are followed, and a token does not go with them to another host nor comes back") {
    Fixture f;
    f.request.headers.add("authorization", "Bearer hf_x");
    f.transport.steps = {answer(302, {{"location", "/other"}}), answer(307, {{"location", "https://cdn.test/file"}}),
                         answer(302, {{"location", "https://hub.test/home"}}), answer(200, {}, "body")};
    Response response = f.send();
    CHECK(response.status == 200);
    CHECK(response.url.str() == "https://hub.test/home");
    REQUIRE(f.transport.sent.size() == 4);
    CHECK(f.transport.sent[1].url == "https://hub.test/other");
    CHECK(f.transport.sent[1].authorization == "Bearer hf_x");
    CHECK(f.transport.sent[2].url == "https://cdn.test/file");
    CHECK(f.transport.sent[2].authorization.empty());
    CHECK(f.transport.sent[3].authorization.empty());
}

TEST_CASE("redirects end: circles, too many, to plain http, or not wanted at all") {
    Fixture f;
    SUBCASE("a circle") {
        f.transport.steps = {answer(302, {{"location", "/a"}}), answer(302, {{"location", "/api"}}), answer(200)};
        CHECK(f.outcome() == "TooManyRedirectsError");
    }
    SUBCASE("too many") {
        f.request.max_redirects = 3;
        for (int i = 0; i < 5; ++i) f.transport.steps.push_back(answer(302, {{"location", "/" + std::to_string(i)}}));
        CHECK(f.outcome() == "TooManyRedirectsError");
        CHECK(f.transport.sent.size() == 4);
    }
    SUBCASE("plain http") {
        f.transport.steps = {answer(302, {{"location", "http://hub.test/api"}})};
        CHECK(f.outcome() == "ProtocolError");
    }
    SUBCASE("not wanted") {
        f.request.max_redirects = 0;
        f.transport.steps = {answer(302, {{"location", "/a"}})};
        CHECK(f.send().status == 302);
    }
}

TEST_CASE("a body that is wanted whole and too large is final") {
    Fixture f;
    f.request.buffered = 4;
    f.transport.steps = {answer(200, {}, "hello"), answer(200, {}, "hell")};
    CHECK(f.outcome() == "ProtocolError");
    CHECK(f.transport.sent.size() == 1);
}

namespace {

// The pipeline over real connections.
struct Connected {
    Loop loop;
    Workers workers{*loop.waits, 1};
    TlsContext tls{TrustSettings{}};
    Connector connector{*loop.waits, workers, tls};
    Pool pool{loop.waits, connector, {}, [this](awaitable<void> work) {
                  asio::co_spawn(loop.io, std::move(work), [](std::exception_ptr) {});
              }};
    PoolTransport transport{pool};
    PipelineOptions options;

    ~Connected() {
        loop.waits->shutdown();
        loop.turn();
        pool.shutdown();
        loop.turn();
    }
    Response get(const std::string& url) {
        Pipeline pipeline(*loop.waits, transport, options);
        Request request;
        request.url = Url::parse(url);
        return loop.run(pipeline.send(std::move(request)));
    }
};

}  // namespace

TEST_CASE("an answer that is not wanted keeps its connection, though its body comes a little later") {
    struct Case {
        const char *name, *head, *body;
        int connections;
    };
    const Case cases[] = {
        {"a redirect", "HTTP/1.1 302 Found\r\nlocation: /home\r\ncontent-length: 10\r\n\r\n", "0123456789", 1},
        {"a chunked one", "HTTP/1.1 302 Found\r\nlocation: /home\r\ntransfer-encoding: chunked\r\n\r\n",
         "3\r\nabc\r\n0\r\n\r\n", 1},
        {"one that is tried again", "HTTP/1.1 503 Busy\r\ncontent-length: 10\r\n\r\n", "0123456789", 1},
        {"a large one", "HTTP/1.1 302 Found\r\nlocation: /home\r\ncontent-length: 1000000\r\n\r\n", "0123456789", 21},
        {"one that closes", "HTTP/1.1 302 Found\r\nlocation: /home\r\nconnection: close\r\ncontent-length: 10\r\n\r\n",
         "0123456789", 21},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        std::atomic<int> asked = 0;
        Server server([&](Peer& peer) {
            while (const auto request = peer.read_request()) {
                if (request->target == "/home" || asked++ % 2 != 0) {
                    if (!peer.write(test::ok_answer("ok"))) return;
                    if (request->target == "/home") asked = 0;
                    continue;
                }
                peer.write(one.head);
                std::this_thread::sleep_for(2ms);
                peer.write(one.body);
            }
        });
        Connected c;
        c.options.retry.base = c.options.retry.cap = 1ms;
        for (int i = 0; i < 20; ++i) {
            Response response = c.get(server.url("/start"));
            CHECK(response.status == 200);
            CHECK(c.loop.run(read_all(response.body.get(), 100)) == "ok");
        }
        CHECK(server.accepted() == one.connections);
    }
}

TEST_CASE("an answer that is not wanted and does not end is not waited for long") {
    Server server([](Peer& peer) {
        while (const auto request = peer.read_request()) {
            if (request->target == "/home") {
                peer.write(test::ok_answer("ok"));
            } else {
                peer.write("HTTP/1.1 302 Found\r\nlocation: /home\r\ntransfer-encoding: chunked\r\n\r\n");
                for (int i = 0; i < 400 && peer.write("1\r\na\r\n"); ++i) std::this_thread::sleep_for(5ms);
            }
        }
    });
    Connected c;
    const auto begin = Clock::now();
    CHECK(c.get(server.url("/start")).status == 200);
    CHECK(Clock::now() - begin < 1s);
    CHECK(server.accepted() == 2);
}

TEST_CASE("offline: nothing is sent") {
    Fixture f;
    f.options.offline = true;
    CHECK(f.outcome() == "OfflineModeIsEnabled");
    CHECK(f.transport.sent.empty());
}

TEST_CASE("hooks see and change requests, and hear of answers") {
    Fixture f;
    f.request.url = Url::parse("https://hub.test/api?token=secret");
    std::string seen_url;
    f.options.hooks.on_request = [&](RequestHook& hook) {
        seen_url = hook.url();
        CHECK(hook.method() == "GET");
        CHECK(hook.header("accept") == "*/*");
        hook.set_header("X-Mine", "1");
    };
    int status = 0;
    f.options.hooks.on_response = [&](const ResponseInfo& info) {
        status = info.status;
        CHECK(info.attempts == 2);
        CHECK(info.request_id == "id-1");
        CHECK(std::string(info.url).find("secret") == std::string::npos);
    };
    f.transport.steps = {answer(503), answer(404, {{"x-request-id", "id-1"}})};
    f.send();
    CHECK(status == 404);
    CHECK(seen_url.find("secret") == std::string::npos);
    CHECK(f.transport.sent[1].headers.value("x-mine") == "1");
    f.options.hooks.on_request = [](RequestHook&) { throw std::runtime_error("no"); };
    CHECK(f.outcome() == "no");
}

TEST_CASE("an answer's time is that until its headers, also where its body is read too") {
    class SlowBody final : public BodyReader {
      public:
        ReadResult try_read(std::span<std::byte>) override {
            std::this_thread::sleep_for(30ms);
            return {0, ReadState::end};
        }
        awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }
    };
    Fixture f;
    f.request.buffered = 100;
    auto elapsed = Clock::duration::max();
    f.options.hooks.on_response = [&](const ResponseInfo& info) { elapsed = info.elapsed; };
    f.transport.steps = {[] {
        Response response;
        response.status = 200;
        response.body = std::make_unique<SlowBody>();
        return response;
    }};
    const auto begin = Clock::now();
    f.send();
    CHECK(Clock::now() - begin - elapsed >= 30ms);
}

TEST_CASE("fields that would inject others are refused before anything is sent") {
    using namespace std::string_literals;
    for (const auto& [name, value] : {std::pair{"x"s, "a\r\nb: c"s},
                                      {"x"s, "a\nb"s},
                                      {"x"s, "a\0b"s},
                                      {"x y"s, "a"s},
                                      {"x:y"s, "a"s},
                                      {"x\r\ny"s, "a"s},
                                      {""s, "a"s}}) {
        Fixture f;
        f.request.headers.add(name, value);
        CHECK(f.outcome() == "InvalidArgumentError");
        CHECK(f.transport.sent.empty());
    }
    Fixture f;
    f.options.hooks.on_request = [](RequestHook& hook) { hook.set_header("x", "a\r\nb: c"); };
    CHECK(f.outcome() == "InvalidArgumentError");
    f.options.hooks = {};
    f.transport.steps = {answer(302, {{"location", "https://hub.test/a b"}}), answer(200)};
    f.send();
    CHECK(f.transport.sent.back().url == "https://hub.test/a%20b");
}

TEST_CASE("encoded bodies are decoded only where that was asked for") {
    const std::string gzip(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00", 25);
    Fixture f;
    f.transport.steps = {answer(200, {{"content-encoding", "gzip"}}, gzip),
                         answer(200, {{"content-encoding", "gzip"}}, gzip)};
    Response response = f.send();
    CHECK(f.loop.run(read_all(response.body.get(), 100)) == "hello");
    f.request.decode = false;
    response = f.send();
    CHECK(f.loop.run(read_all(response.body.get(), 100)) == gzip);
}
