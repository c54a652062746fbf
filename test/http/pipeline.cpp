#include "http/pipeline.hpp"

#include "core/log.hpp"
#include "http/pool.hpp"
#include "support/connecting.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <deque>
#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::caught;
using test::Loop;
using test::Peer;
using test::Server;

namespace {

// Answers with what the test put in; records what was sent.
class MockTransport final : public Transport {
  public:
    struct Sent {
        std::string method, url, authorization, body;
        Headers headers;
        bool fresh;
        Clock::time_point at;
        Timeouts timeouts;
    };
    using Step = std::function<Response()>;

    awaitable<Response> send(const Request& request, bool fresh) override {
        const auto* text = std::get_if<std::string>(&request.body);
        sent.push_back({std::string(to_string(request.method)), request.url.str(),
                        std::string(request.headers.value("authorization")), text ? *text : "", request.headers, fresh,
                        Clock::now(), request.timeouts});
        if (steps.empty()) throw std::logic_error("no answer is left");
        const Step step = steps.front();
        steps.pop_front();
        co_return step();
    }

    std::deque<Step> steps;
    std::vector<Sent> sent;
};

MockTransport::Step answer(int status, Headers headers = {}, std::string body = {}) {
    return [=] {
        Response response;
        response.status = status;
        response.headers = headers;
        if (!body.empty()) response.body = memory_body(body);
        return response;
    };
}

// A body of which only the beginning comes.
class BrokenBody final : public BodyReader {
  public:
    explicit BrokenBody(std::string beginning) : beginning_(memory_body(std::move(beginning))) {}
    ReadResult try_read(std::span<std::byte> buffer) override {
        const ReadResult result = beginning_->try_read(buffer);
        if (result.state == ReadState::end) throw TruncatedError(3, 5);
        return result;
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }

  private:
    Body beginning_;
};

MockTransport::Step broken_off(std::string beginning, int status = 200) {
    return [=] {
        Response response;
        response.status = status;
        response.body = std::make_unique<BrokenBody>(beginning);
        return response;
    };
}

template <class E>
MockTransport::Step failure(E error) {
    return [=]() -> Response { throw error; };
}

struct Fixture {
    Loop loop;
    MockTransport transport;
    PipelineOptions options;
    Request request;

    Fixture() {
        options.retry.base = 4ms;
        options.retry.cap = 8ms;
        options.user_agent = "test/1";
        request.url = Url::parse("https://hub.test/api");
    }
    Response send() {
        Pipeline pipeline(*loop.waits, transport, options);
        return loop.run(pipeline.send(request));
    }
    std::string outcome() {
        return test::outcome([&] { send(); });
    }
};

ConnectionLostError lost(bool stale, bool processed = true) {
    ConnectionLostError error("lost");
    error.stale_connection = stale;
    error.maybe_processed = processed;
    return error;
}

}  // namespace

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

TEST_CASE("what passes is tried again, with the number of tries in the answer") {
    Fixture f;
    SUBCASE("statuses") { f.transport.steps = {answer(503), answer(500), answer(200)}; }
    SUBCASE("failures") { f.transport.steps = {failure(lost(false)), failure(ConnectError("x")), answer(200)}; }
    SUBCASE("limits") {
        f.transport.steps = {failure(TimeoutError(TimeoutPhase::headers, 5ms)),
                             failure(TimeoutError(TimeoutPhase::connect, 5ms)), answer(200)};
    }
    const Response response = f.send();
    CHECK(response.status == 200);
    CHECK(response.attempts == 3);
    CHECK(f.transport.sent.size() == 3);
}

TEST_CASE("a body that is wanted whole and breaks off is a try that failed") {
    for (const Method method : {Method::get, Method::put, Method::post}) {
        Fixture f;
        f.request.method = method;
        f.request.buffered = 100;
        f.transport.steps = {broken_off("hel"), answer(200, {}, "hello")};
        const bool again = method != Method::post;
        CAPTURE(to_string(method));
        if (again) {
            const Response response = f.send();
            CHECK(response.text == "hello");
            CHECK(response.body == nullptr);
            CHECK(response.attempts == 2);
        } else {
            const std::string text = test::message([&] { f.send(); });
            CHECK(text.find("https://hub.test/api") != std::string::npos);
        }
        CHECK(f.transport.sent.size() == (again ? 2 : 1));
    }
    // Who reads by himself gets what came; what an error says is not asked for twice.
    Fixture streamed;
    streamed.transport.steps = {broken_off("hel")};
    CHECK(streamed.send().body != nullptr);
    Fixture refused;
    refused.request.buffered = 100;
    refused.transport.steps = {broken_off("hel", 404)};
    CHECK(refused.send().status == 404);
    CHECK(refused.transport.sent.size() == 1);
}

