#include "http/session.hpp"

#include "core/log.hpp"
#include "support/h2_peer.hpp"
#include "support/loop.hpp"
#include "support/server.hpp"

#include <hfhub/mode.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>

#include <future>
#include <semaphore>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Loop;
using test::Peer;
using test::Server;

namespace {

SessionOptions plain_options() {
    SessionOptions options(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
    options.backoff_base = options.backoff_cap = 2ms;
    options.idle_timeout = options.headers_timeout = 10s;
    return options;
}

awaitable<std::string> fetch(std::shared_ptr<SessionState> state, std::string url) {
    Request request;
    request.url = Url::parse(url);
    request.max_attempts = 1;
    Response response = co_await state->pipeline().send(std::move(request));
    co_return co_await read_all(response.body.get(), 1 << 20);
}

Server::Handler echo_target() {
    return test::http1_answers([](const test::ServerRequest& request) { return test::ok_answer(request.target); });
}

Server::Handler silent() {
    return [](Peer& peer) { peer.wait_for_end(20s); };
}

// An io_context on a thread of its own, as an application has one.
struct Application {
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(io);
    std::thread thread{[this] { io.run(); }};
    ~Application() {
        guard.reset();
        thread.join();
    }
    template <class T>
    std::future<T> start(awaitable<T> work) {
        auto promise = std::make_shared<std::promise<T>>();
        asio::co_spawn(io, std::move(work), [promise](std::exception_ptr error, T value) {
            if (error) promise->set_exception(error);
            if (!error) promise->set_value(std::move(value));
        });
        return promise->get_future();
    }
};

struct Seen {
    std::string outcome;
    std::thread::id thread;
};

// Calls through the coroutine mode and tells how it ended, and where.
awaitable<Seen> call(std::shared_ptr<std::optional<Session>> session, std::string url) {
    std::exception_ptr error;
    try {
        auto work = Awaiting::run<std::string>(**session, fetch((*session)->state(), url));
        const std::string body = co_await std::move(work);
    } catch (...) {
        error = std::current_exception();
    }
    co_return Seen{test::outcome_of(error), std::this_thread::get_id()};
}

std::shared_ptr<std::optional<Session>> share(Session session) {
    return std::make_shared<std::optional<Session>>(std::move(session));
}

}  // namespace

TEST_CASE("blocking and coroutine callers of one session share one connection") {
    for (const bool http2 : {false, true}) {
        Server server(http2 ? Server::Handler([](Peer& peer) {
            test::H2Peer h2;
            h2.on_request = [&](test::H2Peer::Exchange& one) { h2.respond(one.id, 200, {}, one.field(":path")); };
            test::serve_h2(peer, h2);
        })
                            : echo_target());
        SessionOptions options = plain_options();
        if (http2) options.http_version = HttpVersion::http2_prior_knowledge;
        const auto session = share(Session(options));
        CHECK(Blocking::run<std::string>(**session, fetch((*session)->state(), server.url("/a"))) == "/a");
        Application application;
        const auto seen = application.start(call(session, server.url("/b"))).get();
        CHECK(seen.outcome == "ok");
        CHECK(seen.thread == application.thread.get_id());
        CHECK(Blocking::run<std::string>(**session, fetch((*session)->state(), server.url("/c"))) == "/c");
        CHECK(server.accepted() == 1);
        CHECK((*session)->stats().connections_opened == 1);
    }
}

namespace {

// Tells on which thread the last reference to it went.
struct Noting {
    std::atomic<std::thread::id>* ended;
    explicit Noting(std::atomic<std::thread::id>& where) : ended(&where) {}
    Noting(const Noting&) = delete;
    ~Noting() { *ended = std::this_thread::get_id(); }
};

awaitable<std::string> fail(std::shared_ptr<Noting> noting) {
    struct Failure {
        std::shared_ptr<Noting> noting;
    };
    Failure failure{std::move(noting)};
    throw failure;
    co_return "";
}

awaitable<std::string> failing(std::atomic<std::thread::id>& ended) { return fail(std::make_shared<Noting>(ended)); }

}  // namespace

TEST_CASE("an error that reached its caller is nobody else's: it ends on the caller's thread") {
    const Session session(plain_options());
    Application application;
    std::atomic<std::thread::id> ended;
    for (int i = 0; i < 300; ++i) {
        CHECK_THROWS(Blocking::run<std::string>(session, failing(ended)));
        CHECK(ended.load() == std::this_thread::get_id());
        const auto caught = [&]() -> awaitable<std::string> {
            auto work = Awaiting::run<std::string>(session, failing(ended));
            try {
                co_await std::move(work);
            } catch (...) {
            }
            co_return "caught";
        };
        CHECK(application.start(caught()).get() == "caught");
        // The handler that the error came with has ended, too, when the next one runs.
        const auto next = []() -> awaitable<std::string> { co_return "next"; };
        CHECK(application.start(next()).get() == "next");
        CHECK(ended.load() == application.thread.get_id());
    }
}

TEST_CASE("a blocking call on the I/O thread throws instead of waiting for itself") {
    const Session session(plain_options());
    const auto inside = [&]() -> awaitable<std::string> {
        std::string text;
        try {
            Blocking::run<std::string>(session, fetch(session.state(), "http://127.0.0.1:1/"));
        } catch (const std::logic_error& error) {
            text = error.what();
        }
        co_return text;
    };
    CHECK(Blocking::run<std::string>(session, inside()).find("I/O thread") != std::string::npos);
}

namespace {

// Whether a blocking call throws where this is called.
bool refuses(const Session& session) {
    try {
        Blocking::run<std::string>(session, fetch(session.state(), "http://127.0.0.1:1/"));
    } catch (const std::logic_error&) {
        return true;
    } catch (const Error&) {
        // It was made, and nobody listens there.
    }
    return false;
}

// Runs it there and gives what it returns, or nothing where that takes longer than a second.
template <class Executor>
std::optional<bool> on(const Executor& executor, std::function<bool()> work) {
    auto promise = std::make_shared<std::promise<bool>>();
    auto future = promise->get_future();
    asio::post(executor, [promise, work = std::move(work)] { promise->set_value(work()); });
    if (future.wait_for(1s) != std::future_status::ready) return std::nullopt;
    return future.get();
}

}  // namespace

TEST_CASE("on a thread that runs the application's executor a blocking call throws, in handlers of every kind") {
    Application application;
    asio::thread_pool pool(1);
    const asio::any_io_executor io = application.io.get_executor();
    const asio::any_io_executor executors[] = {io,
                                               asio::prefer(io, asio::execution::outstanding_work.tracked),
                                               asio::make_strand(application.io.get_executor()),
                                               asio::make_strand(io),
                                               pool.get_executor(),
                                               asio::make_strand(pool.get_executor())};
    for (std::size_t i = 0; i < std::size(executors); ++i) {
        CAPTURE(i);
        const Session session(executors[i], plain_options());
        const bool is_pooled = i >= 4;
        // On the executor itself, and in a plain handler of the thread beside it.
        CHECK(on(executors[i], [&] { return refuses(session); }) == true);
        const auto beside = is_pooled ? asio::any_io_executor(pool.get_executor()) : io;
        CHECK(on(beside, [&] { return refuses(session); }) == true);
        // The same thread's own session is no hindrance.
        const Session other(plain_options());
        const auto waits = [&] { return !refuses(other); };
        CHECK(on(beside, waits) == true);
    }
    pool.join();
}

TEST_CASE("a blocking call inside a hook or a coroutine of the application's executor throws") {
    Server server(echo_target());
    Application application;
    std::optional<Session> session;
    std::vector<bool> refused;
    SessionOptions options = plain_options();
    options.hooks.on_request = [&](RequestHook&) { refused.push_back(refuses(*session)); };
    options.hooks.on_response = [&](const ResponseInfo&) { refused.push_back(refuses(*session)); };
    session.emplace(asio::make_strand(application.io.get_executor()), options);
    const auto inside = [&]() -> awaitable<std::string> {
        auto work = Awaiting::run<std::string>(*session, fetch(session->state(), server.url("/x")));
        std::string text = co_await std::move(work);
        refused.push_back(refuses(*session));
        co_return text;
    };
    auto future = application.start(inside());
    REQUIRE(future.wait_for(2s) == std::future_status::ready);
    CHECK(future.get() == "/x");
    CHECK(refused == std::vector<bool>{true, true, true});
    CHECK(Blocking::run<std::string>(*session, fetch(session->state(), server.url("/y"))) == "/y");
}

TEST_CASE("the counters are there at once, on every thread, also where nobody runs the session's executor") {
    Server server(echo_target());
    asio::io_context io(1);
    std::vector<std::size_t> inside;
    SessionOptions options = plain_options();
    std::optional<Session> session;
    options.hooks.on_response = [&](const ResponseInfo&) { inside.push_back(session->stats().active_requests); };
    session.emplace(io.get_executor(), options);
    CHECK(session->stats().open_connections == 0);
    const auto state = session->state();
    for (int i = 0; i < 2; ++i) {
        std::optional<std::string> text;
        const auto work = [&]() -> awaitable<void> { text = co_await fetch(state, server.url("/x")); };
        asio::post(io, [&] { state->spawn(work(), {}, [](std::exception_ptr) {}); });
        while (!text && io.run_one() > 0) {
        }
        CHECK(text == "/x");
    }
    CHECK(inside == std::vector<std::size_t>{1, 1});
    const SessionStats idle = session->stats();
    CHECK(idle.connections_opened == 1);
    CHECK(idle.open_connections == 1);
    CHECK(idle.idle_connections == 1);
    CHECK(idle.active_requests == 0);
    session->close();
    io.run();
    CHECK(session->stats().open_connections == 0);
    CHECK(session->stats().idle_connections == 0);
    CHECK(session->stats().connections_opened == 1);
}

TEST_CASE("a state gives handles while there is one") {
    std::optional<Session> session(plain_options());
    const auto state = session->state();
    std::optional<Session> second = Session::of(state);
    REQUIRE(second);
    session.reset();
    CHECK(!second->state()->closed());
    second.reset();
    CHECK(state->closed());
    CHECK(!Session::of(state));
}

TEST_CASE("a stop token ends a blocking call, before it and during it") {
    Server server(silent());
    const Session session(plain_options());
    std::stop_source stop;
    std::thread stopper([&] {
        std::this_thread::sleep_for(30ms);
        stop.request_stop();
    });
    const auto begin = Clock::now();
    CHECK(test::outcome([&] {
              Blocking::run<std::string>(session, fetch(session.state(), server.url()), stop.get_token());
          }) == "CancelledError");
    CHECK(Clock::now() - begin < 1s);
    stopper.join();
    CHECK(test::outcome([&] {
              Blocking::run<std::string>(session, fetch(session.state(), server.url()), stop.get_token());
          }) == "CancelledError");
    CHECK(session.stats().active_requests == 0);
}

TEST_CASE("asio cancellation ends a coroutine call as cancelled, on the caller's thread") {
    Server server(silent());
    const auto session = share(Session(plain_options()));
    Application application;
    asio::cancellation_signal signal;
    std::promise<Seen> promise;
    asio::post(application.io, [&] {
        asio::co_spawn(application.io, call(session, server.url()),
                       asio::bind_cancellation_slot(signal.slot(),
                                                    [&](std::exception_ptr, Seen seen) { promise.set_value(seen); }));
    });
    while (server.accepted() == 0) std::this_thread::sleep_for(1ms);
    asio::post(application.io, [&] { signal.emit(asio::cancellation_type::terminal); });
    auto future = promise.get_future();
    REQUIRE(future.wait_for(2s) == std::future_status::ready);
    const Seen seen = future.get();
    CHECK(seen.outcome == "CancelledError");
    CHECK(seen.thread == application.thread.get_id());
    CHECK((*session)->stats().active_requests == 0);
}

TEST_CASE("a session on the application's executor makes no thread, and its coroutines do not leave theirs") {
    Server server(echo_target());
    Application application;
    {
        const auto session = share(Session(application.io.get_executor(), plain_options()));
        const auto seen = application.start(call(session, server.url("/x"))).get();
        CHECK(seen.outcome == "ok");
        CHECK(seen.thread == application.thread.get_id());
        CHECK(Blocking::run<std::string>(**session, fetch((*session)->state(), server.url("/y"))) == "/y");
        CHECK(server.accepted() == 1);
        CHECK((*session)->executor() == asio::any_io_executor(application.io.get_executor()));
    }
}

TEST_CASE("when the last handle goes, what is under way ends as cancelled within a second") {
    Server server(silent());
    Application application;
    for (const bool own_thread : {true, false}) {
        CAPTURE(own_thread);
        const auto session = own_thread ? share(Session(plain_options()))
                                        : share(Session(application.io.get_executor(), plain_options()));
        std::vector<std::future<Seen>> calls;
        const int before = server.accepted();
        for (int i = 0; i < 5; ++i) calls.push_back(application.start(call(session, server.url())));
        while (server.accepted() < before + 5) std::this_thread::sleep_for(1ms);
        const auto begin = Clock::now();
        session->reset();
        CHECK(Clock::now() - begin < 1s);
        for (auto& one : calls) {
            REQUIRE(one.wait_for(2s) == std::future_status::ready);
            CHECK(one.get().outcome == "CancelledError");
        }
        CHECK(Clock::now() - begin < 1s);
    }
}

TEST_CASE("a call that begins after its session has ended is cancelled, not lost") {
    Application application;
    auto session = std::make_optional<Session>(plain_options());
    auto late = Awaiting::run<std::string>(*session, fetch(session->state(), "http://127.0.0.1:1/"));
    session.reset();
    auto future = application.start(std::move(late));
    REQUIRE(future.wait_for(2s) == std::future_status::ready);
    CHECK(test::outcome([&] { future.get(); }) == "CancelledError");
}

TEST_CASE("close() ends what is under way, and the session refuses what comes after it") {
    Server server(silent());
    const Session session(plain_options());
    auto running = std::async(std::launch::async, [&] {
        return test::outcome([&] { Blocking::run<std::string>(session, fetch(session.state(), server.url())); });
    });
    while (server.accepted() == 0) std::this_thread::sleep_for(1ms);
    Session(session).close();
    CHECK(running.get() == "CancelledError");
    CHECK(test::outcome([&] { Blocking::run<std::string>(session, fetch(session.state(), server.url())); }) ==
          "CancelledError");
}

TEST_CASE("many threads and coroutines use one session at once") {
    Server server([](Peer& peer) {
        test::H2Peer h2;
        h2.on_request = [&](test::H2Peer::Exchange& one) { h2.respond(one.id, 200, {}, one.field(":path")); };
        test::serve_h2(peer, h2);
    });
    SessionOptions options = plain_options();
    options.http_version = HttpVersion::http2_prior_knowledge;
    const auto session = share(Session(options));
    Application application;
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 10; ++i) {
                const std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
                if (Blocking::run<std::string>(**session, fetch((*session)->state(), server.url(target))) == target)
                    ++good;
            }
        });
    }
    std::vector<std::future<Seen>> calls;
    for (int i = 0; i < 50; ++i)
        calls.push_back(application.start(call(session, server.url("/c" + std::to_string(i)))));
    for (auto& one : calls) CHECK(one.get().outcome == "ok");
    for (auto& thread : threads) thread.join();
    CHECK(good == 160);
    CHECK(server.accepted() == 1);
}

