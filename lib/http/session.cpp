#include "http/session.hpp"

#include "core/log.hpp"
#include "http/running_here.hpp"
#include "http/thread.hpp"
#include "http/user_agent.hpp"

#include <hfhub/mode.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <mutex>
#include <semaphore>

namespace hfhub {

namespace http {

namespace {

TrustSettings trust_of(const SessionOptions& options) {
    const Environment& environment = options.environment;
    TrustSettings trust;
    trust.verify = options.verify_tls;
    const auto file = [&](const std::optional<std::filesystem::path>& path, const char* name) {
        if (!path || !trust.ca_file.empty() || !trust.ca_dir.empty()) return;
        std::error_code ignored;
        (std::filesystem::is_directory(*path, ignored) ? trust.ca_dir : trust.ca_file) = path->string();
        trust.source = name;
    };
    file(environment.ssl_cert_file, "SSL_CERT_FILE");
    if (environment.ssl_cert_dir) {
        trust.ca_dir = environment.ssl_cert_dir->string();
        if (trust.source.empty()) trust.source = "SSL_CERT_DIR";
    }
    file(environment.requests_ca_bundle, "REQUESTS_CA_BUNDLE");
    file(environment.curl_ca_bundle, "CURL_CA_BUNDLE");
    return trust;
}

PoolOptions pool_options_of(const SessionOptions& options, std::shared_ptr<Counters> counters) {
    const Environment& environment = options.environment;
    PoolOptions pool;
    pool.counters = std::move(counters);
    pool.limits.connections = options.max_connections;
    pool.limits.http1_per_host = options.max_connections;
    pool.limits.idle = options.max_idle_connections;
    pool.proxies = {environment.http_proxy.value_or(""), environment.https_proxy.value_or(""),
                    environment.all_proxy.value_or(""), environment.no_proxy.value_or("")};
    switch (options.http_version) {
        case HttpVersion::negotiate:
            pool.http2 = Http2::negotiate;
            break;
        case HttpVersion::http1:
            pool.http2 = Http2::never;
            break;
        case HttpVersion::http2_prior_knowledge:
            pool.http2 = Http2::prior_knowledge;
            break;
    }
    return pool;
}

PipelineOptions pipeline_options_of(const SessionOptions& options, std::shared_ptr<Counters> counters) {
    PipelineOptions pipeline;
    pipeline.counters = std::move(counters);
    pipeline.retry.max_attempts = options.max_attempts;
    pipeline.retry.base = options.backoff_base;
    pipeline.retry.cap = options.backoff_cap;
    pipeline.offline = options.environment.offline;
    pipeline.user_agent = user_agent(options.user_agent, options.environment.user_agent_origin);
    pipeline.hooks = options.hooks;
    return pipeline;
}

/// What a server or proxy echoes of them must not get into messages.
void register_proxy_passwords(const Environment& environment) {
    for (const auto* proxy : {&environment.http_proxy, &environment.https_proxy, &environment.all_proxy}) {
        const std::string text = proxy->value_or("");
        const auto begin = text.find("://") == std::string::npos ? 0 : text.find("://") + 3;
        const auto at = text.rfind('@'), colon = text.find(':', begin);
        if (at != std::string::npos && colon < at) register_secret(text.substr(colon + 1, at - colon - 1));
    }
}

// The parent's state is left to itself: destroying it would wait for a thread that is not there.
void retire(SessionState* state) {
    if (state->is_of_this_process()) {
        delete state;
    } else {
        abandon(std::shared_ptr<void>(state, [](void*) {}));
    }
}

thread_local const asio::io_context* running_context = nullptr;

// Callers know cancellation by the library's own name, however deep it was noticed.
std::exception_ptr translated(std::exception_ptr error) {
    if (!error) return error;
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& one) {
        if (one.code() == asio::error::operation_aborted) return std::make_exception_ptr(CancelledError());
        return error;
    } catch (...) {
        return error;
    }
}

}  // namespace

std::shared_ptr<SessionState> SessionState::make(std::optional<asio::any_io_executor> executor,
                                                 std::shared_ptr<const SessionOptions> options) {
    std::unique_ptr<asio::io_context> own;
    if (!executor) {
        own = std::make_unique<asio::io_context>(1);
        executor = own->get_executor();
    }
    auto* made = new SessionState(std::move(own), *executor, std::move(options));
    std::shared_ptr<SessionState> state(made, retire);
    if (state->own_) state->run_thread();
    return state;
}

std::shared_ptr<SessionState> SessionState::of_this_process(std::shared_ptr<SessionState> state) {
    if (state->is_of_this_process()) return state;
    const auto handles = state->handles();
    return handles ? handles->state() : state;
}

SessionState::SessionState(std::unique_ptr<asio::io_context> own, asio::any_io_executor executor,
                           std::shared_ptr<const SessionOptions> options)
    : options_(std::move(options)),
      own_(std::move(own)),
      executor_(std::move(executor)),
      waits_(std::make_shared<Waits>(executor_)),
      workers_(*waits_, options_->worker_threads),
      tls_(trust_of(*options_)),
      connector_(*waits_, workers_, tls_, look_up, counters_),
      pool_(waits_, connector_, pool_options_of(*options_, counters_),
            [this](awaitable<void> work) { spawn(std::move(work), {}, [](std::exception_ptr) {}); }),
      pool_transport_(pool_),
      pipeline_(std::make_unique<Pipeline>(*waits_, pool_transport_, pipeline_options_of(*options_, counters_))) {
    register_proxy_passwords(options_->environment);
}

SessionState::~SessionState() {
    if (!thread_.joinable()) return;
    // The last operation may end on the I/O thread itself, which cannot wait for itself.
    if (on_io_thread()) {
        thread_.detach();
    } else {
        guard_.reset();
        thread_.join();
    }
}

void SessionState::run_thread() {
    guard_.emplace(executor_);
    thread_ = start_thread("the session's I/O", [io = own_] {
        running_context = io.get();
        for (;;) {
            try {
                io->run();
                return;
            } catch (const std::exception& error) {
                log(LogLevel::error, std::string("an exception reached the I/O thread: ") + error.what());
            }
        }
    });
}

bool SessionState::on_io_thread() const noexcept { return own_ && running_context == own_.get(); }

bool SessionState::runs_here() const {
    if (own_) return on_io_thread();
    return running_here(executor_);
}

void SessionState::spawn(awaitable<void> work, asio::cancellation_slot slot, Completion completion) {
    auto finish = [state = shared_from_this(), completion = std::move(completion)](std::exception_ptr error) {
        completion(translated(std::move(error)));
    };
    asio::co_spawn(executor_, std::move(work), asio::bind_cancellation_slot(slot, std::move(finish)));
}

void SessionState::shut_down() {
    waits_->shutdown();
    workers_.shutdown();
    pool_.shutdown();
}

void SessionState::close() {
    if (!is_of_this_process() || closed_.exchange(true)) return;
    asio::dispatch(executor_, [state = shared_from_this()] { state->shut_down(); });
}

void SessionState::end() {
    if (!is_of_this_process()) return;
    close();
    {
        const std::lock_guard lock(end_mutex_);
        ended_ = own_ != nullptr;
        guard_.reset();
    }
    if (own_ && !on_io_thread()) thread_.join();
}

void SessionState::set_transport(std::unique_ptr<Transport> transport) {
    other_transport_ = std::move(transport);
    pipeline_ = std::make_unique<Pipeline>(*waits_, *other_transport_, pipeline_options_of(*options_, counters_));
}

}  // namespace http

