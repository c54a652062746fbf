#include "http/retry.hpp"

#include "http/connect_error.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>

using namespace hfhub;
using namespace hfhub::http;
using namespace std::chrono_literals;

namespace {

// Sunday, 6 November 1994, 08:49:37 GMT: the date of RFC 9110's examples.
const std::chrono::system_clock::time_point wall{784111777s};

Request request_with(Method method) {
    Request request;
    request.method = method;
    request.url = Url::parse("https://hub.co/a");
    return request;
}

RetryDecision decide(const Request& request, Attempt attempt, double random = 1.0, const RetryPolicy& policy = {}) {
    return should_retry(policy, request, attempt, {Clock::time_point(1h), wall, random});
}

RetryDecision after_status(const Request& request, int status, const Headers& headers = {}, int number = 1) {
    Attempt attempt;
    attempt.number = number;
    attempt.status = status;
    attempt.headers = &headers;
    return decide(request, attempt);
}

RetryDecision after_error(const Request& request, const TransportError& error, int number = 1) {
    Attempt attempt;
    attempt.number = number;
    attempt.error = &error;
    return decide(request, attempt);
}

Headers header(std::string_view name, std::string_view value) {
    Headers headers;
    headers.add(name, value);
    return headers;
}

}  // namespace

TEST_CASE("no wait is longer than the cap, whatever the settings") {
    for (int base : {0, 1, 100, 1000, 60'000}) {
        for (int cap : {0, 1, 8000, 100'000}) {
            for (int attempt : {-1, 0, 1, 2, 3, 6, 31, 32, 63, 64, 1000, 1 << 30}) {
                for (double random : {-1.0, 0.0, 0.25, 0.5, 0.999, 1.0, 2.0}) {
                    const RetryPolicy policy{.base = Milliseconds(base), .cap = Milliseconds(cap)};
                    const Milliseconds wait = backoff(policy, attempt, random);
                    REQUIRE(wait >= 0ms);
                    REQUIRE(wait <= policy.cap);
                }
            }
        }
    }
}

TEST_CASE("the wait's bound doubles from try to try and the whole range below it is used") {
    const RetryPolicy policy;
    const int bounds[] = {1000, 2000, 4000, 8000, 8000, 8000};
    for (int attempt = 1; attempt <= 6; ++attempt) {
        CHECK(backoff(policy, attempt, 1.0).count() == bounds[attempt - 1]);
        CHECK(backoff(policy, attempt, 0.5).count() == bounds[attempt - 1] / 2);
        CHECK(backoff(policy, attempt, 0.0).count() == 0);
    }
}

TEST_CASE("rate limits are read as the Hub writes them") {
    struct Case {
        const char *field, *policy;
        const char* resource;  // null: unreadable
        std::uint64_t remaining;
        int reset;
        int quota, window;  // -1: not told
    };
    for (const Case& test : {
             Case{"\"api\";r=0;t=55", "\"fixed window\";\"api\";q=500;w=300", "api", 0, 55, 500, 300},
             Case{"\"api\";r=12;t=120", "", "api", 12, 120, -1, -1},
             Case{"  \"resolvers\" ; r=0 ; t=7 ", "\"resolvers\";q=3000;w=300", "resolvers", 0, 7, 3000, 300},
             Case{"\"api\";t=7;r=3", "", "api", 3, 7, -1, -1},
             Case{"\"a,b;c\";r=1;t=2", "", "a,b;c", 1, 2, -1, -1},
             Case{"\"api\";r=5;t=10, \"pages\";r=0;t=20", "", "pages", 0, 20, -1, -1},
             Case{"\"api\";r=0;t=10, \"pages\";r=0;t=20", "", "pages", 0, 20, -1, -1},
             Case{"\"api\";r=5;t=10, \"pages\";r=4;t=20", "", "api", 5, 10, -1, -1},
             Case{"\"api\";r=0;t=1", "\"pages\";q=1;w=2, \"api\";q=3;w=4", "api", 0, 1, 3, 4},
             Case{"\"api\";r=0;t=1", "\"pages\";q=1;w=2, \"other\";q=3;w=4", "api", 0, 1, -1, -1},
             Case{"\"api\";r=0;t=99999999999999999999", "", "api", 0, 315360000, -1, -1},
             Case{"r=0, t=5", "", nullptr, 0, 0, -1, -1},
             Case{"\"api\";r=0", "", nullptr, 0, 0, -1, -1},
             Case{"\"api\";r=-1;t=5", "", nullptr, 0, 0, -1, -1},
             Case{"\"api\";r=x;t=5", "", nullptr, 0, 0, -1, -1},
             Case{"\"api", "", nullptr, 0, 0, -1, -1},
             Case{"\"", "", nullptr, 0, 0, -1, -1},
             Case{"\"\\", "", nullptr, 0, 0, -1, -1},
             Case{"", "", nullptr, 0, 0, -1, -1},
         }) {
        CAPTURE(std::string(test.field));
        Headers headers;
        headers.add("RateLimit", test.field);
        if (*test.policy) headers.add("RateLimit-Policy", test.policy);
        const auto limit = parse_rate_limit(headers);
        REQUIRE(limit.has_value() == (test.resource != nullptr));
        if (!limit) continue;
        CHECK(limit->resource == test.resource);
        CHECK(limit->remaining == test.remaining);
        CHECK(limit->reset.count() == test.reset);
        CHECK(static_cast<int>(limit->quota.value_or(-1)) == test.quota);
        CHECK(limit->window.value_or(-1s).count() == test.window);
    }
    CHECK(!parse_rate_limit(Headers{}));
}

TEST_CASE("Retry-After is read as seconds or as a date") {
    struct Case {
        const char* value;
        std::int64_t milliseconds;  // -1: unreadable
    };
    for (const Case& test : {
             Case{"0", 0},
             Case{"120", 120'000},
             Case{" 3 ", 3000},
             Case{"99999999999999999999", 315'360'000'000},
             Case{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
             Case{"Sun, 06 Nov 1994 08:50:37 GMT", 60'000},
             Case{"Sun, 06 Nov 1994 08:49:07 GMT", 0},
             Case{"Fri, 31 Dec 9999 23:59:59 GMT", 315'360'000'000},
             Case{"Mon, 01 Jan 2300 00:00:00 GMT", 315'360'000'000},
             Case{"Mon, 01 Jan 0001 00:00:00 GMT", 0},
             Case{"-5", -1},
             Case{"1.5", -1},
             Case{"soon", -1},
             Case{"", -1},
         }) {
        CAPTURE(std::string(test.value));
        CHECK(retry_after(header("Retry-After", test.value), wall).value_or(-1ms).count() == test.milliseconds);
    }
    CHECK(!retry_after(Headers{}, wall));
}

TEST_CASE("transient statuses of idempotent requests are tried again, others are final") {
    for (Method method : {Method::get, Method::head, Method::put, Method::delete_, Method::options}) {
        for (int status : {408, 429, 500, 502, 503, 504}) CHECK(after_status(request_with(method), status).retry);
        for (int status : {400, 401, 403, 404, 405, 409, 410, 412, 413, 416, 418, 422, 451, 501, 505, 511, 599}) {
            CHECK(!after_status(request_with(method), status).retry);
        }
    }
}

TEST_CASE("a POST is repeated only where the server turned it away or the caller allows it") {
    const Headers asked = header("Retry-After", "2");
    const Headers limited = header("RateLimit", "\"api\";r=0;t=3");
    for (Method method : {Method::post, Method::patch}) {
        Request request = request_with(method);
        for (int status : {408, 429, 500, 502, 503, 504}) CHECK(!after_status(request, status).retry);
        for (int status : {429, 503}) CHECK(after_status(request, status, asked).retry);
        for (int status : {408, 500, 502, 504}) CHECK(!after_status(request, status, asked).retry);
        CHECK(after_status(request, 429, limited).retry);
        request.idempotent = true;
        for (int status : {408, 429, 500, 502, 503, 504}) CHECK(after_status(request, status).retry);
    }
}

TEST_CASE("requests whose answers are not retried are still repeated after transport failures") {
    Request request = request_with(Method::get);
    request.retry_statuses = false;
    CHECK(!after_status(request, 503).retry);
    CHECK(!after_status(request, 429, header("Retry-After", "1")).retry);
    CHECK(after_error(request, ConnectionLostError("lost")).retry);
}

TEST_CASE("the server's wait is kept, with a little more, up to the ceiling") {
    struct Case {
        int status;
        const char *name, *value;
        std::int64_t seconds;  // -1: own backoff; -2: not retried
    };
    for (const Case& test : {
             Case{429, "RateLimit", "\"api\";r=0;t=55", 55},
             Case{429, "RateLimit", "\"api\";r=3;t=55", -1},
             Case{429, "RateLimit", "r=0, t=5", -1},
             Case{429, "Retry-After", "7", 7},
             Case{503, "Retry-After", "7", 7},
             Case{500, "Retry-After", "7", 7},
             Case{429, "Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT", 60},
             Case{429, "Retry-After", "300", 300},
             Case{429, "Retry-After", "301", -2},
             Case{429, "Retry-After", "99999999999", -2},
             Case{429, "RateLimit", "\"api\";r=0;t=900", -2},
             Case{429, "Retry-After", "later", -1},
         }) {
        CAPTURE(std::string(test.value));
        for (double random : {0.0, 0.3, 1.0}) {
            const Headers headers = header(test.name, test.value);
            Attempt attempt;
            attempt.status = test.status;
            attempt.headers = &headers;
            const RetryDecision decision = decide(request_with(Method::get), attempt, random);
            CHECK(decision.retry == (test.seconds != -2));
            CHECK(decision.server_paced == (test.seconds >= 0));
            if (test.seconds >= 0) {
                CHECK(decision.wait >= Milliseconds(test.seconds * 1000 + 500));
                CHECK(decision.wait <= Milliseconds(test.seconds * 1000 + 1000));
            } else if (test.seconds == -1) {
                CHECK(decision.wait == Milliseconds(static_cast<int>(1000 * random)));
            }
        }
    }
}

TEST_CASE("of rate limit and Retry-After the rate limit counts where it is used up") {
    Headers headers = header("RateLimit", "\"api\";r=0;t=0");
    headers.add("Retry-After", "60");
    CHECK(server_wait(headers, wall) == 0ms);
    headers.set("RateLimit", "\"api\";r=5;t=10");
    CHECK(server_wait(headers, wall) == 60s);
}

TEST_CASE("a rate limit holds back the requests that it counts, any other wait all of them") {
    CHECK(paused_class(header("RateLimit", "\"api\";r=0;t=55")) == "api");
    CHECK(paused_class(header("RateLimit", "\"resolvers\";r=0;t=55")) == "resolvers");
    CHECK(paused_class(header("RateLimit", "\"pages\";r=0;t=55")) == "pages");
    CHECK(paused_class(header("RateLimit", "\"api\";r=5;t=10, \"pages\";r=0;t=20")) == "pages");
    CHECK(paused_class(header("RateLimit", "\"something else\";r=0;t=55")).empty());
    CHECK(paused_class(header("RateLimit", "\"api\";r=3;t=55")).empty());
    CHECK(paused_class(header("Retry-After", "7")).empty());
    const auto class_of = [](const char* target) {
        return request_class(Url::parse("https://hub.co" + std::string(target)));
    };
    CHECK(class_of("/gpt2/resolve/main/config.json") == "resolvers");
    CHECK(class_of("/datasets/a/b/resolve/main/x/y") == "resolvers");
    CHECK(class_of("/api/models/gpt2") == "api");
    CHECK(class_of("/api/resolve/x") == "resolvers");
    CHECK(class_of("/gpt2/tree/main?x=/resolve/") == "pages");
    CHECK(class_of("/") == "pages");
}

TEST_CASE("a wait beyond the ceiling is named in the reason") {
    const RetryDecision decision = after_status(request_with(Method::get), 429, header("Retry-After", "900"));
    CHECK(!decision.retry);
    CHECK(decision.reason.find("900 s") != std::string::npos);
    CHECK(decision.reason.find("300 s") != std::string::npos);
}

TEST_CASE("transport failures are retried where another try may help and does no harm") {
    ConnectError refused("refused");
    ConnectError untrusted("untrusted");
    untrusted.permanent = true;
    ProxyError unreachable("no proxy");
    ProxyError denied("407");
    denied.status = 407;
    ProxyError overloaded("503");
    overloaded.status = 503;
    const TimeoutError connect(TimeoutPhase::connect, 1s), headers(TimeoutPhase::headers, 1s),
        idle(TimeoutPhase::idle, 1s), write(TimeoutPhase::write, 1s), pool(TimeoutPhase::pool, 1s),
        deadline(TimeoutPhase::deadline, 1s);
    const ConnectionLostError lost("lost");
    ConnectionLostError unprocessed("GOAWAY");
    unprocessed.maybe_processed = false;
    struct Case {
        const TransportError& error;
        bool get, post;
    };
    for (const Case& test : {
             Case{refused, true, true},
             Case{untrusted, false, false},
             Case{unreachable, true, true},
             Case{denied, false, false},
             Case{overloaded, true, true},
             Case{connect, true, true},
             Case{headers, true, false},
             Case{idle, true, false},
             Case{write, true, false},
             Case{pool, false, false},
             Case{deadline, false, false},
             Case{lost, true, false},
             Case{unprocessed, true, true},
             Case{TruncatedError(1, 2), true, false},
             Case{ProtocolError("nonsense"), true, false},
             Case{TooManyRedirectsError("circle"), false, false},
         }) {
        CAPTURE(std::string(test.error.what()));
        CHECK(after_error(request_with(Method::get), test.error).retry == test.get);
        CHECK(after_error(request_with(Method::post), test.error).retry == test.post);
        Request marked = request_with(Method::post);
        marked.idempotent = true;
        CHECK(after_error(marked, test.error).retry == test.get);
    }
}

TEST_CASE("an answer that breaks HTTP is asked for once more, one that is meant so is final") {
    const ProtocolError damaged("not HTTP"), meant = ProtocolError::lasting("coding not known");
    const ConnectionLostError lost("lost");
    CHECK(after_error(request_with(Method::get), damaged).retry);
    CHECK(!after_error(request_with(Method::get), meant).retry);
    Attempt attempt;
    attempt.number = 2;
    attempt.was_malformed = true;
    attempt.error = &damaged;
    CHECK(!decide(request_with(Method::get), attempt).retry);
    attempt.error = &lost;
    CHECK(decide(request_with(Method::get), attempt).retry);
}

TEST_CASE("a stale connection is retried at once, on a new connection, once") {
    ConnectionLostError stale("closed while idle");
    stale.stale_connection = true;
    Attempt attempt;
    attempt.error = &stale;
    RetryDecision decision = decide(request_with(Method::get), attempt);
    CHECK(decision.retry);
    CHECK(decision.wait == 0ms);
    CHECK(decision.new_connection);
    CHECK(!decide(request_with(Method::post), attempt).retry);

    attempt.number = 2;
    attempt.stale_retry_done = true;
    decision = decide(request_with(Method::get), attempt);
    CHECK(decision.retry);
    CHECK(decision.wait == 2s);
    CHECK(!decision.new_connection);

    stale.maybe_processed = false;
    attempt.stale_retry_done = false;
    CHECK(decide(request_with(Method::post), attempt).new_connection);
    attempt.body_replayable = false;
    CHECK(!decide(request_with(Method::post), attempt).retry);
}

TEST_CASE("a request that connections send back as they go away goes on at once, and that is no try, within reason") {
    ConnectionLostError away("going away");
    away.stale_connection = true;
    away.maybe_processed = false;
    CHECK(was_turned_away(away));
    CHECK_FALSE(was_refused(away));
    CHECK_FALSE(was_turned_away(ConnectError("no")));
    Attempt attempt;
    attempt.error = &away;
    attempt.stale_retry_done = true;
    attempt.number = 6;  // the last
    for (attempt.turned_away = 1; attempt.turned_away <= 20; ++attempt.turned_away) {
        const RetryDecision decision = decide(request_with(Method::post), attempt);
        CHECK(decision.retry);
        CHECK(decision.uncounted);
        CHECK(decision.new_connection);
        CHECK(decision.wait == 0ms);
    }
    CHECK_FALSE(decide(request_with(Method::post), attempt).retry);
    attempt.number = 2;
    const RetryDecision counted = decide(request_with(Method::post), attempt);
    CHECK(counted.retry);
    CHECK_FALSE(counted.uncounted);
    CHECK(counted.wait == 2s);
    away.maybe_processed = true;
    CHECK_FALSE(was_turned_away(away));
    CHECK_FALSE(decide(request_with(Method::get), attempt).uncounted);
}

TEST_CASE("a request that is refused again and again is repeated three times, each after a wait") {
    ConnectionLostError refused("refused");
    CHECK_FALSE(was_refused(refused));
    refused.maybe_processed = false;
    CHECK(was_refused(refused));
    CHECK_FALSE(was_refused(ConnectError("no")));
    Attempt attempt;
    attempt.error = &refused;
    for (attempt.refusals = 1; attempt.refusals <= 3; ++attempt.refusals) {
        attempt.number = attempt.refusals;
        CHECK(decide(request_with(Method::post), attempt).retry);
        CHECK(decide(request_with(Method::post), attempt).wait > 0ms);
    }
    CHECK_FALSE(decide(request_with(Method::get), attempt).retry);
}

TEST_CASE("a name that cannot be looked up for now is asked about four times in all") {
    const UnresolvedHostError unknown("hub.test", "no answer");
    CHECK(was_unresolved(unknown));
    CHECK_FALSE(was_unresolved(ConnectError("no")));
    Attempt attempt;
    attempt.error = &unknown;
    for (attempt.unresolved = 1; attempt.unresolved <= 3; ++attempt.unresolved) {
        attempt.number = attempt.unresolved;
        CHECK(decide(request_with(Method::post), attempt).retry);
        CHECK(decide(request_with(Method::post), attempt).wait > 0ms);
    }
    attempt.number = 4;
    CHECK_FALSE(decide(request_with(Method::get), attempt).retry);
}

TEST_CASE("tries end at the smaller of both limits") {
    Request request = request_with(Method::get);
    CHECK(after_status(request, 503, {}, 5).retry);
    CHECK(!after_status(request, 503, {}, 6).retry);
    CHECK(!after_status(request, 503, {}, 7).retry);
    request.max_attempts = 2;
    CHECK(after_status(request, 503, {}, 1).retry);
    CHECK(!after_status(request, 503, {}, 2).retry);
    request.max_attempts = 1;
    CHECK(!after_status(request, 503, {}, 1).retry);
    request.max_attempts = 100;
    CHECK(!after_status(request, 503, {}, 6).retry);
    CHECK(after_status(request, 503, {}, 6).reason == "status 503 on try 6, the last");
}

TEST_CASE("no try begins after the deadline") {
    Request request = request_with(Method::get);
    const Headers headers = header("Retry-After", "10");
    Attempt attempt;
    attempt.status = 503;
    attempt.headers = &headers;
    request.deadline = Clock::time_point(1h) + 11s;  // the wait is 10 s and up to 1 s more
    CHECK(decide(request, attempt, 0.5).retry);
    CHECK(!decide(request, attempt, 1.0).retry);
    request.deadline = Clock::time_point(1h) - 1s;
    CHECK(!decide(request, attempt, 0.0).retry);
}

TEST_CASE("no try begins after the longest silence, and one that does ends within it") {
    Request request = request_with(Method::get);
    request.max_silence = 120s;
    TimeoutError error(TimeoutPhase::headers, 60s);
    Attempt attempt;
    attempt.error = &error;
    attempt.silent = 60s;
    CHECK(decide(request, attempt).retry);
    attempt.silent = 118'999ms;
    CHECK(decide(request, attempt).wait == 1s);
    attempt.silent = 119s;
    const RetryDecision late = decide(request, attempt);
    CHECK(!late.retry);
    CHECK(late.reason.find("no answer for 119 s") != std::string::npos);
    // An answer ends a silence, however long it lasted.
    Headers headers;
    Attempt answered;
    answered.status = 503;
    answered.headers = &headers;
    answered.silent = 200s;
    CHECK(decide(request, answered).retry);

    const Timeouts given{.connect = 10s, .write = 30s, .headers = 60s, .idle = 10s, .pool = 0ms};
    const Timeouts cut = shortened(given, 20s);
    CHECK(cut.connect == 10s);
    CHECK(cut.headers == 20s);
    CHECK(cut.write == 30s);
    CHECK(cut.idle == 10s);
    CHECK(cut.pool == 0ms);
    CHECK(shortened(given, -5s).headers == 1ms);
}

TEST_CASE("all waits of a request together are bounded, whatever the settings") {
    for (const int attempts : {1, 2, 6, 50}) {
        for (const int cap : {0, 10, 8000}) {
            const RetryPolicy policy{.max_attempts = attempts, .base = 1s, .cap = Milliseconds(cap)};
            Request request = request_with(Method::get);
            request.max_attempts = attempts;
            const ConnectionLostError error("lost");
            Milliseconds sum{0};
            int tries = 1;
            for (Attempt attempt;; ++attempt.number, ++tries) {
                attempt.error = &error;
                attempt.silent = sum;  // tries that fail at once
                const RetryDecision decision = decide(request, attempt, 1.0, policy);
                if (!decision.retry) break;
                CHECK(decision.wait <= policy.cap);
                sum += decision.wait;
            }
            CHECK(tries <= attempts);
            CHECK(sum <= (attempts - 1) * policy.cap);
            CHECK(sum < request.max_silence);
        }
    }
}

TEST_CASE("a retry of what the server has not acted on costs no budget, any other does") {
    Attempt attempt;
    ConnectionLostError lost("lost");
    attempt.error = &lost;
    CHECK_FALSE(should_retry({}, Request(), attempt, RetryMoment()).unprocessed);
    lost.maybe_processed = false;
    attempt.refusals = 1;
    CHECK(should_retry({}, Request(), attempt, RetryMoment()).unprocessed);
    const ConnectError unreachable("no");
    attempt.error = &unreachable;
    CHECK_FALSE(should_retry({}, Request(), attempt, RetryMoment()).unprocessed);
}

TEST_CASE("when everything fails the budget lets through one retry in five after the burst") {
    RetryBudget budget(10);
    int retries = 0;
    for (int request = 0; request < 1000; ++request) {
        budget.on_request();
        for (int attempt = 1; attempt < 6; ++attempt) retries += budget.take() ? 1 : 0;
    }
    CHECK(retries <= 10 + 200);
    CHECK(retries >= 200);
}

TEST_CASE("a budget does not grow beyond its burst") {
    RetryBudget budget(3);
    for (int i = 0; i < 1000; ++i) budget.on_request();
    int retries = 0;
    while (budget.take()) ++retries;
    CHECK(retries == 3);
}