TEST_CASE("a body that is wanted whole and too large is final") {
    Fixture f;
    f.request.buffered = 4;
    f.transport.steps = {answer(200, {}, "hello"), answer(200, {}, "hell")};
    CHECK(f.outcome() == "ProtocolError");
    CHECK(f.transport.sent.size() == 1);
}

TEST_CASE("a request without an answer ends with the longest silence, its last try being cut short") {
    Fixture f;
    f.request.max_silence = 300ms;
    f.request.timeouts.headers = 200ms;
    const auto silence = [] {
        std::this_thread::sleep_for(200ms);
        return failure(TimeoutError(TimeoutPhase::headers, 200ms))();
    };
    f.transport.steps = {silence, silence, silence};
    CHECK(f.outcome() == "TimeoutError");
    REQUIRE(f.transport.sent.size() <= 2);
    CHECK(f.transport.sent.back().timeouts.headers <= 200ms);
    if (f.transport.sent.size() == 2) CHECK(f.transport.sent.back().timeouts.headers <= 100ms);
}

TEST_CASE("who tries again by himself does so within the same budget") {
    Fixture f;
    f.request.max_attempts = 1;
    f.request.is_retry = true;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    int granted = 0;
    for (int i = 0; i < 300; ++i) {
        f.transport.steps = {failure(lost(false))};
        CHECK(test::outcome([&] { f.loop.run(pipeline.send(f.request)); }) == "ConnectionLostError");
        granted += pipeline.take_retry();
    }
    CHECK(granted == 100);
}

TEST_CASE("what does not pass is not tried again") {
    Fixture f;
    for (const int status : {400, 401, 403, 404, 410, 416, 501}) {
        f.transport.steps = {answer(status), answer(200)};
        CHECK(f.send().status == status);
    }
    ConnectError permanent("certificate");
    permanent.permanent = true;
    f.transport.steps = {failure(permanent), answer(200)};
    CHECK(f.outcome() == "ConnectError");
    f.request.method = Method::post;
    f.transport.steps = {failure(lost(false)), answer(200)};
    CHECK(f.outcome() == "ConnectionLostError");
    f.transport.steps = {failure(lost(false, false)), answer(201)};
    CHECK(f.send().status == 201);
}

TEST_CASE("answers that break HTTP are asked for once more at most") {
    Fixture f;
    for (int i = 0; i < 6; ++i) f.transport.steps.push_back(failure(ProtocolError("nonsense")));
    CHECK(f.outcome() == "ProtocolError");
    CHECK(f.transport.sent.size() == 2);
    f.transport.steps = {answer(200, {{"content-encoding", "rot13"}}, "x"), answer(200)};
    CHECK(f.outcome() == "ProtocolError");
    CHECK(f.transport.sent.size() == 3);
}

TEST_CASE("the last failure says where and how often") {
    Fixture f;
    f.request.url = Url::parse("https://user:secret@hub.test/api?X-Amz-Signature=deadbeef");
    f.options.retry.max_attempts = 3;
    for (int i = 0; i < 3; ++i) f.transport.steps.push_back(failure(lost(false)));
    try {
        f.send();
        FAIL("no error");
    } catch (const ConnectionLostError& error) {
        CHECK(error.attempts == 3);
        const std::string text = error.what();
        CHECK(text.find("hub.test/api") != std::string::npos);
        CHECK(text.find("secret") == std::string::npos);
        CHECK(text.find("deadbeef") == std::string::npos);
    }
    CHECK(f.transport.sent.size() == 3);
    f.transport.steps = {answer(500), answer(502), answer(503, {}, "sorry")};
    const Response response = f.send();
    CHECK(response.status == 503);
    CHECK(response.body != nullptr);
}

TEST_CASE("a stale connection is retried at once on a new one, and that only once for free") {
    Fixture f;
    f.options.retry.base = f.options.retry.cap = 2s;
    f.transport.steps = {failure(lost(true)), answer(200)};
    const auto begin = Clock::now();
    CHECK(f.send().status == 200);
    CHECK(Clock::now() - begin < 500ms);
    CHECK_FALSE(f.transport.sent[0].fresh);
    CHECK(f.transport.sent[1].fresh);
}

TEST_CASE("connections that send a request back as they go away use up none of its tries") {
    Fixture f;
    f.options.retry.base = f.options.retry.cap = 2s;
    f.request.method = Method::post;
    for (int i = 0; i < 12; ++i) f.transport.steps.push_back(failure(lost(true, false)));
    f.transport.steps.push_back(answer(200));
    const auto begin = Clock::now();
    const Response response = f.send();
    CHECK(response.status == 200);
    CHECK(response.attempts == 1);
    CHECK(Clock::now() - begin < 500ms);
    CHECK(f.transport.sent.size() == 13);
}

