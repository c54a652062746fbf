// How sessions end: with requests in every phase, on every thread, and when the system gives no thread.

#include "core/digest.hpp"
#include "http/session.hpp"
#include "support/connecting.hpp"
#include "support/few_threads.hpp"

#include <hfhub/mode.hpp>

#include <signal.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <vector>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::Server;
using test::SilentAddress;
using tcp = asio::ip::tcp;

namespace {

SessionOptions plain_options() {
    return SessionOptions(Environment::from([](std::string_view) { return std::optional<std::string>(); }));
}

awaitable<void> fetch(std::shared_ptr<SessionState> state, std::string url) {
    Request request;
    request.url = Url::parse(url);
    Response response = co_await state->pipeline().send(std::move(request));
    co_await read_all(response.body.get(), 1 << 20);
}

struct Application {
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(io);
    std::thread thread{[this] { io.run(); }};
    ~Application() {
        guard.reset();
        thread.join();
    }
};

/// A session, the calls that it runs, and how they end.
struct Ending {
    Application application;
    std::optional<Session> session;
    std::vector<std::future<std::string>> calls;
    std::atomic<bool> over = false;
    std::atomic<int> late = 0;

    void make(bool own_thread, SessionOptions options) {
        const auto count = [this] { late += over ? 1 : 0; };
        options.hooks.on_request = [count](RequestHook&) { count(); };
        options.hooks.on_response = [count](const ResponseInfo&) { count(); };
        own_thread ? session.emplace(options) : session.emplace(application.io.get_executor(), options);
    }

    void start(awaitable<void> work) {
        auto promise = std::make_shared<std::promise<std::string>>();
        calls.push_back(promise->get_future());
        const auto state = session->state();
        const auto begin = [state, promise, work = std::make_shared<awaitable<void>>(std::move(work))] {
            state->spawn(std::move(*work), {},
                         [promise](const std::exception_ptr& error) { promise->set_value(test::outcome_of(error)); });
        };
        REQUIRE(state->post(begin));
    }

    std::size_t waiting() const {
        const auto look = [](std::shared_ptr<SessionState> state) -> awaitable<std::size_t> {
            co_return state->pool().stats().waiting;
        };
        return Blocking::run<std::size_t>(*session, look(session->state()));
    }

    void end() {
        const auto begin = Clock::now();
        session.reset();
        over = true;
        for (auto& one : calls) {
            REQUIRE(one.wait_for(5s) == std::future_status::ready);
            CHECK(one.get() == "CancelledError");
        }
        CHECK(Clock::now() - begin < 5s);
        CHECK(late == 0);
    }
};

template <class Condition>
void wait_until(Condition condition) {
    const auto end = Clock::now() + 10s;
    while (!condition() && Clock::now() < end) std::this_thread::sleep_for(1ms);
    REQUIRE(condition());
}

void on_both_kinds(const std::function<void(Ending&, bool own_thread)>& test) {
    for (const bool own_thread : {true, false}) {
        CAPTURE(own_thread);
        Ending ending;
        test(ending, own_thread);
        ending.end();
    }
}

Server::Handler silent(std::atomic<int>& requests) {
    return [&](test::Peer& peer) {
        if (peer.read_request()) ++requests;
        peer.wait_for_end(20s);
    };
}

}  // namespace

TEST_CASE("the last handle's end cancels a request that waits for a connection, and one that waits for an answer") {
    std::atomic<int> requests = 0;
    Server server(silent(requests));
    on_both_kinds([&](Ending& ending, bool own_thread) {
        SessionOptions options = plain_options();
        options.max_connections = 1;
        ending.make(own_thread, options);
        const int before = requests;
        for (int i = 0; i < 3; ++i) ending.start(fetch(ending.session->state(), server.url("/")));
        wait_until([&] { return requests == before + 1 && ending.waiting() == 2; });
    });
}

