#include "http/pipeline.hpp"

#include "core/log.hpp"
#include "http/attempt_record.hpp"
#include "http/decode.hpp"
#include "http/redirect.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace hfhub::http {

namespace {

// Reading a little of a refused answer keeps its connection; more would cost longer than a new one.
constexpr std::size_t drained_between_tries = 64 * 1024;
constexpr std::chrono::milliseconds longest_drain{50};

// Requests that were told to wait do not come back all at once.
constexpr std::chrono::milliseconds longest_spread{1000};

bool replayable(const Request& request) {
    const auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body);
    return source == nullptr || (*source)->rewind();
}

// A UUID of version 4 (RFC 9562 5.4): random but for the two digits that say so.
std::array<char, 36> random_id(std::minstd_rand& random) {
    constexpr std::string_view digits = "0123456789abcdef", form = "xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx";
    std::array<char, 36> text;
    std::copy(form.begin(), form.end(), text.begin());
    std::uint32_t bits = 0;
    int left = 0;
    for (char& c : text) {
        if (c != 'x') continue;
        if (left == 0) {
            bits = static_cast<std::uint32_t>(random()) >> 3;  // the generator gives 31 bits, the upper ones are better
            left = 7;
        }
        c = digits[bits & 15];
        bits >>= 4;
        --left;
    }
    return text;
}

// Whether waiting for the rest of an answer may save its connection: it has to be small, or at least to have an end.
// HTTP/2 needs no such wait, for it resets the stream.
bool worth_a_wait(const Response& response) {
    if (response.protocol != Protocol::http1 || iequals(response.headers.value("connection"), "close")) return false;
    const auto length = response.headers.get("content-length");
    if (!length) return response.headers.contains("transfer-encoding");
    std::size_t size = 0;
    const auto read = std::from_chars(length->data(), length->data() + length->size(), size);
    return read.ec == std::errc() && size <= drained_between_tries;
}

awaitable<void> discard(Response& response) {
    const Body body = std::move(response.body);
    const auto until = Clock::now() + longest_drain;
    const bool patient = worth_a_wait(response);
    std::array<std::byte, 4096> scrap;
    std::size_t total = 0;
    try {
        while (total < drained_between_tries) {
            ReadResult result = body->try_read(scrap);
            if (result.state == ReadState::end) break;
            if (result.state == ReadState::blocked) {
                const auto left = std::chrono::ceil<Milliseconds>(until - Clock::now());
                if (!patient || left.count() <= 0) break;
                body->set_idle_timeout(left);
                result.bytes = co_await body->wait(scrap);
            }
            total += result.bytes;
        }
    } catch (const TransportError&) {
        // Its connection is closed, and nobody wanted the bytes.
    }
}

std::string pause_key(const Url& url, std::string_view requests) { return url.origin().append(" ").append(requests); }

[[noreturn]] void refuse_fields(const Headers& headers) {
    std::string name;
    for (const Headers::Field field : headers) {
        Headers one;
        one.add(field.name, field.value);
        if (!one.are_safe()) name = field.name;
    }
    std::replace_if(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
    throw InvalidArgumentError("the header field \"" + name +
                               "\" holds a line end, NUL or other character that HTTP forbids");
}

// Wrapped once, however many tries and redirects there are.
void note_source(Request& request, const std::shared_ptr<AttemptRecord>& record) {
    auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body);
    if (source == nullptr) return;
    auto noting = std::dynamic_pointer_cast<NotedSource>(*source);
    if (!noting) *source = noting = std::make_shared<NotedSource>(*source);
    noting->begin(record);
}

