#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace hfhub::local_hub {

/// What the server has seen since its start or the last reset; read with GET /_local/stats.
struct Statistics {
    using Counter = std::atomic<std::uint64_t>;
    Counter connections_accepted{0}, connections_open{0}, tls_handshakes_failed{0};
    Counter http1_requests{0}, http2_requests{0}, http1_connections{0}, http2_connections{0};
    Counter api_requests{0}, resolve_requests{0}, lfs_requests{0}, storage_reads{0}, storage_writes{0};
    Counter chat_requests{0}, other_requests{0};
    Counter streams_open{0};  ///< Requests begun and neither answered to the end nor given up, of both protocols.
    Counter streams_reset_by_client{0}, responses_abandoned{0};
    Counter tokens_generated{0}, generations_stopped{0};
    Counter bytes_received{0}, bytes_sent{0};
    Counter faults_injected{0}, authorization_at_storage{0};

    /// All counters back to zero, except those of what is open now.
    void reset();
    std::string to_json() const;
};

}  // namespace hfhub::local_hub