TEST_CASE("the last handle's end cancels a look-up") {
    on_both_kinds([](Ending& ending, bool own_thread) {
        ending.make(own_thread, plain_options());
        auto hang = std::make_shared<std::binary_semaphore>(0);
        const auto begun = std::make_shared<std::atomic<bool>>(false);
        const auto look_up = [](std::shared_ptr<SessionState> state, std::function<bool()> work) -> awaitable<void> {
            co_await state->workers().run_detached(std::move(work), Limit{});
        };
        const auto work = [hang, begun] { return *begun = true, hang->try_acquire_for(20s); };
        ending.start(look_up(ending.session->state(), work));
        wait_until([&] { return begun->load(); });
        ending.end();
        ending.calls.clear();
        hang->release();
    });
}

TEST_CASE("the last handle's end cancels a connect, and a TLS handshake") {
    const tcp::endpoint end(asio::ip::make_address("127.0.0.1"), test::refused_port());
    const SilentAddress nobody(end);
    std::atomic<int> unused = 0;
    Server server(silent(unused));
    on_both_kinds([&](Ending& ending, bool own_thread) {
        ending.make(own_thread, plain_options());
        const int before = server.accepted();
        ending.start(fetch(ending.session->state(), "http://127.0.0.1:" + std::to_string(end.port()) + "/"));
        ending.start(fetch(ending.session->state(), test::local(server, "https", "127.0.0.1")));
        wait_until([&] { return server.accepted() == before + 1 && ending.waiting() == 2; });
    });
}