std::uint64_t sent_of(const Request& request) {
    const auto* source = std::get_if<std::shared_ptr<BodySource>>(&request.body);
    const auto* noting = source ? dynamic_cast<const NotedSource*>(source->get()) : nullptr;
    return noting ? noting->sent() : 0;
}

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const CancelledError&) {
        return true;
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

void decode(const Request& request, Response& response) {
    if (!request.decode || !response.body) return;
    const auto encoding = response.headers.get("content-encoding");
    if (encoding) response.body = decode_body(std::move(response.body), *encoding);
}

// The common case, in which all of the body came with the head, needs no coroutine.
bool is_whole(const Request& request, Response& response) {
    if (request.buffered == 0 || response.status >= 300 || !response.body) return true;
    if (!read_arrived(*response.body, request.buffered, response.text)) return false;
    response.body.reset();
    return true;
}

awaitable<void> read_rest(const Request& request, Response& response) {
    while (!read_arrived(*response.body, request.buffered, response.text)) co_await response.body->wait({});
    response.body.reset();
}

class RequestHookView final : public RequestHook {
  public:
    explicit RequestHookView(Request& request) : request_(request) {}
    std::string_view method() const override { return to_string(request_.method); }
    std::string url() const override { return request_.url.redacted(); }
    std::string header(std::string_view name) const override { return std::string(request_.headers.value(name)); }
    void set_header(std::string_view name, std::string_view value) override { request_.headers.set(name, value); }

  private:
    Request& request_;
};

}  // namespace

Pipeline::Pipeline(Waits& waits, Transport& transport, PipelineOptions options)
    : waits_(waits), transport_(transport), options_(std::move(options)) {
    told_ = std::make_shared<const AttemptRecord::Told>([hook = options_.hooks.on_attempt](const AttemptTrace& trace) {
        if (log_enabled(LogLevel::debug)) log(LogLevel::debug, to_string(trace));
        if (hook) hook(trace);
    });
}

awaitable<Response> Pipeline::send(Request request) {
    prepare(request);
    Counters& counters = *options_.counters;
    (request.is_retry ? counters.retries : counters.requests).add();
    if (!request.is_retry) budget_.on_request();
    const auto begin = options_.hooks.on_response ? Clock::now() : Clock::time_point();
    std::vector<std::string> visited;
    try {
        for (;;) {
            Response response = co_await with_retries(request);
            if (response.status >= 300 && response.status < 400) {
                const RedirectDecision redirect = redirect_of(request, response.status, response.headers, visited);
                if (redirect.follow && (redirect.drop_body || replayable(request))) {
                    counters.redirects.add();
                    visited.push_back(redirect_key(request));
                    apply_redirect(request, redirect);
                    if (response.body) co_await discard(response);
                    continue;
                }
            }
            response.url = std::move(request.url);
            if (response.body) response.sent_id = request.headers.value("x-amzn-trace-id");
            if (options_.hooks.on_response) tell(request, response, begin);
            co_return response;
        }
    } catch (...) {
        if (is_cancellation(std::current_exception())) counters.cancelled.add();
        throw;
    }
}

void Pipeline::prepare(Request& request) {
    if (options_.offline) {
        throw OfflineModeIsEnabled("cannot reach " + request.url.redacted() +
                                   ": offline mode is on; unset HF_HUB_OFFLINE to use the network");
    }
    Headers& headers = request.headers;
    if (!headers.contains("user-agent")) headers.add("user-agent", options_.user_agent);
    if (!headers.contains("accept")) headers.add("accept", "*/*");
    if (!headers.contains("accept-encoding")) {
        headers.add("accept-encoding", request.decode ? accept_encoding() : std::string_view("identity"));
    }
    if (!headers.contains("x-amzn-trace-id")) {
        const auto id = random_id(random_);
        headers.add("x-amzn-trace-id", std::string_view(id.data(), id.size()));
    }
    if (options_.hooks.on_request) {
        RequestHookView view(request);
        options_.hooks.on_request(view);
    }
    if (!headers.are_safe()) refuse_fields(headers);
}

