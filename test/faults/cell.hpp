#pragma once

// What a cell of the fault matrix is, and what the documentation says of it.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hfhub::test {

/// What goes wrong with a request: nothing is answered, or the head and half of the body; then silence, the orderly end
/// of the connection or its reset.
enum class Fault : std::uint8_t { none, stall, fin, rst, half_stall, half_fin, half_rst };

enum class Wire : std::uint8_t { http1, h2c, tls_http1, tls_http2, proxy_http1, proxy_http2 };

/// The calls, named after the request that meets the fault.
enum class Kind : std::uint8_t { head, json, download, range, put_part, commit, chat };

struct Cell {
    int number = 0;
    Fault fault = Fault::none;
    Wire wire = Wire::http1;
    Kind kind = Kind::head;
    bool always = false;  ///< All such requests meet the fault, otherwise only the first.

    std::string name() const;
    bool silent() const noexcept { return fault == Fault::stall || fault == Fault::fin || fault == Fault::rst; }
    bool stalls() const noexcept { return fault == Fault::stall || fault == Fault::half_stall; }
    bool http2() const noexcept { return wire == Wire::h2c || wire == Wire::tls_http2 || wire == Wire::proxy_http2; }
    bool tls() const noexcept { return wire != Wire::http1 && wire != Wire::h2c; }
    bool proxied() const noexcept { return wire == Wire::proxy_http1 || wire == Wire::proxy_http2; }
};

/// All of them.
std::vector<Cell> all_cells();
inline constexpr int kinds = 7;
const char* to_string(Kind kind) noexcept;

/// How a call ends, and how many of the requests that meet the fault the server sees.
struct Expected {
    std::string outcome;  ///< "ok", or the exception's class.
    int requests = 1;
};

/// As the documentation says. `patient`: with the limits of a new session instead of equally short ones.
Expected expected(const Cell& cell, bool patient);

}  // namespace hfhub::test
