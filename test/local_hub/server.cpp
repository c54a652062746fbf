#include "server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <csignal>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

namespace hfhub::local_hub {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct Server::State {
    Service& service;
    Statistics& statistics;
    TlsContext tls;
    std::deque<asio::io_context> contexts;
    std::vector<std::unique_ptr<tcp::acceptor>> acceptors;
    std::size_t next_context = 0;

    State(Service& a_service, Statistics& a_statistics, TlsContext a_tls)
        : service(a_service), statistics(a_statistics), tls(std::move(a_tls)) {}

    std::uint16_t open(const tcp::endpoint& endpoint, Site site);
    void accept(tcp::acceptor& acceptor, const Listener& listener);
    void stop() {
        for (auto& context : contexts) context.stop();
    }
};

std::uint16_t Server::State::open(const tcp::endpoint& endpoint, Site site) {
    auto acceptor = std::make_unique<tcp::acceptor>(contexts.front());
    acceptor->open(endpoint.protocol());
    acceptor->set_option(tcp::acceptor::reuse_address(true));
    if (endpoint.protocol() == tcp::v6()) acceptor->set_option(asio::ip::v6_only(true));
    acceptor->bind(endpoint);
    acceptor->listen(1024);
    std::uint16_t port = acceptor->local_endpoint().port();
    accept(*acceptor, Listener{service, statistics, site, tls.get()});
    acceptors.push_back(std::move(acceptor));
    return port;
}

void Server::State::accept(tcp::acceptor& acceptor, const Listener& listener) {
    asio::io_context& context = contexts[next_context++ % contexts.size()];
    acceptor.async_accept(context, [this, &acceptor, listener](const boost::system::error_code& error,
                                                               tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (error) {
            // Out of descriptors, most likely: give connections time to end.
            auto pause = std::make_shared<asio::steady_timer>(acceptor.get_executor(), std::chrono::milliseconds(10));
            pause->async_wait([this, &acceptor, listener, pause](const boost::system::error_code& aborted) {
                if (!aborted) accept(acceptor, listener);
            });
            return;
        }
        auto executor = socket.get_executor();
        asio::post(executor, [listener, held = std::move(socket)]() mutable { serve(std::move(held), listener); });
        accept(acceptor, listener);
    });
}

Server::Server(Service& service, Statistics& statistics, TlsContext tls, unsigned threads)
    : state_(std::make_unique<State>(service, statistics, std::move(tls))) {
    for (unsigned i = 0; i < threads; ++i) state_->contexts.emplace_back(1);
}

Server::~Server() = default;

std::uint16_t Server::listen(Site site, std::uint16_t port) {
    std::uint16_t taken = state_->open({asio::ip::address_v4::loopback(), port}, site);
    try {
        state_->open({asio::ip::address_v6::loopback(), taken}, site);
    } catch (const boost::system::system_error&) {
        // A machine without IPv6, or with the port in use there: "localhost" falls back to 127.0.0.1.
    }
    return taken;
}

void Server::run() {
    std::signal(SIGPIPE, SIG_IGN);
    asio::signal_set signals(state_->contexts.front(), SIGINT, SIGTERM);
    signals.async_wait([this](const boost::system::error_code& error, int) {
        if (!error) state_->stop();
    });
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < state_->contexts.size(); ++i) {
        threads.emplace_back([&context = state_->contexts[i]] {
            auto guard = asio::make_work_guard(context);
            context.run();
        });
    }
    state_->contexts.front().run();
    for (auto& thread : threads) thread.join();
}

}  // namespace hfhub::local_hub
