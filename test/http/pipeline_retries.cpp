// Which requests the pipeline sends again, when, and what it tells of it.

#include "core/log.hpp"
#include "support/connecting.hpp"
#include "support/mock_transport.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::answer;
using test::broken_off;
using test::BrokenBody;
using test::caught;
using test::failure;
using test::Loop;
using test::lost;
using Fixture = test::PipelineFixture;

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

TEST_CASE("requests bring one retry for each five of them, tries of earlier ones bring none") {
    Fixture f;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    while (pipeline.take_retry()) {
    }
    for (const bool is_retry : {true, false}) {
        f.request.is_retry = is_retry;
        for (int i = 0; i < 50; ++i) {
            f.transport.steps = {answer(200)};
            f.loop.run(pipeline.send(f.request));
        }
        int granted = 0;
        while (pipeline.take_retry()) ++granted;
        CHECK(granted == (is_retry ? 0 : 10));
    }
}

TEST_CASE("requests that a server refuses unprocessed are tried again also when the budget is used up") {
    Fixture f;
    f.request.is_retry = true;
    Pipeline pipeline(*f.loop.waits, f.transport, f.options);
    while (pipeline.take_retry()) {
    }
    f.transport.steps = {failure(lost(false, false)), answer(200)};
    CHECK(f.loop.run(pipeline.send(f.request)).status == 200);
    f.transport.steps = {failure(lost(false)), answer(200)};
    CHECK(test::outcome([&] { f.loop.run(pipeline.send(f.request)); }) == "ConnectionLostError");
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
