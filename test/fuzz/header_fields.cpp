// Fields of answers that steer what comes next: waits, links to the next page, dates.

#include "core/datetime.hpp"
#include "fuzz.hpp"
#include "http/http1_parser.hpp"
#include "http/pagination.hpp"
#include "http/retry.hpp"

#include <hfhub/error.hpp>

#include <array>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

using std::chrono::system_clock;

constexpr std::array names = {"retry-after", "ratelimit", "ratelimit-policy", "link", "keep-alive", "date"};

void check_waits(const Headers& headers, system_clock::time_point now) {
    constexpr Milliseconds longest = std::chrono::hours(24 * 365 * 10);
    for (const auto& wait : {retry_after(headers, now), server_wait(headers, now)}) {
        if (wait) require(wait->count() >= 0 && *wait <= longest, "a wait is neither past nor beyond all bounds");
    }
    if (const auto limit = parse_rate_limit(headers)) {
        require(limit->reset.count() >= 0 && limit->reset <= longest, "a window ends within bounds");
        if (limit->window) require(limit->window->count() >= 0 && *limit->window <= longest, "and has such a length");
    }
    const std::string_view paused = paused_class(headers);
    require(paused.empty() || paused == "api" || paused == "pages" || paused == "resolvers", "a class is known");
    RetryMoment moment{Clock::now(), now, 0.5};
    Attempt attempt;
    attempt.status = 503;
    attempt.headers = &headers;
    const RetryPolicy policy;
    const RetryDecision decision = should_retry(policy, Request(), attempt, moment);
    require(decision.wait >= Milliseconds(0), "no wait is negative");
    require(decision.wait <= policy.retry_after_ceiling + policy.cap, "no wait is longer than the ceiling");
}

void check_next_page(const Headers& headers) {
    const Url endpoint = Url::parse("https://hub.example/prefix");
    const Url page = Url::parse("https://hub.example/prefix/api/models?limit=2");
    try {
        if (const auto next = next_page(page, headers, endpoint)) {
            require(next->same_origin(endpoint), "only the endpoint is asked on");
            require(!has_control(next->str()), "a URL has no control characters");
        }
    } catch (const ProtocolError& error) {
        require(!has_control(error.what()), "messages have no control characters");
    }
}

void check_dates(std::string_view text, system_clock::time_point now) {
    (void)parse_http_date(text, now);
    try {
        const Datetime time = parse_datetime(text);
        require(parse_datetime(format_datetime(time)) == time, "a time is read as it is written");
    } catch (const InvalidArgumentError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const system_clock::time_point now{std::chrono::seconds(1'767'000'000)};
    Headers headers;
    while (!input.rest().empty() && headers.size() < 64) {
        const std::string_view name = names[input.choice() % names.size()];
        const std::string_view value = input.line();
        check_dates(value, now);
        headers.add(name, value);
    }
    check_waits(headers, now);
    check_next_page(headers);
    if (const auto kept = keep_alive_timeout(headers)) require(kept->count() >= 0, "nothing is kept for less than 0 s");
    return 0;
}
