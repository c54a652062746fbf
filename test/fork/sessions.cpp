// Sessions in a process that is forked while they are at work.

#include "child.hpp"
#include "core/digest.hpp"
#include "core/log.hpp"
#include "http/session.hpp"
#include "hub/outages.hpp"
#include "hub/space_claim.hpp"
#include "inference/streams.hpp"
#include "paced_server.hpp"
#include "support/connecting.hpp"

#include <hfhub/http_client.hpp>
#include <hfhub/log.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <future>

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::test;

namespace {

SessionOptions options_trusting(const std::string& authorities) {
    SessionOptions options(Environment::from([&](std::string_view name) -> std::optional<std::string> {
        return name == "SSL_CERT_FILE" && !authorities.empty() ? std::optional(authorities) : std::nullopt;
    }));
    options.max_attempts = 1;
    return options;
}

std::string get(const Session& session, const std::string& url) { return HttpClient(session).get(url).body; }

std::future<std::string> start_get(const Session& session, std::string url) {
    return std::async(std::launch::async, [&session, url = std::move(url)] { return get(session, url); });
}

awaitable<std::string> get_async(Session session, std::string url) {
    const AsyncHttpClient client(session);
    const HttpResponse response = co_await client.get(url);
    co_return response.body;
}

template <class Error, class F>
bool throws(F call) {
    try {
        call();
    } catch (const Error&) {
        return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a child has connections and a thread of its own, and the parent's transfer does not notice") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        const TrustFile trust;
        PacedServer server(http2 ? context_of(good_spec(), 0, {"h2"}) : nullptr);
        const SessionOptions options = options_trusting(http2 ? trust.path : "");
        set_client_factory([&] { return Session(options); });
        CHECK(HttpClient().get(server.url("/default")).body == "/default");
        auto session = std::make_optional<Session>(options);
        auto transfer = start_get(*session, server.url("/big"));
        server.wait_for_half();
        const int before = server.accepted();
        const pid_t child = start_child([&] {
            if (session->stats().open_connections != 0) return 1;
            if (get(*session, server.url("/inherited")) != "/inherited") return 2;
            if (session->stats().connections_opened != 1) return 3;
            if (HttpClient().get(server.url("/default")).body != "/default") return 4;
            session.reset();
            set_client_factory(nullptr);
            return 0;
        });
        CHECK(status_of(child) == 0);
        CHECK(server.accepted() == before + 2);
        CHECK(!server.disturbed());
        server.let_go();
        CHECK(transfer.get() == PacedServer::big());
        CHECK(session->stats().connections_opened == 1);
        CHECK(get(*session, server.url("/later")) == "/later");
        CHECK(server.accepted() == before + 2);
        set_client_factory(nullptr);
    }
}

TEST_CASE("a child ends in every way, whatever it has touched") {
    PacedServer server;
    const SessionOptions options = options_trusting("");
    set_client_factory([&] { return Session(options); });
    CHECK(HttpClient().get(server.url("/default")).body == "/default");
    auto session = std::make_unique<Session>(options);
    auto transfer = start_get(*session, server.url("/big"));
    server.wait_for_half();
    const auto begin = Clock::now();
    CHECK(status_of(start_child([&] { return 7; })) == 7);
    CHECK(status_of(start_child([&]() -> int { ::_exit(8); })) == 8);
    CHECK(status_of(start_child([&] { return session->close(), session.reset(), 9; })) == 9);
    CHECK(status_of(start_child([&] { return get(*session, server.url("/x")) == "/x" ? 10 : 1; })) == 10);
    CHECK(status_of(start_child([&]() -> int { ::_exit(get(*session, server.url("/x")) == "/x" ? 11 : 1); })) == 11);
    // Of a child's child, and in a thread that forks.
    const auto use = [&] { return get(*session, server.url("/x")) == "/x" ? 0 : 1; };
    CHECK(status_of(start_child([&] { return use() + status_of(start_child(use)) + use(); })) == 0);
    pid_t child = 0;
    std::thread([&] { child = start_child(use); }).join();
    CHECK(status_of(child) == 0);
    CHECK(Clock::now() - begin < 20s);
    CHECK(!server.disturbed());
    server.let_go();
    CHECK(transfer.get() == PacedServer::big());
    set_client_factory(nullptr);
}

TEST_CASE("a session that was closed stays closed in a child") {
    PacedServer server;
    Session session(options_trusting(""));
    session.close();
    const auto use = [&] { return throws<CancelledError>([&] { get(session, server.url("/x")); }) ? 0 : 1; };
    CHECK(status_of(start_child(use)) == 0);
}

TEST_CASE("a child that closes the session it has inherited closes its own alone") {
    PacedServer server;
    Session session(options_trusting(""));
    CHECK(status_of(start_child([&] {
              session.close();
              return throws<CancelledError>([&] { get(session, server.url("/x")); }) ? 0 : 1;
          })) == 0);
    CHECK(get(session, server.url("/x")) == "/x");
}

TEST_CASE("in a child a session on the application's executor says whose it is, and leaves what is under way alone") {
    PacedServer server;
    auto io = std::make_unique<asio::io_context>(1);
    auto session = std::make_optional<Session>(io->get_executor(), options_trusting(""));
    auto transfer = asio::co_spawn(*io, get_async(*session, server.url("/big")), asio::use_future);
    std::thread thread([&] { io->run(); });
    server.wait_for_half();
    const pid_t child = start_child([&] {
        if (!throws<std::logic_error>([&] { get(*session, server.url("/x")); })) return 1;
        if (!throws<std::logic_error>([&] { session->stats(); })) return 2;
        session->close();
        const Session own(session->options());
        if (get(own, server.url("/x")) != "/x") return 3;
        session.reset();
        io.reset();  // with the copies of all that was under way
        return 0;
    });
    CHECK(status_of(child) == 0);
    CHECK(!server.disturbed());
    server.let_go();
    REQUIRE(transfer.wait_for(10s) == std::future_status::ready);
    CHECK(transfer.get() == PacedServer::big());
    CHECK(server.accepted() == 2);
    session->close();
    thread.join();
}

TEST_CASE("what was begun before the fork is not gone on with in the child") {
    PacedServer server;
    asio::io_context io(1);
    std::optional<Session> session(options_trusting(""));
    auto begun = std::make_shared<awaitable<std::string>>(get_async(*session, server.url("/x")));
    const auto state = session->state();
    auto made = std::make_shared<awaitable<void>>(
        detail::run_here_or_there<void>(state, []() -> awaitable<void> { co_return; }()));
    CHECK(status_of(start_child([&] {
              auto ended = asio::co_spawn(io, std::move(*made), asio::use_future);
              io.run();
              return throws<std::logic_error>([&] { ended.get(); }) ? 0 : 1;
          })) == 0);
    // A call that makes its request only now is one of the child's.
    CHECK(status_of(start_child([&] {
              auto ended = asio::co_spawn(io, std::move(*begun), asio::use_future);
              io.run();
              return ended.get() == "/x" ? 0 : 1;
          })) == 0);
}

TEST_CASE("a stream of tokens belongs to the process that began it") {
    for (const bool http2 : {false, true}) {
        CAPTURE(http2);
        Script script = letters(2);
        script.steps[1].pause = 50ms;
        ModelServer server(http2, script);
        Fixture one(server, http2);
        std::optional<ChatStream<Blocking>> stream = one.blocking().chat_completion_stream("Hi");
        CHECK(stream->next()->text() == "a");
        CHECK(status_of(start_child([&] {
                  if (!throws<std::logic_error>([&] {
                          while (stream->next()) {
                          }
                      })) {
                      return 1;
                  }
                  stream.reset();
                  return take(one.blocking(), all).text == "ab" ? 0 : 2;
              })) == 0);
        CHECK(stream->next()->text() == "b");
        CHECK(!stream->next());
        CHECK(server.cancelled() == 0);
    }
}

TEST_CASE("a child is served while its parent's workers hash") {
    PacedServer server;
    const Session session(options_trusting(""));
    const auto hash = [&](std::chrono::milliseconds time) -> awaitable<std::string> {
        const auto state = session.state();
        auto work = [time] {
            const std::vector<std::byte> block(1 << 16);
            Hasher hasher = Hasher::sha256();
            for (const auto end = Clock::now() + time; Clock::now() < end;) hasher.update(block);
            return hasher.hex();
        };
        co_return co_await state->workers().run(std::move(work));
    };
    auto hashing = std::async(std::launch::async, [&] { return Blocking::run<std::string>(session, hash(500ms)); });
    std::this_thread::sleep_for(50ms);
    CHECK(status_of(start_child([&] {
              if (Blocking::run<std::string>(session, hash(1ms)).size() != 64) return 1;
              return get(session, server.url("/x")) == "/x" ? 0 : 2;
          })) == 0);
    CHECK(hashing.get().size() == 64);
}

TEST_CASE("a child finds no lock held that another thread of its parent held") {
    std::atomic<bool> over = false;
    std::atomic<int> lines = 0;
    set_log_sink([&](LogLevel, std::string_view) { ++lines; });
    const SessionOptions options = options_trusting("");
    set_client_factory([&] { return Session(options); });
    const auto touch = [&](int number) {
        log(LogLevel::error, "a line");
        register_secret("a secret of its own " + std::to_string(number % 50));
        const Session shared;
        hub::Outages::global().remember(shared.state(), "http://hub.test");
        hub::Outages::global().is_down(shared.state(), "http://hub.test");
        hub::SpaceClaim claim;
        claim.try_claim(1, 10, 1000);
        claim.resize(5);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = t; !over; ++i) touch(i);
        });
    }
    for (int i = 0; i < 40; ++i) {
        const int status = status_of(start_child([&] {
            if (hub::SpaceClaim::claimed(1) != 0) return 1;
            touch(i);
            return lines > 0 ? 0 : 2;
        }));
        CHECK(status == 0);
        if (status != 0) break;
    }
    over = true;
    for (std::thread& one : threads) one.join();
    set_log_sink(nullptr);
    set_client_factory(nullptr);
}