/// What the tries of one request have in common.
struct Pipeline::Tries {
    Tries(const RetryPolicy& common, const Request& request) : policy(common), timeouts(request.timeouts) {
        policy.max_attempts = std::min(policy.max_attempts, request.max_attempts);
    }
    RetryPolicy policy;
    Timeouts timeouts;
    Clock::time_point heard = Clock::now();
    Milliseconds waited{0};
    Attempt state;
    bool fresh = false;
    std::shared_ptr<AttemptRecord> record;  // of this try, where somebody wants to be told
};

awaitable<Response> Pipeline::with_retries(Request& request) {
    Tries tries(options_.retry, request);
    for (;; ++tries.state.number) {
        for (auto rest = rest_of_pause(request); rest.count() > 0; rest = rest_of_pause(request)) {
            co_await sleep(rest, request, tries);
        }
        Response response;
        std::exception_ptr failure;
        RetryDecision decision;
        begin_try(request, tries);
        try {
            auto sending = transport_.send(request, tries.fresh);
            response = co_await std::move(sending);
            on_answer(tries, response);
            decode(request, response);
            if (!is_whole(request, response)) co_await read_rest(request, response);
            request.timeouts = tries.timeouts;
            if (!retryable_status(response.status)) co_return response;
            decision = after_answer(request, tries, response);
        } catch (TransportError& error) {
            decision = after_failure(request, tries, error, response);
            failure = std::current_exception();
        }
        note(request, tries, decision);
        if (!decision.retry) {
            if (failure) std::rethrow_exception(failure);
            co_return response;
        }
        if (response.body) co_await discard(response);
        failure = nullptr;
        tries.record.reset();
        tries.fresh = decision.new_connection;
        if (decision.uncounted) --tries.state.number;
        tries.state.stale_retry_done = tries.state.stale_retry_done || decision.new_connection;
        if (decision.wait.count() > 0) co_await sleep(decision.wait, request, tries);
    }
}

void Pipeline::begin_try(Request& request, Tries& tries) {
    if (options_.hooks.on_attempt || log_enabled(LogLevel::debug)) {
        tries.record = std::make_shared<AttemptRecord>(request, tries.state.number, tries.policy.max_attempts, told_);
    }
    note_source(request, tries.record);
    request.record = tries.record.get();
}

void Pipeline::on_answer(const Tries& tries, Response& response) {
    response.attempts = tries.state.number;
    response.waited = tries.waited;
    if (options_.hooks.on_response) response.headers_at = Clock::now();
    if (!tries.record) return;
    tries.record->on_answer(response);
    response.body = noted(std::move(response.body), tries.record);
}

RetryMoment Pipeline::this_moment() {
    return {Clock::now(), std::chrono::system_clock::now(), random_() / 2147483647.0};
}

RetryDecision Pipeline::after_answer(Request& request, Tries& tries, const Response& response) {
    const RetryMoment moment = this_moment();
    tries.heard = moment.now;
    if (!request.retry_statuses) return {};
    tries.state.error = nullptr;
    tries.state.status = response.status;
    tries.state.headers = &response.headers;
    tries.state.body_replayable = replayable(request);
    RetryDecision decision = should_retry(tries.policy, request, tries.state, moment);
    if (decision.retry && decision.server_paced) {
        auto& until = pauses_[pause_key(request.url, paused_class(response.headers))];
        until = std::max(until, moment.now + decision.wait);
    }
    return within_budget(std::move(decision));
}