TEST_CASE("Retry-After is respected, by the other requests to that origin too") {
    Fixture f;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    f.transport.steps = {answer(429, {{"retry-after", "1"}}), answer(200), answer(200), answer(200)};
    const auto send = [&](std::string url) -> awaitable<void> {
        Request request;
        request.url = Url::parse(url);
        const Response response = co_await pipeline.send(std::move(request));
        CHECK(response.status == 200);
    };
    const auto begin = Clock::now();
    const auto first = f.loop.start(send("https://hub.test/a"));
    const auto second = f.loop.start(send("https://hub.test/b"));
    const auto elsewhere = f.loop.start(send("https://cdn.test/c"));
    CHECK(elsewhere->done);
    CHECK_FALSE(second->done);
    CHECK(f.loop.until([&] { return first->done && second->done; }));
    for (const auto& sent : f.transport.sent) {
        if (sent.url.starts_with("https://hub.test") && &sent != &f.transport.sent.front())
            CHECK(sent.at - begin >= 1s);
    }
}

TEST_CASE("a used-up rate limit holds back only what it counts, and a longer pause is waited for to its end") {
    Fixture f;
    f.options.retry.base = f.options.retry.cap = 200ms;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    const auto send = [&](std::string url) -> awaitable<void> {
        Request request;
        request.url = Url::parse(url);
        const Response response = co_await pipeline.send(std::move(request));
        CHECK(response.status == 200);
    };
    f.transport.steps = {answer(429, {{"ratelimit", "\"api\";r=0;t=0"}}), answer(429, {{"retry-after", "1"}})};
    for (int i = 0; i < 4; ++i) f.transport.steps.push_back(answer(200));
    const auto begin = Clock::now();
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    tasks.push_back(f.loop.start(send("https://hub.test/api/a")));  // 100 to 200 ms
    tasks.push_back(f.loop.start(send("https://hub.test/api/b")));
    CHECK(f.transport.sent.size() == 1);
    tasks.push_back(f.loop.start(send("https://hub.test/x/resolve/main/c")));  // is sent, and asked to wait a second
    CHECK(f.transport.sent.size() == 2);
    tasks.push_back(f.loop.start(send("https://hub.test/d")));
    CHECK(f.transport.sent.size() == 2);
    for (const auto& task : tasks) CHECK(f.loop.until([&] { return task->done; }, 5s));
    REQUIRE(f.transport.sent.size() == 6);
    for (std::size_t i = 2; i < 6; ++i) CHECK(f.transport.sent[i].at - begin >= 1s);
}

