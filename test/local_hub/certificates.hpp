#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>

namespace hfhub::local_hub {

struct TlsContextDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsContextDeleter>;

/// Makes a fresh authority and a server certificate for localhost, 127.0.0.1 and ::1 (EC P-256), writes the
/// authority's PEM to `authority_file`, and returns a context that offers h2 and http/1.1.
TlsContext make_tls_context(const std::filesystem::path& authority_file);

}  // namespace hfhub::local_hub