TEST_CASE("the last handle's end cancels a body that is under way, and the wait between two tries") {
    std::atomic<int> asked = 0;
    Server server([&](test::Peer& peer) {
        const auto request = peer.read_request();
        if (!request) return;
        const bool unavailable = request->target == "/503";
        peer.write(unavailable ? "HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n"
                               : "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        ++asked;
        peer.wait_for_end(20s);
    });
    on_both_kinds([&](Ending& ending, bool own_thread) {
        SessionOptions options = plain_options();
        options.backoff_base = options.backoff_cap = std::chrono::hours(100);
        ending.make(own_thread, options);
        const int before = asked;
        ending.start(fetch(ending.session->state(), server.url("/")));
        ending.start(fetch(ending.session->state(), server.url("/503")));
        wait_until([&] { return asked == before + 2 && ending.session->stats().active_requests == 1; });
    });
}

TEST_CASE("the last handle's end cancels hashing, and does not wait for a disk that never answers") {
    on_both_kinds([](Ending& ending, bool own_thread) {
        ending.make(own_thread, plain_options());
        const auto hang = std::make_shared<std::binary_semaphore>(0);
        const auto done = std::make_shared<std::binary_semaphore>(0);
        const auto steps = std::make_shared<std::atomic<int>>(0);
        const auto hash = [](std::shared_ptr<SessionState> state, std::function<void()> step) -> awaitable<void> {
            for (;;) {
                auto work = step;
                co_await state->workers().run(std::move(work));
            }
        };
        const auto step = [steps] {
            const std::vector<std::byte> block(1 << 16);
            Hasher::sha256().update(block);
            ++*steps;
        };
        ending.start(hash(ending.session->state(), step));
        ending.start(hash(ending.session->state(), [hang, done] {
            hang->try_acquire_for(20s);
            done->release();
        }));
        wait_until([&] { return *steps > 10; });
        const auto begin = Clock::now();
        ending.end();
        ending.calls.clear();
        CHECK(Clock::now() - begin < 5s);
        hang->release();
        CHECK(done->try_acquire_for(5s));
    });
}

TEST_CASE("disk work that has not begun when its session closes never runs") {
    SessionOptions options = plain_options();
    options.worker_threads = 1;
    std::binary_semaphore begun(0), go(0);
    std::atomic<int> ran = 0;
    std::vector<std::future<std::string>> calls;
    {
        Session session(options);
        const auto start = [&](std::function<void()> work) {
            calls.push_back(std::async(std::launch::async, [&session, work] {
                return test::outcome([&] { Blocking::run<void>(session, session.state()->workers().run(work)); });
            }));
        };
        start([&] {
            begun.release();
            go.try_acquire_for(10s);
            ++ran;
        });
        begun.acquire();
        start([&] { ran += 10; });
        std::promise<void> queued;  // behind the second one on the I/O thread
        std::this_thread::sleep_for(20ms);
        session.state()->post([&] { queued.set_value(); });
        queued.get_future().wait();
        session.close();
        for (auto& one : calls) CHECK(one.get() == "CancelledError");
        go.release();
        std::this_thread::sleep_for(20ms);
    }
    CHECK(ran == 1);
}

TEST_CASE("the last reference to a session may go on one of its workers") {
    std::optional<Session> session(plain_options());
    const std::weak_ptr<SessionState> state = session->state();
    std::binary_semaphore begun(0), go(0);
    auto work = [kept = session->state(), &begun, &go] {
        begun.release();
        go.try_acquire_for(10s);
    };
    const auto run = [](std::shared_ptr<SessionState> state, std::function<void()> work) -> awaitable<void> {
        co_await state->workers().run(std::move(work));
    };
    session->state()->post([made = session->state(), run, &work] {
        made->spawn(run(made, std::move(work)), {}, [](const std::exception_ptr&) {});
    });
    begun.acquire();
    session.reset();
    CHECK(!state.expired());
    go.release();
    wait_until([&] { return state.expired(); });
}

TEST_CASE("a session may be closed, and its last handle may go, inside its own hooks") {
    Server server(test::http1_answers([](const test::ServerRequest&) { return test::ok_answer("hello"); }));
    for (const bool own_thread : {true, false}) {
        for (const bool last : {true, false}) {
            for (const bool before : {true, false}) {
                CAPTURE(own_thread);
                CAPTURE(last);
                CAPTURE(before);
                Application application;
                std::optional<Session> session;
                const auto leave = [&] {
                    if (last) session.reset();
                    if (!last) session->close();
                };
                SessionOptions options = plain_options();
                if (before) options.hooks.on_request = [&](RequestHook&) { leave(); };
                if (!before) options.hooks.on_response = [&](const ResponseInfo&) { leave(); };
                own_thread ? session.emplace(options) : session.emplace(application.io.get_executor(), options);
                auto state = session->state();
                std::promise<std::string> promise;
                auto ended = promise.get_future();
                state->post([state, &promise, url = server.url("/")] {
                    state->spawn(fetch(state, url), {},
                                 [&](const std::exception_ptr& error) { promise.set_value(test::outcome_of(error)); });
                });
                REQUIRE(ended.wait_for(5s) == std::future_status::ready);
                const std::string outcome = ended.get();
                CHECK((outcome == "CancelledError" || (!before && outcome == "ok")));
                const std::weak_ptr<SessionState> left = std::exchange(state, nullptr);
                session.reset();
                wait_until([&] { return left.expired(); });
            }
        }
    }
}

TEST_CASE("where the system gives no thread, a session says so") {
    {
        const test::FewThreads none;
        const auto make = [] { const Session session(plain_options()); };
        CHECK(test::outcome(make) == "ResourceError");
        CHECK(test::message(make).find("ulimit -u") != std::string::npos);
    }
    const Session session(plain_options());
    CHECK(session.stats().open_connections == 0);
}

TEST_CASE("a session installs no signal handler and leaves the caller's mask alone") {
    const auto look = [] {
        std::vector<std::pair<const void*, int>> all;
        for (int signal = 1; signal < NSIG; ++signal) {
            struct sigaction action{};
            if (::sigaction(signal, nullptr, &action) != 0) continue;
            all.emplace_back(reinterpret_cast<const void*>(action.sa_handler), action.sa_flags);
        }
        sigset_t mask;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
        for (int signal = 1; signal < NSIG; ++signal) all.emplace_back(nullptr, ::sigismember(&mask, signal));
        return all;
    };
    Server server(test::http1_answers([](const test::ServerRequest&) { return test::ok_answer("hello"); }));
    const auto before = look();
    const Session session(plain_options());
    Blocking::run<void>(session, fetch(session.state(), server.url("/")));
    CHECK((look() == before));
}
