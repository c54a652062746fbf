#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// One try of a request, when it has ended: how its connection was made, how long each step took, what came of it.
/// Texts hold no secrets and are valid during the call only.
struct AttemptTrace {
    using Duration = std::chrono::microseconds;

    std::string_view method;
    std::string_view url;  ///< Without credentials and signed query.
    int attempt = 1;       ///< Which try of the request, from 1.
    int max_attempts = 1;

    std::string_view protocol;        ///< "HTTP/1.1" or "HTTP/2"; as the next one, empty where no connection was had.
    std::string_view remote_address;  ///< "192.0.2.1:443", of the proxy where there is one.
    std::string_view proxy;           ///< Host and port; empty without one.
    std::string_view tls_version;     ///< "TLSv1.3"; as the next one, empty without TLS.
    std::string_view tls_cipher;
    bool tls_resumed = false;
    bool reused = false;  ///< Over a connection that had carried a request before.

    std::optional<Duration> queued;   ///< Until there was a connection, which may have been made meanwhile.
    std::optional<Duration> dns;      ///< As the next three, absent where the connection was reused, or failed before
                                      ///< that; until it failed where it did so then.
    std::optional<Duration> connect;  ///< TCP.
    std::optional<Duration> proxy_handshake;  ///< TLS with the proxy, CONNECT or SOCKS.
    std::optional<Duration> tls;
    std::optional<Duration> first_byte;  ///< From the begin of the try to the answer's headers.
    Duration total{0};                   ///< From the begin of the try to the end of the answer's body.

    std::uint64_t bytes_sent = 0;      ///< Of the request's body, as handed to the connection.
    std::uint64_t bytes_received = 0;  ///< Of the answer's body, before it is decoded.
    int status = 0;                    ///< 0 where no answer came.
    std::string_view request_id;       ///< Of the answer, else X-Amzn-Trace-Id as it was sent.
    std::string_view error;            ///< Why there is no whole answer; empty where there is.

    std::optional<std::chrono::milliseconds> wait;  ///< Before the next try, where there is one.
    std::string_view reason;                        ///< Of the next try, or why there is none after a failure.
};

/// All of it in one line, such as "GET https://huggingface.co/api/models/gpt2 -> 200, HTTP/2, 18.143.1.2:443 (new: DNS
/// 3 ms, TCP 11 ms, TLS 14 ms, TLSv1.3), first byte 95 ms, 96 ms in all, 4096 bytes".
std::string to_string(const AttemptTrace& trace);

}  // namespace hfhub
