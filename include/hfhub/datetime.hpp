#pragma once

#include <chrono>

namespace hfhub {

/// A moment in UTC, as the Hub gives it.
using Datetime = std::chrono::sys_time<std::chrono::microseconds>;

}  // namespace hfhub
