// Handles of sessions, in each process to a state of its own, and the process-wide ones.

#include "core/fork.hpp"
#include "http/session.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <mutex>

namespace hfhub {

namespace http {

std::shared_ptr<SessionHandles> SessionHandles::make(std::optional<asio::any_io_executor> executor,
                                                     SessionOptions options) {
    std::shared_ptr<SessionHandles> handles(new SessionHandles(std::move(executor), std::move(options)));
    handles->set(SessionState::make(handles->executor_, handles->options_));
    return handles;
}

SessionHandles::SessionHandles(std::optional<asio::any_io_executor> executor, SessionOptions options)
    : executor_(std::move(executor)), options_(std::make_shared<const SessionOptions>(std::move(options))) {}

SessionHandles::~SessionHandles() {
    for (const Present& one : states_) one.state->end();
}

void SessionHandles::set(std::shared_ptr<SessionState> state) {
    state->set_handles(weak_from_this());
    states_.push_back({{}, std::move(state)});
    present_.store(&states_.back(), std::memory_order_release);
}

std::shared_ptr<SessionState> SessionHandles::state() {
    const Present* present = present_.load(std::memory_order_acquire);
    return present->process.is_this() ? present->state : renew();
}

std::shared_ptr<SessionState> SessionHandles::renew() {
    if (executor_) {
        throw std::logic_error(
            "the session runs on an executor of the application, which is the business of the process that forked "
            "this one; make a Session of the child's own");
    }
    const auto made = SessionState::make(std::nullopt, options_);
    std::shared_ptr<SessionState> state;
    {
        static auto* const mutex = new ForkSafeMutex;
        const std::lock_guard lock(*mutex);
        if (!present_.load()->process.is_this()) set(made);
        state = present_.load()->state;
    }
    if (state != made) made->end();  // another thread was first
    if (closed_) state->close();
    return state;
}

void SessionHandles::close() {
    closed_ = true;
    const Present* present = present_.load(std::memory_order_acquire);
    if (present->process.is_this()) present->state->close();
}

}  // namespace http

SessionOptions::SessionOptions() : SessionOptions(Environment::from_process()) {}

SessionOptions::SessionOptions(Environment environment) : environment(std::move(environment)) {}

namespace {

struct Defaults {
    // OpenSSL's own clean-up at exit must come after ours.
    Defaults() { OPENSSL_init_ssl(0, nullptr); }
    ForkSafeMutex mutex;
    std::function<Session()> factory, async_factory;
    std::optional<Session> session, async_session;
};

Defaults& defaults() {
    static Defaults made;
    return made;
}

Session make_default(const std::function<Session()>& factory) {
    return factory ? factory() : Session(SessionOptions());
}

void replace(std::function<Session()> Defaults::* factory, std::optional<Session> Defaults::* session,
             std::function<Session()> made_by) {
    std::optional<Session> old;
    {
        const std::lock_guard lock(defaults().mutex);
        defaults().*factory = std::move(made_by);
        old.swap(defaults().*session);
    }
    if (old) old->close();
}

// The factory runs without the lock: it may ask for the process-wide sessions itself.
Session shared_session(std::optional<Session> Defaults::* slot, const std::function<Session()>& factory) {
    Session made = make_default(factory);
    const std::lock_guard lock(defaults().mutex);
    auto& session = defaults().*slot;
    if (!session) session.emplace(std::move(made));
    return *session;
}

}  // namespace

Session::Session() {
    std::function<Session()> factory;
    {
        const std::lock_guard lock(defaults().mutex);
        if (defaults().session) {
            *this = *defaults().session;
            return;
        }
        factory = defaults().factory;
    }
    *this = shared_session(&Defaults::session, factory);
}

Session::Session(SessionOptions options) : handles_(http::SessionHandles::make(std::nullopt, std::move(options))) {}

Session::Session(asio::any_io_executor executor, SessionOptions options)
    : handles_(http::SessionHandles::make(std::move(executor), std::move(options))) {}

std::shared_ptr<http::SessionState> Session::state() const { return handles_->state(); }

std::optional<Session> Session::of(const std::shared_ptr<http::SessionState>& state) {
    auto handles = state->handles();
    if (!handles) return std::nullopt;
    return Session(std::move(handles));
}

const Environment& Session::environment() const noexcept { return options().environment; }

const SessionOptions& Session::options() const noexcept { return handles_->options(); }

asio::any_io_executor Session::executor() const { return state()->executor(); }

SessionStats Session::stats() const {
    const auto state = handles_->state();
    const http::Counters& counted = state->counters();
    const std::size_t open = counted.open.value();
    return {.connections_opened = counted.opened.value(),
            .connects_failed = counted.connects_failed.value(),
            .open_connections = open,
            .idle_connections = open - std::min<std::size_t>(counted.busy.value(), open),
            .active_requests = counted.active.value(),
            .requests = counted.requests.value(),
            .retries = counted.retries.value(),
            .waited = std::chrono::milliseconds(counted.waited.value()),
            .redirects = counted.redirects.value(),
            .requests_refused = counted.refused.value(),
            .requests_cancelled = counted.cancelled.value(),
            .connections_reused = counted.reused.value(),
            .tls_handshakes = counted.handshakes.value(),
            .tls_resumptions = counted.resumptions.value(),
            .bytes_sent = counted.bytes_sent.value(),
            .bytes_received = counted.bytes_received.value()};
}

void Session::close() { handles_->close(); }

void set_client_factory(std::function<Session()> factory) {
    replace(&Defaults::factory, &Defaults::session, std::move(factory));
}

void set_async_client_factory(std::function<Session()> factory) {
    replace(&Defaults::async_factory, &Defaults::async_session, std::move(factory));
}

Session default_async_session() {
    std::function<Session()> factory;
    {
        const std::lock_guard lock(defaults().mutex);
        if (defaults().async_session) return *defaults().async_session;
        factory = defaults().async_factory;
    }
    return factory ? shared_session(&Defaults::async_session, factory) : Session();
}

}  // namespace hfhub