TEST_CASE("the process-wide session is made by the factory, once, and replaced with it") {
    int made = 0;
    set_client_factory([&] {
        ++made;
        return Session(plain_options());
    });
    const Session first, second;
    CHECK(made == 1);
    CHECK(first.state() == second.state());
    CHECK(default_async_session().state() == first.state());
    int made_async = 0;
    set_async_client_factory([&] {
        ++made_async;
        return Session(plain_options());
    });
    const Session async = default_async_session();
    CHECK(async.state() != first.state());
    CHECK(default_async_session().state() == async.state());
    CHECK(made_async == 1);
    set_client_factory([&] {
        ++made;
        return Session(plain_options());
    });
    CHECK(first.state()->closed());
    const Session third;
    CHECK(made == 2);
    CHECK(third.state() != first.state());
    set_async_client_factory(nullptr);
    CHECK(async.state()->closed());
    set_client_factory(nullptr);
}

TEST_CASE("a factory may ask for the process-wide sessions itself") {
    set_client_factory([] { return Session(plain_options()); });
    set_async_client_factory([] { return Session(); });
    CHECK(default_async_session().state() == Session().state());
    set_async_client_factory(nullptr);
    std::shared_ptr<SessionState> inner;
    bool asked = false;
    set_client_factory([&] {
        if (!std::exchange(asked, true)) inner = Session().state();
        return Session(plain_options());
    });
    CHECK(Session().state() == inner);  // the first that is there is everybody's
    set_client_factory(nullptr);
}