RetryDecision Pipeline::after_failure(Request& request, Tries& tries, TransportError& error, const Response& response) {
    Attempt& state = tries.state;
    state.headers = nullptr;
    state.error = &error;
    if (was_refused(error)) ++state.refusals;
    if (was_turned_away(error)) ++state.turned_away;
    if (was_unresolved(error)) ++state.unresolved;
    if (was_refused(error) || was_turned_away(error)) options_.counters->refused.add();
    state.body_replayable = replayable(request);
    const RetryMoment moment = this_moment();
    state.silent = std::chrono::duration_cast<Milliseconds>(moment.now - tries.heard);
    RetryDecision decision = within_budget(should_retry(tries.policy, request, state, moment));
    request.timeouts = shortened(tries.timeouts, request.max_silence - state.silent - decision.wait);
    if (dynamic_cast<const ProtocolError*>(&error) != nullptr) state.was_malformed = true;
    if (tries.record) tries.record->on_failure(std::current_exception());
    error.at(request.url.redacted());
    error.tried(state.number, tries.waited);
    if (response.status != 0) error.status = response.status;
    error.request_id = redact(request_id_of(response.headers));
    if (error.request_id.empty()) error.request_id = redact(request.headers.value("x-amzn-trace-id"));
    error.bytes_done = response.status == 0 ? sent_of(request) : response.text.size();
    return decision;
}

RetryDecision Pipeline::within_budget(RetryDecision decision) {
    const bool free_of_charge = decision.server_paced || decision.new_connection || decision.unprocessed;
    if (!decision.retry || free_of_charge || budget_.take()) return decision;
    decision.retry = false;
    decision.reason += "; too many requests have failed of late to try them all again";
    return decision;
}

void Pipeline::note(const Request& request, const Tries& tries, const RetryDecision& decision) {
    if (!decision.retry) {
        if (tries.record) tries.record->on_last(decision.reason);
        return;
    }
    options_.counters->retries.add();
    if (tries.record) tries.record->on_wait(decision.wait, decision.reason);
    // That a kept connection has ended is no news to people.
    const LogLevel level = decision.new_connection ? LogLevel::info : LogLevel::warning;
    if (!log_enabled(level)) return;
    log(level, std::string(to_string(request.method)) + " " + request.url.redacted() + ": " + decision.reason +
                   "; waiting " + std::to_string(decision.wait.count()) + " ms, then attempt " +
                   std::to_string(tries.state.number + (decision.uncounted ? 0 : 1)) + " of " +
                   std::to_string(tries.policy.max_attempts));
}

awaitable<void> Pipeline::sleep(Milliseconds length, const Request& request, Tries& tries) {
    Event event(waits_);
    const auto until = Clock::now() + length;
    const Wake wake = co_await event.wait(std::min(until, request.deadline));
    if (wake == Wake::timeout && until <= request.deadline) {
        on_waited(length);
        tries.waited += length;
        co_return;
    }
    try {
        Limit{request.deadline, TimeoutPhase::deadline}.check(wake);
    } catch (TransportError& error) {
        error.at(request.url.redacted());
        error.tried(std::max(1, tries.state.number - 1), tries.waited);
        throw;
    }
}

// Zero where nothing holds the request back. A pause may have become longer while it was waited for.
Milliseconds Pipeline::rest_of_pause(const Request& request) {
    if (pauses_.empty()) return Milliseconds(0);
    const auto now = Clock::now();
    std::erase_if(pauses_, [&](const auto& pause) { return pause.second <= now; });
    auto until = now;
    for (const std::string_view requests : {std::string_view(), request_class(request.url)}) {
        const auto pause = pauses_.find(pause_key(request.url, requests));
        if (pause != pauses_.end()) until = std::max(until, pause->second);
    }
    const auto rest = std::chrono::ceil<Milliseconds>(until - now);
    const double share = random_() / 2147483647.0;
    return rest + std::chrono::round<Milliseconds>(share * std::min(rest / 10, longest_spread));
}

void Pipeline::tell(const Request& request, const Response& response, Clock::time_point begin) {
    const std::string url = response.url.redacted();
    ResponseInfo info;
    info.method = to_string(request.method);
    info.url = url;
    info.status = response.status;
    info.protocol = to_string(response.protocol);
    info.request_id = request_id_of(response.headers);
    info.attempts = response.attempts;
    info.elapsed = std::chrono::duration_cast<std::chrono::microseconds>(response.headers_at - begin);
    options_.hooks.on_response(info);
}

}  // namespace hfhub::http
