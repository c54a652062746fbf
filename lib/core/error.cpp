#include "core/tries_text.hpp"

#include <hfhub/error.hpp>

#include <cstdio>

namespace hfhub {

std::string_view to_string(TimeoutPhase phase) noexcept {
    switch (phase) {
        case TimeoutPhase::pool:
            return "pool";
        case TimeoutPhase::connect:
            return "connect";
        case TimeoutPhase::write:
            return "write";
        case TimeoutPhase::headers:
            return "headers";
        case TimeoutPhase::idle:
            return "idle";
        case TimeoutPhase::deadline:
            return "deadline";
    }
    return "unknown";
}

namespace {

std::string timeout_message(TimeoutPhase phase, std::chrono::milliseconds limit) {
    const std::string within = " within " + std::to_string(limit.count()) + " ms";
    switch (phase) {
        case TimeoutPhase::pool:
            return "no connection became free" + within;
        case TimeoutPhase::connect:
            return "no connection could be made" + within;
        case TimeoutPhase::write:
            return "the server took no bytes of the request" + within;
        case TimeoutPhase::headers:
            return "the server did not answer" + within;
        case TimeoutPhase::idle:
            return "the server sent nothing more" + within;
        case TimeoutPhase::deadline:
            return "the deadline of the call passed";
    }
    return "timeout" + within;
}

std::string truncated_message(std::uint64_t got, std::optional<std::uint64_t> expected) {
    std::string text = "the answer ended after " + std::to_string(got) + " bytes";
    if (expected) text += " of " + std::to_string(*expected);
    return text;
}

}  // namespace

std::string tries_text(int attempts, std::chrono::milliseconds waited) {
    if (attempts <= 1) return {};
    std::string text = " after " + std::to_string(attempts) + " tries";
    if (waited.count() <= 0) return text;
    char length[32];
    const double seconds = static_cast<double>(waited.count()) / 1000;
    std::snprintf(length, sizeof length, seconds < 10 ? "%.2g s" : "%.0f s", seconds);
    if (seconds < 1) std::snprintf(length, sizeof length, "%lld ms", static_cast<long long>(waited.count()));
    return text + " and " + length + " of waiting";
}

void TransportError::compose() {
    text_ = std::runtime_error::what();
    if (!url_.empty()) text_ += " (" + url_ + ")";
    text_ += tries_text(attempts, waited);
}

TimeoutError::TimeoutError(TimeoutPhase phase, std::chrono::milliseconds limit, const std::string& detail)
    : TransportError(timeout_message(phase, limit) + detail), phase(phase), limit(limit) {
    maybe_processed = phase != TimeoutPhase::pool && phase != TimeoutPhase::connect;
}

TruncatedError::TruncatedError(std::uint64_t got, std::optional<std::uint64_t> expected)
    : ConnectionLostError(truncated_message(got, expected)), got(got), expected(expected) {}

}  // namespace hfhub