TEST_CASE("those who were held back do not come back all at once") {
    Fixture f;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    const auto send = [&]() -> awaitable<void> {
        const Response response = co_await pipeline.send(f.request);
        CHECK(response.status == 200);
    };
    f.transport.steps = {answer(429, {{"retry-after", "1"}})};
    for (int i = 0; i < 30; ++i) f.transport.steps.push_back(answer(200));
    const auto begin = Clock::now();
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (int i = 0; i < 30; ++i) tasks.push_back(f.loop.start(send()));
    for (const auto& task : tasks) CHECK(f.loop.until([&] { return task->done; }, 5s));
    auto first = Clock::time_point::max(), last = Clock::time_point::min();
    for (std::size_t i = 2; i < f.transport.sent.size(); ++i) {
        first = std::min(first, f.transport.sent[i].at);
        last = std::max(last, f.transport.sent[i].at);
    }
    CHECK(first - begin >= 1s);
    CHECK(last - first >= 20ms);
    CHECK(last - begin < 2s);
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

TEST_CASE("waits between tries respect deadline and cancellation") {
    Fixture f;
    f.options.retry.base = f.options.retry.cap = 60s;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    for (int i = 0; i < 20; ++i) f.transport.steps.push_back(answer(503, {{"retry-after", "30"}}));
    const auto send = [&]() -> awaitable<void> {
        Response response = co_await pipeline.send(f.request);
        CHECK(response.status == 503);
    };
    f.request.deadline = Clock::now() + 50ms;
    const auto hopeless = f.loop.start(send());
    CHECK(hopeless->outcome() == "ok");
    f.request.deadline = Clock::time_point::max();
    const auto task = f.loop.start(send());
    CHECK_FALSE(task->done);
    task->cancel();
    f.loop.turn();
    CHECK(task->outcome() == "CancelledError");
    // The pause that it left behind is bounded by the next request's own deadline.
    f.request.deadline = Clock::now() + 30ms;
    const auto paused = f.loop.start(send());
    CHECK(f.loop.until([&] { return paused->done; }, 2s));
    CHECK(paused->outcome() == "TimeoutError");
}

TEST_CASE("a body from a source is rewound for another try, and not sent again where it cannot be") {
    struct Source final : BodySource {
        explicit Source(bool can) : can(can) {}
        std::optional<std::uint64_t> size() const override { return 0; }
        awaitable<std::size_t> read_some(std::span<std::byte>) override { co_return 0; }
        bool rewind() override {
            ++rewinds;
            return can;
        }
        bool can;
        int rewinds = 0;
    };
    Fixture f;
    f.request.method = Method::put;
    auto good = std::make_shared<Source>(true), bad = std::make_shared<Source>(false);
    f.request.body = good;
    f.transport.steps = {answer(503), answer(200)};
    CHECK(f.send().status == 200);
    CHECK(good->rewinds >= 1);
    f.request.body = bad;
    f.transport.steps = {answer(503), answer(200)};
    CHECK(f.send().status == 503);
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

TEST_CASE("the last error tells of all tries: number, waits, URL, answer and what had come") {
    Fixture f;
    f.request.url = Url::parse("https://hub.test/api?token=secret");
    f.request.headers.add("x-amzn-trace-id", "sent-id");
    f.request.buffered = 100;
    f.request.max_attempts = 3;
    f.transport.steps = {answer(503, {{"retry-after", "0"}}), failure(lost(false)), [] {
                             Response response;
                             response.status = 200;
                             response.headers = {{"x-request-id", "got-id"}};
                             response.body = std::make_unique<BrokenBody>("abc");
                             return response;
                         }};
    const auto error = caught<TruncatedError>([&] { f.send(); });
    CHECK(error.url() == "https://hub.test/api?token");
    CHECK(error.attempts == 3);
    CHECK(error.waited > 0ms);
    CHECK(error.waited <= 20ms);
    CHECK(error.status == 200);
    CHECK(error.request_id == "got-id");
    CHECK(error.bytes_done == 3);
    CHECK(std::string(error.what()).find(") after 3 tries and ") != std::string::npos);
    CHECK(std::chrono::milliseconds(f.options.counters->waited.value()) == error.waited);
    f.transport.steps = {failure(lost(false)), failure(lost(false)), failure(lost(false))};
    const auto unanswered = caught<ConnectionLostError>([&] { f.send(); });
    CHECK(unanswered.status == 0);
    CHECK(unanswered.request_id == "sent-id");
    CHECK(unanswered.bytes_done == 0);
    const Headers at_once{{"retry-after", "0"}};
    f.transport.steps = {answer(503, at_once), answer(503, at_once), answer(503, at_once)};
    const Response response = f.send();
    CHECK(response.attempts == 3);
    CHECK(response.waited > 0ms);
}

TEST_CASE("a deadline that passes while a server's pause holds a request back names the URL") {
    Fixture f;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    f.transport.steps = {answer(429, {{"retry-after", "30"}})};
    const auto send = [&]() -> awaitable<void> {
        const Response response = co_await pipeline.send(f.request);
        CHECK(response.status == 200);
    };
    const auto paused = f.loop.start(send());
    f.request.deadline = Clock::now() + 5ms;
    const auto error = caught<TimeoutError>([&] { f.loop.run(send()); });
    CHECK(error.phase == TimeoutPhase::deadline);
    CHECK(error.url() == "https://hub.test/api");
    CHECK(error.attempts == 1);
    CHECK(f.transport.sent.size() == 1);
    paused->cancel();
    CHECK(f.loop.until([&] { return paused->done; }));
    CHECK(f.options.counters->cancelled.value() == 1);
}

TEST_CASE("the log has a line for each retry, and none on success") {
    std::vector<std::string> lines;
    set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
    Fixture f;
    f.request.url = Url::parse("https://hub.test/api?token=secret");
    f.request.headers.add("authorization", "Bearer hf_secretsecretsecret");
    f.transport.steps = {answer(200)};
    f.send();
    CHECK(lines.empty());
    f.transport.steps = {answer(503, {{"retry-after", "0"}}), failure(lost(false)), failure(lost(true)), answer(200)};
    f.send();
    set_log_sink({});
    REQUIRE(lines.size() == 2);  // the third: a kept connection that was dead, at once replaced
    CHECK(lines[0].starts_with("GET https://hub.test/api?token: status 503; waiting "));
    CHECK(lines[0].ends_with(" ms, then attempt 2 of 6"));
    CHECK(lines[1].starts_with("GET https://hub.test/api?token: lost; waiting "));
    CHECK(lines[1].ends_with(" ms, then attempt 3 of 6"));
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