namespace detail {

namespace {

struct Call {
    std::binary_semaphore done{0};
    std::exception_ptr error;
    asio::cancellation_signal cancel;
};

using Handler = void(std::exception_ptr);

// An exception is let go here before its caller hears of it: so it ends where it was caught, and nowhere else.
awaitable<void> record(awaitable<void> work, std::shared_ptr<Call> call) {
    try {
        co_await std::move(work);
    } catch (...) {
        call->error = http::translated(std::current_exception());
    }
}

struct Initiate {
    std::shared_ptr<http::SessionState> state;

    template <class CompletionHandler>
    void operator()(CompletionHandler&& handler, awaitable<void> work) const {
        using Stored = std::decay_t<CompletionHandler>;
        const asio::any_io_executor home = asio::get_associated_executor(handler, state->executor());
        auto tracked = asio::prefer(home, asio::execution::outstanding_work.tracked);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto call = std::make_shared<Call>();
        auto kept = std::make_shared<Stored>(std::forward<CompletionHandler>(handler));
        if (slot.is_connected()) {
            slot.assign([call, state = state](asio::cancellation_type type) {
                state->post([call, type] { call->cancel.emit(type); });
            });
        }
        auto completion = [kept, slot, tracked](std::exception_ptr error) {
            asio::post(tracked, [kept, slot, error = std::move(error)]() mutable {
                if (slot.is_connected()) slot.clear();
                Stored resume(std::move(*kept));
                std::move(resume)(std::move(error));
            });
        };
        const bool posted = state->post([state = state, call, work = std::move(work), completion]() mutable {
            state->spawn(record(std::move(work), call), call->cancel.slot(),
                         [call, completion](std::exception_ptr unrun) {
                             completion(unrun ? std::move(unrun) : std::exchange(call->error, nullptr));
                         });
        });
        if (!posted) completion(std::make_exception_ptr(CancelledError()));
    }
};

}  // namespace

void wait_for(const Session& session, awaitable<void> work, const std::stop_token& stop) {
    const auto state = session.state();
    if (state->runs_here()) {
        throw std::logic_error(
            "a blocking call of hfhub was made on a thread that runs the session's executor (its I/O thread, or the "
            "application's), where it would wait for itself; use the coroutine client there");
    }
    const auto call = std::make_shared<Call>();
    const bool posted = state->post([state, call, work = std::move(work)]() mutable {
        state->spawn(record(std::move(work), call), call->cancel.slot(), [call](std::exception_ptr unrun) {
            if (unrun) call->error = std::move(unrun);
            call->done.release();
        });
    });
    if (!posted) throw CancelledError();
    const auto cancel = [call, state] {
        state->post([call] { call->cancel.emit(asio::cancellation_type::terminal); });
    };
    const std::stop_callback stopping(stop, cancel);
    call->done.acquire();
    if (call->error) std::rethrow_exception(std::exchange(call->error, nullptr));
}

awaitable<void> run_on(State state, awaitable<void> work) {
    Initiate initiate{std::move(state)};
    co_await asio::async_initiate<const asio::use_awaitable_t<>, Handler>(initiate, asio::use_awaitable,
                                                                          std::move(work));
}

void rethrow_translated() { std::rethrow_exception(http::translated(std::current_exception())); }

void require_this_process(const State& state) {
    if (state->is_of_this_process()) return;
    throw std::logic_error(
        "what was begun before the process was forked belongs to the parent process; begin it anew in the child");
}

bool is_own_executor(const State& state, const asio::any_io_executor& executor) noexcept {
    return state->executor() == executor;
}

}  // namespace detail

}  // namespace hfhub
