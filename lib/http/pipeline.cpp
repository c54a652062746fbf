#include "http/pipeline.hpp"

#include "core/log.hpp"
#include "http/decode.hpp"
#include "http/redirect.hpp"

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

void trace(const Request& request, const Response& response, Clock::time_point begin) {
    if (!log_enabled(LogLevel::debug) || begin == Clock::time_point()) return;
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
    log(LogLevel::debug, std::string(to_string(request.method)) + " " + request.url.redacted() + " -> " +
                             std::to_string(response.status) + " " + std::string(to_string(response.protocol)) +
                             " in " + std::to_string(elapsed.count()) + " us, attempt " +
                             std::to_string(response.attempts));
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
    const std::string rest = co_await read_all(response.body.get(), request.buffered - response.text.size());
    response.text += rest;
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
    : waits_(waits), transport_(transport), options_(std::move(options)) {}

awaitable<Response> Pipeline::send(Request request) {
    prepare(request);
    const auto begin = options_.hooks.on_response ? Clock::now() : Clock::time_point();
    std::vector<std::string> visited;
    for (;;) {
        Response response = co_await with_retries(request);
        if (response.status >= 300 && response.status < 400) {
            const RedirectDecision redirect = redirect_of(request, response.status, response.headers, visited);
            if (redirect.follow && (redirect.drop_body || replayable(request))) {
                visited.push_back(redirect_key(request));
                apply_redirect(request, redirect);
                if (response.body) co_await discard(response);
                continue;
            }
        }
        response.url = std::move(request.url);
        if (options_.hooks.on_response) tell(request, response, begin);
        co_return response;
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

awaitable<Response> Pipeline::with_retries(Request& request) {
    if (!request.is_retry) budget_.on_request();
    const Timeouts timeouts = request.timeouts;
    auto heard = Clock::now();
    RetryPolicy policy = options_.retry;
    policy.max_attempts = std::min(policy.max_attempts, request.max_attempts);
    Attempt state;
    bool fresh = false;
    for (int number = 1;; ++number) {
        for (auto rest = rest_of_pause(request); rest.count() > 0; rest = rest_of_pause(request)) {
            co_await sleep(rest, request.deadline);
        }
        Response response;
        std::exception_ptr failure;
        RetryDecision decision;
        state.number = number;
        state.headers = nullptr;
        state.error = nullptr;
        try {
            const auto begin = log_enabled(LogLevel::debug) ? Clock::now() : Clock::time_point();
            auto sending = transport_.send(request, fresh);
            response = co_await std::move(sending);
            response.attempts = number;
            trace(request, response, begin);
            decode(request, response);
            if (!is_whole(request, response)) co_await read_rest(request, response);
            request.timeouts = timeouts;
            if (!retryable_status(response.status)) co_return response;
            state.status = response.status;
            state.headers = &response.headers;
            state.body_replayable = replayable(request);
            const RetryMoment moment{Clock::now(), std::chrono::system_clock::now(), random_() / 2147483647.0};
            heard = moment.now;
            if (request.retry_statuses) decision = should_retry(policy, request, state, moment);
            if (decision.retry && decision.server_paced) {
                auto& until = pauses_[pause_key(request.url, paused_class(response.headers))];
                until = std::max(until, moment.now + decision.wait);
            }
        } catch (TransportError& error) {
            error.at(request.url.redacted());
            error.attempts = number;
            state.error = &error;
            if (was_refused(error)) ++state.refusals;
            if (was_turned_away(error)) ++state.turned_away;
            state.body_replayable = replayable(request);
            const RetryMoment moment{Clock::now(), std::chrono::system_clock::now(), random_() / 2147483647.0};
            state.silent = std::chrono::duration_cast<Milliseconds>(moment.now - heard);
            decision = should_retry(policy, request, state, moment);
            request.timeouts = shortened(timeouts, request.max_silence - state.silent - decision.wait);
            if (dynamic_cast<const ProtocolError*>(&error) != nullptr) state.was_malformed = true;
            failure = std::current_exception();
        }
        const bool free_of_charge = decision.server_paced || decision.new_connection;
        if (!decision.retry || (!free_of_charge && !budget_.take())) {
            if (failure) std::rethrow_exception(failure);
            co_return response;
        }
        if (log_enabled(LogLevel::info)) {
            log(LogLevel::info, std::string(to_string(request.method)) + " " + request.url.redacted() + ": " +
                                    decision.reason + "; waiting " + std::to_string(decision.wait.count()) +
                                    " ms, then attempt " + std::to_string(number + 1) + " of " +
                                    std::to_string(policy.max_attempts));
        }
        if (response.body) co_await discard(response);
        failure = nullptr;
        fresh = decision.new_connection;
        if (decision.uncounted) --number;
        state.stale_retry_done = state.stale_retry_done || decision.new_connection;
        if (decision.wait.count() > 0) co_await sleep(decision.wait, request.deadline);
    }
}

awaitable<void> Pipeline::sleep(Milliseconds length, Clock::time_point deadline) {
    Event event(waits_);
    const auto until = Clock::now() + length;
    const Wake wake = co_await event.wait(std::min(until, deadline));
    if (wake == Wake::timeout && until <= deadline) co_return;
    Limit{deadline, TimeoutPhase::deadline}.check(wake);
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
    auto id = response.headers.get("x-request-id");
    if (!id) id = response.headers.get("x-amzn-trace-id");
    ResponseInfo info;
    info.method = to_string(request.method);
    info.url = url;
    info.status = response.status;
    info.protocol = to_string(response.protocol);
    info.request_id = id.value_or(std::string_view());
    info.attempts = response.attempts;
    info.elapsed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
    options_.hooks.on_response(info);
}

}  // namespace hfhub::http
