#include "http/retry.hpp"

#include "core/datetime.hpp"
#include "http/connect_error.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {

// The request and three repetitions.
constexpr int max_refusals = 4;
constexpr int max_unresolved = 4;

// Where a server ends each connection after a few requests, as many as wait for their turn are sent back each time.
constexpr int max_turned_away = 20;

// Beyond any wait that is granted, small enough for arithmetic.
constexpr std::uint64_t longest_seconds = 10ULL * 365 * 24 * 3600;

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// A whole number without sign; one that is too large counts as the largest.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    return result.ec == std::errc() ? number : UINT64_MAX;
}

std::chrono::seconds seconds_of(std::uint64_t number) noexcept {
    return std::chrono::seconds(std::min(number, longest_seconds));
}

/// Takes what stands before the next `separator` outside quotes.
std::string_view take_part(std::string_view& rest, char separator) noexcept {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest.size() && (quoted || rest[end] != separator); ++end) {
        if (rest[end] == '"') quoted = !quoted;
        if (rest[end] == '\\' && quoted) ++end;
    }
    end = std::min(end, rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trim(part);
}

/// One limit of either field: quoted names and number parameters.
struct LimitItem {
    std::vector<std::string_view> names;
    std::vector<std::pair<std::string_view, std::uint64_t>> numbers;

    std::optional<std::uint64_t> number(std::string_view name) const noexcept {
        for (const auto& [key, value] : numbers) {
            if (key == name) return value;
        }
        return std::nullopt;
    }
    bool has_name(std::string_view name) const noexcept {
        return std::find(names.begin(), names.end(), name) != names.end();
    }
};

LimitItem parse_item(std::string_view text) {
    LimitItem item;
    while (!text.empty()) {
        const std::string_view part = take_part(text, ';');
        if (part.size() >= 2 && part.front() == '"' && part.back() == '"') {
            item.names.push_back(part.substr(1, part.size() - 2));
        } else if (const std::size_t equals = part.find('='); equals != std::string_view::npos) {
            if (const auto value = parse_number(trim(part.substr(equals + 1)))) {
                item.numbers.emplace_back(trim(part.substr(0, equals)), *value);
            }
        }
    }
    return item;
}

std::vector<LimitItem> parse_items(std::string_view text) {
    std::vector<LimitItem> items;
    while (!text.empty()) items.push_back(parse_item(take_part(text, ',')));
    return items;
}

void add_policy(RateLimit& limit, const std::string& field) {
    const std::vector<LimitItem> policies = parse_items(field);
    const auto same = std::find_if(policies.begin(), policies.end(),
                                   [&](const LimitItem& item) { return item.has_name(limit.resource); });
    if (same == policies.end() && policies.size() != 1) return;
    const LimitItem& policy = same == policies.end() ? policies.front() : *same;
    limit.quota = policy.number("q");
    if (const auto window = policy.number("w")) limit.window = seconds_of(*window);
}

/// Whether the server may see this request twice after this failure.
bool may_repeat(const Request& request, bool maybe_processed) noexcept {
    return is_idempotent(request.method) || request.idempotent || !maybe_processed;
}

RetryDecision stop(std::string reason) {
    RetryDecision decision;
    decision.reason = std::move(reason);
    return decision;
}

/// Whether another try may bring what this one did not.
bool is_passing(const TransportError& error) noexcept {
    if (const auto* proxy = dynamic_cast<const ProxyError*>(&error); proxy && proxy->status != 0) {
        return retryable_status(proxy->status) && !proxy->permanent;
    }
    if (const auto* connect = dynamic_cast<const ConnectError*>(&error)) return !connect->permanent;
    // A pool that stays full is this client's own congestion: trying again would only lengthen the queue.
    if (const auto* timeout = dynamic_cast<const TimeoutError*>(&error)) {
        return timeout->phase != TimeoutPhase::pool && timeout->phase != TimeoutPhase::deadline;
    }
    if (const auto* protocol = dynamic_cast<const ProtocolError*>(&error)) return !protocol->permanent;
    return dynamic_cast<const TooManyRedirectsError*>(&error) == nullptr;
}

RetryDecision after_error(const RetryPolicy& policy, const Request& request, const Attempt& attempt, double random) {
    const TransportError& error = *attempt.error;
    if (!is_passing(error)) return stop(std::string(error.what()) + "; another try would not help");
    // Bytes may be damaged on the way once; a peer that breaks HTTP does it each time.
    if (attempt.was_malformed && dynamic_cast<const ProtocolError*>(&error) != nullptr) {
        return stop(std::string(error.what()) + "; again");
    }
    if (attempt.refusals >= max_refusals || attempt.unresolved >= max_unresolved)
        return stop(std::string(error.what()) + "; again and again");
    if (!may_repeat(request, error.maybe_processed)) {
        return stop(std::string(error.what()) + "; the server may have acted on the request, so it is not repeated");
    }
    RetryDecision decision;
    decision.retry = true;
    decision.reason = error.what();
    // A kept connection that the server had closed says nothing about the server's state.
    decision.uncounted = was_turned_away(error) && attempt.turned_away <= max_turned_away;
    decision.new_connection = decision.uncounted || (error.stale_connection && !attempt.stale_retry_done);
    decision.unprocessed = was_refused(error);
    if (!decision.new_connection) decision.wait = backoff(policy, attempt.number, random);
    return decision;
}

