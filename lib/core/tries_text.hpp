#pragma once

#include <chrono>
#include <string>

namespace hfhub {

/// " after 6 tries and 21 s of waiting", to end a sentence with; empty for the first try.
std::string tries_text(int attempts, std::chrono::milliseconds waited);

}  // namespace hfhub
