#include "http/connect.hpp"

#include "http/connect_error.hpp"
#include "http/happy_eyeballs.hpp"
#include "http/socket.hpp"
#include "support/connecting.hpp"
#include "support/no_descriptors.hpp"
#include "support/silent_address.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <netinet/tcp.h>

#include <atomic>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;
using test::caught;
using test::ConnectFixture;
using test::hello;
using test::local;
using test::Loop;
using test::Peer;
using test::Server;
using test::SilentAddress;
using tcp = asio::ip::tcp;

namespace {

awaitable<void> keep(awaitable<tcp::socket> work, std::string& address) {
    const tcp::socket socket = co_await std::move(work);
    address = socket.remote_endpoint().address().to_string();
}

tcp::endpoint endpoint_at(const char* address, std::uint16_t port) { return {asio::ip::make_address(address), port}; }

}  // namespace

TEST_CASE("addresses alternate between the families, beginning with the first") {
    const auto end = [](const char* address) { return tcp::endpoint(asio::ip::make_address(address), 1); };
    const auto text = [](const std::vector<tcp::endpoint>& list) {
        std::string out;
        for (const auto& one : list) out += one.address().to_string() + " ";
        return out;
    };
    CHECK(text(interleave({})).empty());
    CHECK(text(interleave({end("::1"), end("::2"), end("::3"), end("1.0.0.1"), end("1.0.0.2")})) ==
          "::1 1.0.0.1 ::2 1.0.0.2 ::3 ");
    CHECK(text(interleave({end("1.0.0.1"), end("1.0.0.2"), end("::1")})) == "1.0.0.1 ::1 1.0.0.2 ");
}

TEST_CASE("a plain connection is made by address and by name") {
    Server server(hello());
    ConnectFixture f;
    for (const char* host : {"127.0.0.1", "localhost"}) {
        auto stream = f.connect(local(server, "http", host));
        CHECK(f.read(*stream) == "hello");
        CHECK(stream->alpn().empty());
        CHECK(stream->peer() == "127.0.0.1:" + std::to_string(server.port()));
    }
}

TEST_CASE("addresses are tried side by side: a silent one costs its head start, a refusing one nothing") {
    Server server(hello());
    const auto at = [&](const char* address) { return endpoint_at(address, server.port()); };
    const SilentAddress silent(at("127.0.0.2"));
    ConnectFixture f;
    struct Outcome {
        std::string result, address, message;
        Clock::duration took;
    };
    const auto race = [&](std::vector<tcp::endpoint> endpoints, std::chrono::milliseconds limit) {
        Outcome outcome;
        const auto begin = Clock::now();
        outcome.result = test::outcome([&] {
            auto work = race_to(*f.loop.waits, endpoints, "test", f.limit(limit));
            const auto task = f.loop.start(keep(std::move(work), outcome.address));
            f.loop.until([&] { return task->done; });
            outcome.message = test::message_of(task->error);
            if (task->error) std::rethrow_exception(task->error);
        });
        outcome.took = Clock::now() - begin;
        return outcome;
    };
    const Outcome silent_first = race({at("127.0.0.2"), at("127.0.0.1")}, 5s);
    CHECK(silent_first.address == "127.0.0.1");
    CHECK(silent_first.took >= 200ms);
    CHECK(silent_first.took < 900ms);
    const Outcome refused_first = race({at("127.0.0.3"), at("127.0.0.1")}, 5s);
    CHECK(refused_first.address == "127.0.0.1");
    CHECK(refused_first.took < 200ms);
    const Outcome refused = race({at("127.0.0.3"), at("127.0.0.4")}, 5s);
    CHECK(refused.result == "ConnectError");
    CHECK(refused.message == "cannot connect to test (127.0.0.3: Connection refused, 127.0.0.4: Connection refused)");
    const Outcome silent_last = race({at("127.0.0.3"), at("127.0.0.2")}, 100ms);
    CHECK(silent_last.result == "TimeoutError");
    CHECK(silent_last.message ==
          "no connection could be made within 100 ms to test (127.0.0.3: Connection refused, 127.0.0.2: no answer)");
    CHECK(race({}, 100ms).result == "ConnectError");
}

