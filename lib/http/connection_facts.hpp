#pragma once

// What a trace tells of a connection.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::http {

/// How long the steps took that made it, or that were to; absent of those that were not come to.
struct ConnectTimes {
    std::optional<std::chrono::steady_clock::duration> resolve, connect, proxy, tls;
};

/// What a handshake came to; the texts live for ever.
struct TlsFacts {
    std::string_view version, cipher;  ///< Empty without TLS.
    bool resumed = false;
};

/// Of a connection, or of an attempt to make one.
struct ConnectionFacts {
    std::string peer;   ///< Address and port; empty where there is no connection.
    std::string proxy;  ///< Host and port; empty without one.
    TlsFacts tls;
    ConnectTimes times;
};

}  // namespace hfhub::http
