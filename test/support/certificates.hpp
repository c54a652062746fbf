#pragma once

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace hfhub::test {

/// What a server's certificate says.
struct CertificateSpec {
    std::string subject = "test server";
    std::vector<std::string> dns_names;
    std::vector<std::string> addresses;
    int valid_from_days = -1;  ///< Relative to now.
    int valid_to_days = 30;
    bool self_signed = false;  ///< Signed by its own key instead of the authority's.
};

/// A certificate with its key, both as PEM.
struct Certificate {
    std::string certificate;
    std::string key;
};

/// A certificate authority made for one test.
class Authority {
  public:
    explicit Authority(const std::string& name = "hfhub test authority");
    ~Authority();
    Certificate issue(const CertificateSpec& spec) const;
    /// The authority's own certificate as PEM.
    std::string pem() const;

  private:
    struct Keys;
    std::unique_ptr<Keys> keys_;
};

/// What a TLS server does beyond showing its certificate.
struct TlsServerSpec {
    Certificate certificate;
    std::vector<std::string> alpn = {"h2", "http/1.1"};  ///< In order of preference; empty: no ALPN.
    int max_version = 0;                                 ///< 0 or an OpenSSL version constant.
};

using SslContext = std::shared_ptr<ssl_ctx_st>;
SslContext tls_server_context(const TlsServerSpec& spec);

}  // namespace hfhub::test