TEST_CASE("a session opens as many connections as it may, also to one host, and keeps as many as it may") {
    std::counting_semaphore<100> open(0);
    Server server(test::http1_answers(
        [&](const test::ServerRequest&) { return open.try_acquire_for(10s) ? test::ok_answer("x") : std::string(); }));
    SessionOptions options = plain_options();
    options.max_connections = 40;
    options.max_idle_connections = 3;
    const Session session(options);
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 40; ++i) {
        threads.emplace_back(
            [&] { good += Blocking::run<std::string>(session, fetch(session.state(), server.url())) == "x" ? 1 : 0; });
    }
    const auto end = Clock::now() + 8s;
    while (server.accepted() < 35 && Clock::now() < end) std::this_thread::sleep_for(1ms);
    CHECK(server.accepted() == 35);  // an eighth is left for other hosts
    CHECK(session.stats().idle_connections == 0);
    open.release(40);
    for (auto& thread : threads) thread.join();
    CHECK(good == 40);
    while (session.stats().open_connections > 3 && Clock::now() < end) std::this_thread::sleep_for(1ms);
    CHECK(session.stats().open_connections == 3);
}

TEST_CASE("an exception that reaches the I/O thread is logged, and does not end it") {
    Server server(echo_target());
    std::vector<std::string> lines;
    set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
    const Session session(plain_options());
    session.state()->post([] { throw std::runtime_error("a hook of somebody"); });
    CHECK(Blocking::run<std::string>(session, fetch(session.state(), server.url("/x"))) == "/x");
    set_log_sink({});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("a hook of somebody") != std::string::npos);
}