TEST_CASE("a name with two families: who answered is asked first the next time") {
    Server server(hello());
    const SilentAddress silent(endpoint_at("127.0.0.2", server.port()));
    std::atomic<int> asked = 0;
    const auto resolver = [&](const std::string& host, std::uint16_t port) {
        ++asked;
        CHECK(host == "two.test");
        Lookup found;
        for (const char* one : {"127.0.0.2", "127.0.0.1", "::1"}) found.endpoints.push_back(endpoint_at(one, port));
        return found;
    };
    ConnectFixture f({}, resolver);
    const auto took = [&] {
        const auto begin = Clock::now();
        auto stream = f.connect(local(server, "http", "two.test"));
        CHECK(stream->peer() == "127.0.0.1:" + std::to_string(server.port()));
        return Clock::now() - begin;
    };
    const auto first = took();
    CHECK(first >= 200ms);  // the silent one's head start; the IPv6 address refuses at once
    CHECK(first < 900ms);
    CHECK(took() < 200ms);
    CHECK(asked == 2);
}

TEST_CASE("sockets are not inherited by other programs, and notice a peer that vanished") {
    Server server(hello());
    ConnectFixture f;
    auto work = race_to(*f.loop.waits, {endpoint_at("127.0.0.1", server.port())}, "test", f.limit());
    tcp::socket socket = f.loop.run(std::move(work));
    const int fd = socket.native_handle();
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    const SocketStream stream(std::move(socket));
    const auto option = [&](int level, int name) {
        int value = -1;
        socklen_t size = sizeof value;
        ::getsockopt(fd, level, name, &value, &size);
        return value;
    };
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 75'000);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(IPPROTO_TCP, TCP_KEEPINTVL) == 30);
    CHECK(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(option(IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 256 * 1024);
}

TEST_CASE("without descriptors the error says what to do, and another try may help" *
          doctest::skip(test::needs_descriptors)) {
    Server server(hello());
    ConnectFixture f;
    const test::NoDescriptors none;
    for (const char* host : {"127.0.0.1", "localhost"}) {
        CAPTURE(host);
        const auto error = caught<OutOfDescriptorsError>([&] { f.connect(local(server, "http", host)); });
        CHECK_FALSE(error.permanent);
        CHECK(std::string(error.what()).find(host) != std::string::npos);
        CHECK(std::string(error.what()).find("ulimit -n") != std::string::npos);
    }
}

TEST_CASE("who cannot be reached is named, with the reason") {
    ConnectFixture f;
    const std::string port = std::to_string(test::refused_port());
    const auto refused = caught<ConnectError>([&] { f.connect("http://127.0.0.1:" + port + "/"); });
    CHECK(std::string(refused.what()).find("127.0.0.1:" + port) != std::string::npos);
    CHECK(std::string(refused.what()).find("refused") != std::string::npos);
    CHECK_FALSE(refused.permanent);
    CHECK_FALSE(refused.maybe_processed);
    const auto unknown = caught<ConnectError>([&] { f.connect("http://no-such-host.invalid/"); });
    CHECK(std::string(unknown.what()).find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("the connect limit covers the TLS handshake, and cancelling ends it") {
    Server silent([](Peer& peer) { peer.wait_for_end(); });
    ConnectFixture f;
    const auto begin = Clock::now();
    const auto error = caught<TimeoutError>([&] { f.connect(local(silent), {}, true, 50ms); });
    CHECK(error.phase == TimeoutPhase::connect);
    CHECK(Clock::now() - begin < 2s);
    const auto connect = [&]() -> awaitable<void> {
        Route route;
        route.target = Url::parse(local(silent));
        auto work = f.connector.connect(std::move(route), f.limit(), f.times);
        const auto stream = co_await std::move(work);
    };
    const auto task = f.loop.start(connect());
    f.loop.pass(20ms);
    task->cancel();
    f.loop.turn();
    CHECK(task->outcome() == "CancelledError");
    CHECK([&] {
        for (int i = 0; i < 200 && silent.open() > 0; ++i) f.loop.pass(10ms);
        return silent.open();
    }() == 0);
}