RetryDecision after_answer(const RetryPolicy& policy, const Request& request, const Attempt& attempt,
                           const RetryMoment& moment) {
    const std::string status = "status " + std::to_string(attempt.status);
    if (!retryable_status(attempt.status)) return stop(status + " is final");
    if (!request.retry_statuses) return stop("answers to this request are not tried again");
    std::optional<Milliseconds> asked;
    if (attempt.headers) asked = server_wait(*attempt.headers, moment.wall_clock);
    // These two say that nothing was done, where they also say when to come back.
    const bool turned_away = (attempt.status == 429 || attempt.status == 503) && asked;
    if (!may_repeat(request, !turned_away)) {
        return stop(status + ": the server may have acted on the request, so it is not repeated");
    }
    if (asked && *asked > policy.retry_after_ceiling) {
        return stop(status + ": the server asks to wait " +
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(*asked).count()) + " s, more than the " +
                    std::to_string(policy.retry_after_ceiling.count() / 1000) + " s that are waited for");
    }
    RetryDecision decision;
    decision.retry = true;
    decision.reason = status;
    decision.server_paced = asked.has_value();
    if (asked) {
        // Servers round the moment down, and all who were sent away come back at it: a little later is better.
        const double late = 0.5 + moment.random / 2;
        decision.wait = *asked + backoff(policy, 1, late);
    } else {
        decision.wait = backoff(policy, attempt.number, moment.random);
    }
    return decision;
}

}  // namespace

bool was_turned_away(const TransportError& error) noexcept {
    const bool lost = dynamic_cast<const ConnectionLostError*>(&error) != nullptr;
    return lost && !error.maybe_processed && error.stale_connection;
}

bool was_refused(const TransportError& error) noexcept {
    const bool lost = dynamic_cast<const ConnectionLostError*>(&error) != nullptr;
    return lost && !error.maybe_processed && !error.stale_connection;
}

bool was_unresolved(const TransportError& error) noexcept {
    return dynamic_cast<const UnresolvedHostError*>(&error) != nullptr;
}

Milliseconds backoff(const RetryPolicy& policy, int attempt, double random) noexcept {
    const double most = std::ldexp(static_cast<double>(policy.base.count()), std::clamp(attempt - 1, 0, 1000));
    const double bound = std::min(most, static_cast<double>(policy.cap.count()));
    return Milliseconds(static_cast<Milliseconds::rep>(std::clamp(random, 0.0, 1.0) * std::max(bound, 0.0)));
}

std::optional<RateLimit> parse_rate_limit(const Headers& headers) {
    const std::string field = headers.joined("ratelimit");
    std::optional<RateLimit> limit;
    for (const LimitItem& item : parse_items(field)) {
        const auto remaining = item.number("r");
        const auto reset = item.number("t");
        if (item.names.empty() || !remaining || !reset) continue;
        const bool worse = limit && *remaining == 0 && (limit->remaining > 0 || seconds_of(*reset) > limit->reset);
        if (limit && !worse) continue;
        limit.emplace();
        limit->resource = item.names.front();
        limit->remaining = *remaining;
        limit->reset = seconds_of(*reset);
    }
    if (limit) add_policy(*limit, headers.joined("ratelimit-policy"));
    return limit;
}

std::optional<Milliseconds> retry_after(const Headers& headers, std::chrono::system_clock::time_point now) {
    const std::string_view value = trim(headers.value("retry-after"));
    if (const auto seconds = parse_number(value)) return seconds_of(*seconds);
    const auto date = parse_http_date(value, now);
    if (!date) return std::nullopt;
    // The clock's own unit, nanoseconds, does not reach all years that a date may name.
    const auto wait = Milliseconds(date->time_since_epoch()) - std::chrono::floor<Milliseconds>(now).time_since_epoch();
    return std::clamp(wait, Milliseconds(0), Milliseconds(seconds_of(longest_seconds)));
}

std::string_view request_class(const Url& url) noexcept {
    if (url.path.find("/resolve/") != std::string::npos) return "resolvers";
    return url.path.starts_with("/api/") ? "api" : "pages";
}

std::string_view paused_class(const Headers& headers) {
    const auto limit = parse_rate_limit(headers);
    if (!limit || limit->remaining > 0) return {};
    for (const std::string_view known : {"resolvers", "api", "pages"}) {
        if (limit->resource == known) return known;
    }
    return {};
}

std::optional<Milliseconds> server_wait(const Headers& headers, std::chrono::system_clock::time_point now) {
    const auto limit = parse_rate_limit(headers);
    if (limit && limit->remaining == 0) return limit->reset;
    return retry_after(headers, now);
}

RetryDecision should_retry(const RetryPolicy& policy, const Request& request, const Attempt& attempt,
                           const RetryMoment& moment) {
    RetryDecision decision = attempt.error ? after_error(policy, request, attempt, moment.random)
                                           : after_answer(policy, request, attempt, moment);
    if (!decision.retry) return decision;
    const int most = std::min(policy.max_attempts, request.max_attempts);
    if (attempt.number >= most && !decision.uncounted)
        return stop(decision.reason + " on try " + std::to_string(attempt.number) + ", the last");
    if (!attempt.body_replayable) return stop(decision.reason + "; the request's body cannot be sent again");
    if (attempt.error && attempt.silent + decision.wait >= request.max_silence)
        return stop(decision.reason + "; no answer for " + std::to_string(attempt.silent.count() / 1000) + " s");
    if (request.deadline - moment.now <= decision.wait)
        return stop(decision.reason + "; the deadline leaves no time to try again");
    return decision;
}

Timeouts shortened(Timeouts timeouts, Milliseconds left) noexcept {
    // What has no limit was meant to have none.
    for (Milliseconds* limit : {&timeouts.pool, &timeouts.connect, &timeouts.headers}) {
        if (limit->count() > 0) *limit = std::min(*limit, std::max(left, Milliseconds(1)));
    }
    return timeouts;
}

}  // namespace hfhub::http
