#pragma once

// What a trace tells of a connection.

#include <chrono>
#include <string>
#include <string_view>

namespace hfhub::http {

/// How long the steps took that made it.
struct ConnectTimes {
    std::chrono::steady_clock::duration resolve{}, connect{}, proxy{}, tls{};
};

/// What a handshake came to; the texts live for ever.
struct TlsFacts {
    std::string_view version, cipher;  ///< Empty without TLS.
    bool resumed = false;
};

struct ConnectionFacts {
    std::string peer;   ///< Address and port.
    std::string proxy;  ///< Host and port; empty without one.
    bool https = false;
    TlsFacts tls;
    ConnectTimes times;
};

}  // namespace hfhub::http
