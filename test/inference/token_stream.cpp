#include "http/session.hpp"
#include "streams.hpp"

#include <future>
#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using namespace hfhub::test;
using Clock = std::chrono::steady_clock;
using End = Script::End;

TEST_CASE("a stream gives its events in order, and the connection is kept") {
    everywhere([](bool http2, bool async) {
        ModelServer server(http2, letters(5));
        Fixture one(server, http2);
        CHECK(one.taken(async).text == "abcde");
        CHECK(one.taken(async).text == "abcde");
        CHECK(server.accepted() == 1);
        CHECK(server.cancelled() == 0);
        CHECK(server.sees([&] { return one.session.stats().active_requests == 0; }));
    });
}

TEST_CASE("what comes after [DONE] is waited for a moment, so that HTTP/1.1 keeps its connection") {
    Script script = letters(2);
    script.steps.push_back({": bye\n\n", 10ms});
    ModelServer server(false, script);
    Fixture one(server, false);
    CHECK(one.taken(false).text == "ab");
    CHECK(server.sees([&] { return one.session.stats().idle_connections == 1; }));
    CHECK(one.taken(false).text == "ab");
    CHECK(server.accepted() == 1);
}

TEST_CASE("leaving early resets the HTTP/2 stream or closes the HTTP/1.1 connection, and nothing else") {
    everywhere([](bool http2, bool async) {
        ModelServer server(http2, [](int number) { return number == 0 ? hanging(5) : letters(4); });
        Fixture one(server, http2);
        const Taken taken = one.taken(async, 3);
        CHECK(taken.outcome == "ok");
        CHECK(taken.text == "abc");
        CHECK(server.sees_cancelled(1));
        CHECK(one.taken(async).text == "abcd");
        CHECK(server.accepted() == (http2 ? 1 : 2));
        CHECK(server.reset_otherwise() == 0);
        CHECK(server.sees([&] { return one.session.stats().active_requests == 0; }));
    });
}

TEST_CASE("an exception out of a range-for cancels the generation") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(5));
        Fixture one(server, http2);
        std::string text;
        const auto read = [&] {
            for (const auto& part : one.blocking().chat_completion_stream("Hi")) {
                text += part.text();
                if (text.size() == 2) throw std::runtime_error("enough");
            }
        };
        CHECK_THROWS_WITH(read(), "enough");
        CHECK(text == "ab");
        CHECK(server.sees_cancelled(1));
    }
}

TEST_CASE("a stream may be destroyed on any thread, also on the session's own") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(5));
        Fixture one(server, http2);
        auto stream = std::make_unique<ChatStream<Blocking>>(one.blocking().chat_completion_stream("Hi"));
        CHECK(stream->next()->text() == "a");
        std::thread([&] { stream.reset(); }).join();
        CHECK(server.sees_cancelled(1));
        stream = std::make_unique<ChatStream<Blocking>>(one.blocking().chat_completion_stream("Hi"));
        CHECK(stream->next()->text() == "a");
        one.session.state()->post([moved = std::shared_ptr(std::move(stream))] {});
        CHECK(server.sees_cancelled(2));
        CHECK(server.sees([&] { return one.session.stats().active_requests == 0; }));
    }
}

TEST_CASE("a stream outlives what made it, and its session's end") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(5));
        auto one = std::make_unique<Fixture>(server, http2);
        std::optional<ChatStream<Blocking>> last = one->blocking().chat_completion_stream("Hi");
        one.reset();
        CHECK(last->next()->text() == "a");
        const auto begin = Clock::now();
        last.reset();  // the last handle of the session
        CHECK(Clock::now() - begin < 1s);
        CHECK(server.sees_cancelled(1));

        one = std::make_unique<Fixture>(server, http2);
        std::optional<ChatStream<Blocking>> closed = one->blocking().chat_completion_stream("Hi");
        CHECK(closed->next()->text() == "a");
        one->session.close();
        const std::string outcome = test::outcome([&] {
            while (closed->next()) {
            }
        });
        CHECK(outcome != "ok");
        closed.reset();
        one.reset();
        CHECK(Clock::now() - begin < 2s);
    }
}

TEST_CASE("the last handle of a session may be a stream that ends on the session's own thread") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        ModelServer server(http2, hanging(5));
        std::weak_ptr<http::SessionState> state;
        {
            Fixture one(server, http2);
            const auto own = one.session.state();
            state = own;
            auto stream = std::make_shared<ChatStream<Blocking>>(one.blocking().chat_completion_stream("Hi"));
            CHECK(stream->next()->text() == "a");
            std::promise<void> gone;
            own->post([ready = gone.get_future().share(), moved = std::move(stream)]() mutable {
                ready.wait();
                moved.reset();
            });
            one.session = Session(options_for(false));
            gone.set_value();
        }
        CHECK(server.sees_cancelled(1));
        CHECK(server.sees([&] { return state.expired(); }));
    }
}

TEST_CASE("a reader that does not read holds the server back") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        Script script;
        script.steps.push_back({event(std::string(4000, 'x'))});
        script.end = End::endless;
        ModelServer server(http2, script);
        Fixture one(server, http2);
        auto stream = one.blocking().chat_completion_stream("Hi");
        CHECK(stream.next()->text().size() == 4000);
        // Until no more goes: what is in flight is bounded by window and socket buffers.
        std::size_t before = 0;
        for (int still = 0; still < 20; std::this_thread::sleep_for(10ms)) {
            still = server.sent() == before ? still + 1 : 0;
            before = server.sent();
            REQUIRE(before < 32u << 20);
        }
        CHECK(stream.next()->text().size() == 4000);
    }
}
