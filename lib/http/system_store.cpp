#include "http/system_store.hpp"

#include <openssl/x509.h>

#include <array>
#include <filesystem>
#include <string_view>

namespace hfhub::http {

namespace {

// A name as `openssl rehash` makes it: eight hexadecimal digits, a dot and a number.
bool is_hash_name(std::string_view name) {
    constexpr std::string_view hex = "0123456789abcdef", digits = "0123456789";
    return name.size() > 9 && name[8] == '.' && name.substr(0, 8).find_first_not_of(hex) == std::string_view::npos &&
           name.substr(9).find_first_not_of(digits) == std::string_view::npos;
}

}  // namespace

SystemStore system_store(const std::string& dir, std::span<const char* const> files) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(dir, error), end; !error && at != end; at.increment(error)) {
        if (is_hash_name(at->path().filename().string())) return {dir, {}};
    }
    for (const char* path : files) {
        if (std::filesystem::is_regular_file(path, error)) return {{}, path};
    }
    return {};
}

// Distributions differ in where they keep the bundle; a static OpenSSL knows only its own build's place.
SystemStore system_store() {
    const std::array bundles = {X509_get_default_cert_file(),
                                "/etc/ssl/certs/ca-certificates.crt",
                                "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                "/etc/pki/tls/certs/ca-bundle.crt",
                                "/etc/ssl/ca-bundle.pem",
                                "/etc/ssl/cert.pem"};
    return system_store(X509_get_default_cert_dir(), bundles);
}

}  // namespace hfhub::http
