// How streams end by themselves: limits, cancellation, errors of the server.

#include "streams.hpp"

#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using namespace hfhub::test;
using Clock = std::chrono::steady_clock;
using End = Script::End;
using Step = Script::Step;

TEST_CASE("until the first event its own limit holds, whether headers or comments have come or not") {
    everywhere([](bool http2, bool async) {
        Script late = letters(1);
        late.pause_before_headers = 10s;
        Script silent = letters(1);
        silent.steps.front().pause = 10s;
        Script chatting;
        for (int i = 0; i < 100; ++i) chatting.steps.push_back({": loading\n\n", 30ms});
        const std::pair<Script, TimeoutPhase> cases[] = {
            {late, TimeoutPhase::headers}, {silent, TimeoutPhase::idle}, {chatting, TimeoutPhase::idle}};
        for (const auto& [script, phase] : cases) {
            CAPTURE(to_string(phase));
            ModelServer server(http2, script);
            Fixture one(server, http2, {.first_event_timeout = 80ms, .idle_timeout = 20ms});
            const auto begin = Clock::now();
            const Taken taken = one.taken(async);
            CHECK(taken.outcome == "TimeoutError");
            CHECK(Clock::now() - begin >= 80ms);
            CHECK(Clock::now() - begin < 2s);
            if (taken.outcome != "TimeoutError") continue;
            try {
                std::rethrow_exception(taken.error);
            } catch (const TimeoutError& error) {
                CHECK(error.phase == phase);
                CHECK(error.limit == 80ms);
            }
        }
    });
}

TEST_CASE("a slow first event is waited for, and later ones within the idle limit, in which comments count") {
    for (const bool http2 : {false, true}) {
        const bool async = http2;
        CAPTURE(http2);
        Script script = letters(2);
        script.steps[0].pause = 400ms;
        script.steps[1].pause = 120ms;
        for (int i = 0; i < 2; ++i) script.steps.insert(script.steps.begin() + 1, Step{": alive\n\n", 120ms});
        ModelServer lively(http2, script);
        Fixture good(lively, http2, {.first_event_timeout = 5s, .idle_timeout = 300ms});
        const Taken whole = good.taken(async);
        CHECK(whole.outcome == "ok");
        CHECK(whole.text == "ab");
        ModelServer dead(http2, hanging(2));
        Fixture bad(dead, http2, {.first_event_timeout = 5s, .idle_timeout = 100ms});
        const auto begin = Clock::now();
        const Taken cut = bad.taken(async);
        CHECK(cut.text == "ab");
        CHECK(cut.outcome == "TimeoutError");
        CHECK(Clock::now() - begin < 3s);
        CHECK(dead.sees_cancelled(1));
    }
}

TEST_CASE("a whole answer may take as long as a first event") {
    Script script;
    script.steps.push_back({R"({"choices": [{"message": {"content": "hi"}}]})", 100ms});
    script.content_type = "application/json";
    ModelServer server(false, script);
    const Fixture one(server, false, {.first_event_timeout = 5s, .idle_timeout = 20ms});
    CHECK(one.blocking().chat_completion("Hi").choices.front().message.content == "hi");
}

TEST_CASE("a stop token ends next(), and the generation with it") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(2));
        Fixture one(server, http2);
        std::stop_source stop;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(50ms);
            stop.request_stop();
        });
        const auto begin = Clock::now();
        const Taken taken = take(one.blocking().with_stop(stop.get_token()), all);
        CHECK(taken.text == "ab");
        CHECK(taken.outcome == "CancelledError");
        CHECK(Clock::now() - begin < 1s);
        CHECK(server.sees_cancelled(1));
    }
}

TEST_CASE("cancelling the coroutine ends next(), and the generation with it") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(2));
        Fixture one(server, http2);
        Taken taken;
        const AsyncInferenceClient client = one.coroutines();
        const auto task = one.loop.start(take_async(client, all, taken));
        REQUIRE(one.loop.until([&] { return taken.text == "ab"; }));
        one.loop.pass(20ms);
        CHECK(!task->done);
        task->cancel();
        REQUIRE(one.loop.until([&] { return task->done; }, 1s));
        CHECK(taken.outcome == "CancelledError");
        CHECK(server.sees_cancelled(1));
    }
}

TEST_CASE("a stream that ends without an end is truncated") {
    everywhere([](bool http2, bool async) {
        Script whole = hanging(3), cut = hanging(3);
        whole.end = End::whole;
        cut.end = End::cut;
        ModelServer ends(http2, whole), breaks(http2, cut);
        const Taken first = Fixture(ends, http2).taken(async);
        CHECK(first.text == "abc");
        CHECK(first.outcome == "TruncatedError");
        const Taken second = Fixture(breaks, http2).taken(async);
        CHECK(second.text == "abc");
        CHECK(second.outcome == (http2 ? "ConnectionLostError" : "TruncatedError"));
    });
}

TEST_CASE("a stream that says that it has finished needs no [DONE]") {
    everywhere([](bool http2, bool async) {
        Script script = letters(3);
        script.steps.pop_back();
        ModelServer server(http2, script);
        const Taken taken = Fixture(server, http2).taken(async);
        CHECK(taken.text == "abc");
        CHECK(taken.outcome == "ok");
    });
}

TEST_CASE("an error inside the stream is thrown as what it is, after the events before it") {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"error":"e","error_type":"validation"})", "ValidationError"},
        {R"({"error":"e","error_type":"generation"})", "GenerationError"},
        {R"({"error":"e","error_type":"overloaded"})", "OverloadedError"},
        {R"({"error":"e","error_type":"incomplete_generation"})", "IncompleteGenerationError"},
        {R"({"error":{"message":"e","code":500}})", "UnknownError"}};
    everywhere([&](bool http2, bool async) {
        for (const auto& [body, outcome] : cases) {
            CAPTURE(body);
            Script script = hanging(2);
            script.steps.push_back({"data: " + std::string(body) + "\n\n"});
            ModelServer server(http2, script);
            const Taken taken = Fixture(server, http2).taken(async);
            CHECK(taken.text == "ab");
            CHECK(taken.outcome == outcome);
            CHECK_THROWS_AS(std::rethrow_exception(taken.error), TextGenerationError);
            CHECK(test::message_of(taken.error).find("reported an error: e") != std::string::npos);
        }
    });
}

TEST_CASE("an answer that is JSON and no stream is read as one event, or as the error that it is") {
    everywhere([](bool http2, bool async) {
        Script error, whole;
        error.content_type = whole.content_type = "application/json";
        error.steps = {{R"({"error":"model )"}, {R"(is busy","error_type":"overloaded"})", 10ms}};
        whole.steps = {{R"({"choices":[{"delta":{"content":"all"},)"}, {R"("finish_reason":"stop"}]})", 10ms}};
        ModelServer busy(http2, error), plain(http2, whole);
        const Taken refused = Fixture(busy, http2).taken(async);
        CHECK(refused.outcome == "OverloadedError");
        CHECK(test::message_of(refused.error).find("model is busy") != std::string::npos);
        const Taken taken = Fixture(plain, http2).taken(async);
        CHECK(taken.text == "all");
        CHECK(taken.outcome == "ok");
    });
}
