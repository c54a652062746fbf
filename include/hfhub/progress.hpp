#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace hfhub {

/// How far the transfer of one file is. `done` never goes back: bytes of an earlier run count from the start, and bytes
/// that have to be fetched again count once.
struct Progress {
    std::string_view name;  ///< Of the file in the repository; valid during the call only.
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total{};
};

/// Called at most ten times a second and once at the end, on the session's executor: it must not block and must not
/// call blocking methods of the same session. What it throws ends the transfer. One object may serve several transfers.
using ProgressCallback = std::function<void(const Progress&)>;

}  // namespace hfhub
