#pragma once

// What people are told to do where TLS fails. No I/O.

#include <string>
#include <string_view>

namespace hfhub::http {

/// For a certificate that is refused with this verdict (X509_V_ERR_…).
std::string_view verdict_advice(long verdict) noexcept;
/// For a handshake that fails with this error of OpenSSL; begins with "; ", or is empty where there is nothing to say.
std::string_view handshake_advice(unsigned long code) noexcept;

/// Why OpenSSL's last call on this thread failed; its list of errors is empty afterwards.
std::string openssl_reason();

}  // namespace hfhub::http
