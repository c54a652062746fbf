#pragma once

#include <atomic>
#include <cstdint>

namespace hfhub::http {

/// A number that the session's executor counts and any thread may read.
class Counter {
  public:
    /// There is one writer: no need for what several would cost each request.
    void add(std::uint64_t n = 1) noexcept { value_.store(value() + n, std::memory_order_relaxed); }
    void change(std::uint64_t from, std::uint64_t to) noexcept { add(to - from); }
    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_ = 0;
};

/// What a session has done since it was made. Shared by what may outlive it: sockets and bodies.
struct Counters {
    Counter requests, retries, redirects, refused, cancelled;
    Counter waited;                           ///< Milliseconds between tries.
    Counter reused, handshakes, resumptions;  ///< Of connections and TLS.
    Counter bytes_sent, bytes_received;       ///< On all sockets.
    Counter opened, connects_failed;          ///< Connections.
    Counter open, busy, active;               ///< Of this moment: connections, those with requests, and requests.
};

}  // namespace hfhub::http
