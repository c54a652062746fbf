#include "hub/events.hpp"

#include "scripted_stream.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using hub::AfterEnd;
using hub::EventEnd;
using test::Answer;
using test::log_event;
using test::MockHub;
using test::Seen;
using test::stream_answer;
using test::StreamEnd;

namespace {

/// Answers one after the other; the last one stays.
MockHub::Handler in_turn(std::vector<Answer> answers) {
    auto at = std::make_shared<std::size_t>(0);
    return [answers = std::move(answers), at](const Seen&) { return answers[std::min((*at)++, answers.size() - 1)]; };
}

std::string all(Events<std::string> lines) {
    std::string out;
    for (const std::string& line : lines) out += line + "|";
    return out;
}

Events<std::string> follow(const MockHub& hub) {
    return HfApi(hub.session()).fetch_space_logs("a/b", {.follow = true});
}

}  // namespace

TEST_CASE("what follows the end of a connection") {
    hub::EventRequest read, follow, job;
    follow.follow = job.follow = true;
    job.is_over = [](hub::Client) -> awaitable<bool> { co_return false; };
    for (const hub::EventRequest* request : {&read, &follow, &job}) {
        CHECK(after_end(*request, EventEnd::well, 1) == AfterEnd::stop);
        CHECK(after_end(*request, EventEnd::not_yet, 99) == AfterEnd::again);
    }
    CHECK(after_end(read, EventEnd::silent, 1) == AfterEnd::stop);
    CHECK(after_end(read, EventEnd::broken, 1) == AfterEnd::fail);
    CHECK(after_end(follow, EventEnd::broken, 5) == AfterEnd::again);
    CHECK(after_end(follow, EventEnd::broken, 6) == AfterEnd::fail);
    CHECK(after_end(follow, EventEnd::silent, 5) == AfterEnd::again);
    CHECK(after_end(follow, EventEnd::silent, 6) == AfterEnd::stop);
    CHECK(after_end(job, EventEnd::silent, 99) == AfterEnd::again);
    CHECK(after_end(job, EventEnd::broken, 6) == AfterEnd::fail);
}

TEST_CASE("a stream of events sends nothing before the first is asked for, and ends where the server ends it") {
    MockHub hub(
        [](const Seen&) { return stream_answer(log_event("one") + ": alive\n\ndata:\n\n" + log_event("two")); });
    Events<std::string> lines = HfApi(hub.session()).fetch_space_logs("a/b", {.build = true});
    CHECK(hub.seen().empty());
    CHECK(lines.next() == "one");
    CHECK(lines.next() == "two");
    CHECK_FALSE(lines.next());
    CHECK_FALSE(lines.next());
    REQUIRE(hub.seen().size() == 1);
    CHECK(hub.seen()[0].target == "/api/spaces/a/b/logs/build");
}

TEST_CASE("events are given while the connection is still open") {
    MockHub hub([](const Seen&) { return stream_answer(log_event("early"), StreamEnd::open); });
    CHECK(follow(hub).next() == "early");
}

TEST_CASE("whoever follows is given what a new connection repeats only once") {
    MockHub hub(in_turn({stream_answer(log_event("one") + log_event("one"), StreamEnd::broken),
                         stream_answer(log_event("one") + log_event("one") + log_event("two"), StreamEnd::silent),
                         stream_answer(log_event("one") + log_event("one") + log_event("two") + log_event("three"))}));
    CHECK(all(follow(hub)) == "one|one|two|three|");
    CHECK(hub.seen().size() == 3);
}

TEST_CASE("breaks without an event in between end a stream that is followed, each event allows five more") {
    MockHub hub([](const Seen&) { return stream_answer(log_event("one"), StreamEnd::broken); });
    Events<std::string> lines = follow(hub);
    CHECK(lines.next() == "one");
    CHECK_THROWS_AS(lines.next(), TruncatedError);
    CHECK(hub.seen().size() == 6);
}

TEST_CASE("a break throws where the log is only read, and the next call goes on behind the last event") {
    MockHub hub(in_turn({stream_answer(log_event("one"), StreamEnd::broken),
                         stream_answer(log_event("one") + log_event("two"), StreamEnd::silent)}));
    Events<std::string> lines = HfApi(hub.session()).fetch_space_logs("a/b");
    CHECK(lines.next() == "one");
    CHECK_THROWS_AS(lines.next(), TruncatedError);
    CHECK(lines.next() == "two");
    CHECK_FALSE(lines.next());
}

TEST_CASE("an event that is no JSON costs no other event") {
    MockHub hub([](const Seen&) { return stream_answer(log_event("one") + "data: {no json\n\n" + log_event("two")); });
    Events<std::string> lines = follow(hub);
    CHECK(lines.next() == "one");
    CHECK_THROWS_AS(lines.next(), JsonError);
    CHECK(lines.next() == "two");
    CHECK_FALSE(lines.next());
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("an error status is thrown at once, followed or not") {
    MockHub hub([](const Seen&) { return Answer{.status = 500, .body = R"({"error": "boom"})"}; });
    CHECK_THROWS_AS(follow(hub).next(), HfHubHttpError);
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("leaving the scope ends the request") {
    const auto alive = std::make_shared<int>(0);
    MockHub hub([&](const Seen& seen) {
        return seen.target.ends_with("/runtime") ? Answer{.body = R"({"stage": "RUNNING"})"}
                                                 : stream_answer(log_event("one"), StreamEnd::open, alive);
    });
    {
        Events<std::string> lines = follow(hub);
        CHECK(lines.next() == "one");
        CHECK(*alive == 1);
    }
    // The body ends on the session's executor, before what is begun there later.
    HfApi(hub.session()).get_space_runtime("a/b");
    CHECK(*alive == 0);
}

TEST_CASE("a stop ends a call that waits for an event, and the stream goes on when it is asked again") {
    const auto alive = std::make_shared<int>(0);
    MockHub hub([&](const Seen&) { return stream_answer(log_event("one"), StreamEnd::open, alive); });
    std::stop_source stop;
    Events<std::string> lines =
        HfApi(hub.session()).with_stop(stop.get_token()).fetch_space_logs("a/b", {.follow = true});
    CHECK(lines.next() == "one");
    std::jthread stopper([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_THROWS_AS(lines.next(), CancelledError);
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("coroutines read events on their own executor") {
    MockHub hub(in_turn(
        {stream_answer(log_event("one"), StreamEnd::broken), stream_answer(log_event("one") + log_event("two"))}));
    const AsyncHfApi api(hub.session());
    asio::io_context io;
    auto walk = [](AsyncHfApi caller) -> awaitable<std::string> {
        AsyncEvents<std::string> lines = caller.fetch_space_logs("a/b", {.follow = true});
        std::string out;
        for (;;) {
            std::optional<std::string> line = co_await lines.next();
            if (!line) break;
            out += *line + "|";
        }
        co_return out;
    };
    auto result = asio::co_spawn(io, walk(api), asio::use_future);
    io.run();
    CHECK(result.get() == "one|two|");
}
