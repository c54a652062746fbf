#pragma once

#include <hfhub/datetime.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// A moment in ISO 8601 as in RFC 3339: "2025-03-04T05:06:07.000Z", with a fraction of any length (cut to microseconds)
/// or none, and 'Z', an offset such as +01:00 or +0100, or nothing, which means UTC. Throws InvalidArgumentError.
Datetime parse_datetime(std::string_view text);

/// As Python's isoformat: "2026-01-02T03:04:05+00:00", with ".000007" before the offset where there is a fraction.
std::string format_datetime(Datetime time);

/// An HTTP date in any of the three forms of RFC 9110 5.6.7; nothing where it is none. The two-digit year of the RFC
/// 850 form means the latest year that is not more than 50 years after `now`.
std::optional<std::chrono::sys_seconds> parse_http_date(
    std::string_view text, std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

}  // namespace hfhub
