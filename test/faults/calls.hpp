#pragma once

// The library's calls, as the matrix makes them.

#include "cell.hpp"

#include <hfhub/error.hpp>
#include <hfhub/session.hpp>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::test {

/// Where a cell's call goes, and with which limits.
struct CallPlan {
    Cell cell{};
    std::string server{};            ///< Base URL.
    std::string proxy{};             ///< Empty: none.
    std::filesystem::path folder{};  ///< Its own: home and cache.
    std::filesystem::path authority{};
    std::chrono::milliseconds limit{0};  ///< Of every answer and every silence; 0: those of a new session.
};

struct CallResult {
    std::string outcome = "ok", message{};
    std::string delivered{};  ///< The bytes that the call gave.
    std::optional<TransportError> error{};
    std::vector<std::string> tries{};  ///< As a trace tells them; of every second cell.
    std::chrono::milliseconds took{0};
};

inline constexpr const char* secret_token = "hf_secretsecretsecret";

awaitable<CallResult> make_call(asio::any_io_executor executor, CallPlan plan);

}  // namespace hfhub::test