TEST_CASE("the password of a proxy is kept out of what the library writes, whatever characters it has") {
    SessionOptions options = plain_options();
    options.environment.http_proxy = "http://user:first@pass:word@127.0.0.1:9";
    options.environment.https_proxy = "user:otherpassword@127.0.0.1:9";
    options.environment.all_proxy = "socks5://127.0.0.1:9";
    const Session session(options);
    CHECK(redact("an answer with first@pass:word in it").find("first") == std::string::npos);
    CHECK(redact("an answer with otherpassword in it").find("otherpassword") == std::string::npos);
    CHECK(redact("127.0.0.1:9") == "127.0.0.1:9");
}

TEST_CASE("cancellation on the session's own executor is told by the library's name") {
    Server server(silent());
    Application application;
    const auto session = share(Session(application.io.get_executor(), plain_options()));
    for (const auto delay : {0ms, 1ms, 20ms}) {
        asio::cancellation_signal signal;
        std::promise<Seen> promise;
        auto future = promise.get_future();
        asio::post(application.io, [&] {
            asio::co_spawn(application.io, call(session, server.url()),
                           asio::bind_cancellation_slot(
                               signal.slot(), [&](std::exception_ptr, Seen seen) { promise.set_value(seen); }));
        });
        std::this_thread::sleep_for(delay);
        asio::post(application.io, [&] { signal.emit(asio::cancellation_type::terminal); });
        REQUIRE(future.wait_for(2s) == std::future_status::ready);
        const std::string outcome = future.get().outcome;
        CHECK(outcome == "CancelledError");
    }
}
