#pragma once

#include <memory>
#include <string>

struct x509_store_st;

namespace hfhub::http {

/// Whom TLS trusts. Empty file and dir mean the system's store.
struct TrustSettings {
    std::string ca_file;  ///< PEM bundle that replaces the system's store.
    std::string ca_dir;   ///< Hashed directory that replaces the system's store.
    std::string source;   ///< Where file or dir come from, such as "SSL_CERT_FILE", for error messages.
    bool verify = true;   ///< False accepts any certificate; only for tests and explicit requests.
    bool operator==(const TrustSettings&) const = default;
};

/// Certificates to trust. Never changes; safe to use from any thread.
struct TrustStore {
    std::shared_ptr<x509_store_st> certificates;
    std::string name;  ///< What was loaded, for people.
};

/// The store that the settings name, read once in the process as long as its file does not change. Blocks: a bundle of
/// all authorities takes OpenSSL a tenth of a second. From any thread. Throws ConnectError.
std::shared_ptr<const TrustStore> trust_store(const TrustSettings& trust);

}  // namespace hfhub::http
