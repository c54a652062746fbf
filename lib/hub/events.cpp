#include "hub/events.hpp"

#include "core/fork.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "http/retry.hpp"
#include "http/session.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/events.hpp>

#include <boost/asio/dispatch.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

constexpr int most_breaks = 5;
constexpr std::size_t buffer_size = 8 * 1024;

}  // namespace

AfterEnd after_end(const EventRequest& request, EventEnd end, int breaks) noexcept {
    const bool silent = end == EventEnd::silent;
    if (end == EventEnd::well) return AfterEnd::stop;
    if (end == EventEnd::not_yet) return AfterEnd::again;
    if (!request.follow) return silent ? AfterEnd::stop : AfterEnd::fail;
    if (silent && request.is_over) return AfterEnd::again;
    if (breaks <= most_breaks) return AfterEnd::again;
    return silent ? AfterEnd::stop : AfterEnd::fail;
}

EventConnection::EventConnection(std::shared_ptr<http::SessionState> state, http::Response answer)
    : state_(std::move(state)), body_(std::move(answer.body)), answer_(http::facts_of(answer)), buffer_(buffer_size) {}

EventConnection::~EventConnection() {
    if (!body_) return;
    // A forked child's copy of the stream is not what is under way.
    if (!state_->is_of_this_process()) {
        abandon(std::move(body_));
        return;
    }
    asio::dispatch(state_->executor(), [state = state_, body = std::move(body_)]() mutable { body.reset(); });
}

awaitable<bool> EventConnection::fill(http::Milliseconds silence) {
    if (body_) body_->set_idle_timeout(silence);
    std::size_t n = 0;
    try {
        n = co_await http::read_some(body_.get(), buffer_);
    } catch (TransportError& error) {
        http::complete(error, answer_);
        error.bytes_done = received_;
        throw;
    }
    received_ += n;
    if (n > 0) {
        parser_.feed({reinterpret_cast<const char*>(buffer_.data()), n});
    } else {
        parser_.finish();
    }
    co_return n > 0;
}

std::optional<json::object> EventConnection::take() {
    http::SseEvent event;
    while (parser_.next(event)) {
        if (!event.data.starts_with('{')) continue;  // what keeps the connection alive
        json::value value = parse_json(event.data, "an event of " + answer_.url);
        return std::move(value.as_object());
    }
    return std::nullopt;
}

EventSource::EventSource(const Client& client, EventRequest request)
    : client_(client.begin_call()), request_(std::move(request)) {}

/// The limit of the whole begins with the first event that is asked for. A forked child begins anew.
void EventSource::begin() {
    if (begun_ && client_.state()->is_of_this_process()) return;
    begun_ = true;
    connection_.reset();
    client_ = client_.restarted();
}

awaitable<std::optional<std::vector<json::object>>> EventSource::next() {
    begin();
    if (trouble_) std::rethrow_exception(std::exchange(trouble_, nullptr));
    while (!ended_) {
        std::optional<End> end;
        if (connection_) {
            end = co_await read();
        } else {
            end = co_await open();
        }
        std::vector<json::object> events;
        if (connection_) events = take_new();
        if (end) co_await settle(std::move(*end));
        if (!events.empty()) co_return std::optional<std::vector<json::object>>(std::move(events));
    }
    co_return std::nullopt;
}

awaitable<std::optional<EventSource::End>> EventSource::open() {
    if (request_.complete) {
        auto completing = request_.complete(client_, request_);
        co_await std::move(completing);
        request_.complete = nullptr;
    }
    http::Request request = client_.request(http::Method::get, request_.path, request_.token);
    request.headers.set("accept", "text/event-stream");
    request.retry_statuses = false;
    // What was given can be told from the rest only where everything comes again.
    if (request_.tail && given_ == 0) request.url.add_query("tail", std::to_string(*request_.tail));
    http::Response response;
    try {
        response = co_await client_.send_checked(std::move(request));
    } catch (const HfHubHttpError& error) {
        if (request_.not_yet == 0 || error.status() != request_.not_yet) throw;
        co_return End{EventEnd::not_yet, std::current_exception()};
    }
    replayed_ = 0;
    catching_up_ = given_ > 0;
    connection_ = std::make_unique<EventConnection>(client_.state(), std::move(response));
    co_return std::nullopt;
}

awaitable<std::optional<EventSource::End>> EventSource::read() {
    try {
        const bool more = co_await connection_->fill(request_.silence);
        if (more) co_return std::nullopt;
        co_return End{EventEnd::well, nullptr};
    } catch (const TimeoutError& error) {
        if (error.phase == TimeoutPhase::deadline) throw;
        co_return End{EventEnd::silent, std::current_exception()};
    } catch (const TransportError&) {
        co_return End{EventEnd::broken, std::current_exception()};
    }
}

std::vector<json::object> EventSource::take_new() {
    std::vector<json::object> events;
    try {
        while (std::optional<json::object> event = connection_->take()) {
            if (request_.replays && is_known(*event)) continue;
            note(*event);
            events.push_back(std::move(*event));
        }
    } catch (const JsonError&) {
        if (events.empty()) throw;
        trouble_ = std::current_exception();
    }
    return events;
}

bool EventSource::is_known(const json::object& event) {
    if (!request_.tail) return replayed_++ < given_;
    if (!catching_up_) return false;
    catching_up_ = event != last_;
    return true;
}

void EventSource::note(const json::object& event) {
    ++given_;
    breaks_ = 0;
    if (request_.tail) last_ = event;
}

/// Ends the stream, or waits until another connection may be made.
awaitable<void> EventSource::settle(End end) {
    connection_.reset();
    if (end.how == EventEnd::broken || (end.how == EventEnd::silent && !request_.is_over)) ++breaks_;
    const AfterEnd after = after_end(request_, end.how, breaks_);
    if (after == AfterEnd::fail) std::rethrow_exception(end.error);
    ended_ = after == AfterEnd::stop;
    if (ended_) co_return;
    if (request_.is_over) {
        auto asking = request_.is_over(client_);
        ended_ = co_await std::move(asking);
        if (ended_ || end.how == EventEnd::silent) co_return;
    }
    const http::RetryPolicy policy{.base = client_.options().backoff_base, .cap = client_.options().backoff_cap};
    const http::Milliseconds wait = http::backoff(policy, std::max(1, breaks_), 1);
    log(LogLevel::info,
        "the stream of " + request_.path + " broke off; another connection in " + std::to_string(wait.count()) + " ms");
    co_await client_.wait_until(http::Clock::now() + wait);
}

std::optional<std::string> log_line(json::object& event) {
    const json::value* text = event.if_contains("data");
    if (text == nullptr || !text->is_string()) return std::nullopt;
    return std::string(text->get_string());
}

}  // namespace hfhub::hub

namespace hfhub {

HFHUB_INSTANTIATE_PAGES(std::string);
HFHUB_INSTANTIATE_PAGES(json::object);

}  // namespace hfhub
