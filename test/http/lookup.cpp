#include "http/lookup.hpp"

#include "http/retry.hpp"
#include "support/loop.hpp"

#include <doctest/doctest.h>

#include <netdb.h>

#include <atomic>
#include <mutex>
#include <semaphore>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;

namespace {

// A resolver that answers when it is told to; it may outlive the test's loop.
struct SlowResolver {
    std::atomic<int> asked = 0;
    std::counting_semaphore<100> answers{0};
    Lookup operator()(const std::string& host, std::uint16_t port) {
        ++asked;
        Lookup found;
        if (host != "quick.test" && !answers.try_acquire_for(8s)) return found;
        found.endpoints.emplace_back(asio::ip::make_address("192.0.2.1"), port);
        return found;
    }
};

struct Fixture {
    Loop loop;
    Workers workers{*loop.waits, 1};
    std::shared_ptr<SlowResolver> resolver = std::make_shared<SlowResolver>();
    Lookups lookups{workers, [resolver = resolver](const std::string& host, std::uint16_t port) {
                        return (*resolver)(host, port);
                    }};
    std::vector<std::string> found;

    ~Fixture() { resolver->answers.release(10); }
    awaitable<void> find(std::string host, std::uint16_t port, Limit limit) {
        const Endpoints endpoints = co_await lookups.find(std::move(host), port, limit);
        found.push_back(endpoints.front().address().to_string() + ":" + std::to_string(endpoints.front().port()));
    }
    std::shared_ptr<Loop::Task> start(std::string host, std::uint16_t port, std::chrono::milliseconds length = 8s) {
        const Limit limit = limit_from_now(TimeoutPhase::connect, length, Clock::time_point::max());
        return loop.start(find(std::move(host), port, limit));
    }
};

}  // namespace

TEST_CASE("look-ups of one name at one time are one, for every port; a later one asks again") {
    Fixture f;
    std::vector<std::shared_ptr<Loop::Task>> tasks;
    for (const std::uint16_t port : {1, 2, 3}) tasks.push_back(f.start("slow.test", port));
    CHECK(f.loop.until([&] { return f.resolver->asked == 1; }));
    f.resolver->answers.release();
    CHECK(f.loop.until([&] { return f.found.size() == 3; }));
    CHECK(f.found == std::vector<std::string>{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"});
    CHECK(f.resolver->asked == 1);
    f.resolver->answers.release();
    tasks.push_back(f.start("slow.test", 4));
    CHECK(f.loop.until([&] { return f.found.size() == 4; }));
    CHECK(f.resolver->asked == 2);
    for (const auto& task : tasks) CHECK(task->outcome() == "ok");
}

TEST_CASE("a look-up that hangs holds up no other name, and who leaves it does so at once") {
    Fixture f;
    const auto begin = Clock::now();
    const auto patient = f.start("slow.test", 1), cancelled = f.start("slow.test", 2);
    const auto hurried = f.start("slow.test", 3, 30ms);
    const auto other = f.start("quick.test", 4);
    CHECK(f.loop.until([&] { return other->done && hurried->done; }, 4s));
    cancelled->cancel();
    f.loop.turn();
    CHECK(other->outcome() == "ok");
    CHECK(hurried->outcome() == "TimeoutError");
    CHECK(cancelled->outcome() == "CancelledError");
    CHECK(Clock::now() - begin < 4s);
    CHECK_FALSE(patient->done);
    f.resolver->answers.release();
    CHECK(f.loop.until([&] { return patient->done; }));
    CHECK(patient->outcome() == "ok");
    CHECK(f.resolver->asked == 2);
}

TEST_CASE("a name that does not exist is final, a resolver that does not answer is not") {
    struct Case {
        Lookup answer;
        const char* says;
        bool permanent;
    };
    const Case cases[] = {
        {{{}, EAI_NONAME, false}, "Name or service not known", true},
        {{{}, EAI_AGAIN, false}, "Temporary failure in name resolution", false},
        {{{}, 0, false}, "no address", false},
        {{{}, EAI_NONAME, true}, "ulimit -n", false},
    };
    for (const Case& one : cases) {
        CAPTURE(one.says);
        Loop loop;
        Workers workers(*loop.waits, 1);
        Lookups lookups(workers, [&](const std::string&, std::uint16_t) { return one.answer; });
        std::optional<ConnectError> error;
        try {
            const Limit limit = limit_from_now(TimeoutPhase::connect, 8s, Clock::time_point::max());
            loop.run(lookups.find("hub.test", 443, limit));
        } catch (const ConnectError& caught) {
            CHECK(was_unresolved(caught) == !one.answer.out_of_descriptors);
            error = caught;
        }
        REQUIRE(error);
        CHECK(std::string(error->what()).find("hub.test") != std::string::npos);
        CHECK(std::string(error->what()).find(one.says) != std::string::npos);
        CHECK(error->permanent == one.permanent);
    }
}
