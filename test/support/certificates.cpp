#include "certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace hfhub::test {

namespace {

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Cert = std::unique_ptr<X509, Free>;
using Bio = std::unique_ptr<BIO, Free>;

void require(bool good, const char* what) {
    if (!good) throw std::runtime_error(std::string("OpenSSL failed: ") + what);
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
    require(extension != nullptr, value.c_str());
    X509_add_ext(certificate, extension.get(), -1);
}

Cert make_certificate(const std::string& name, EVP_PKEY* key, int from_days, int to_days) {
    static std::atomic<long> serial = 1;
    Cert made(X509_new());
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 86400L * from_days);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 86400L * to_days);
    X509_set_pubkey(made.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    return made;
}

std::string take_text(BIO* bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    return std::string(text, static_cast<std::size_t>(size));
}

std::string pem_of(X509* certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate);
    return take_text(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return take_text(bio.get());
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                void* data) {
    const auto& wanted = *static_cast<const std::string*>(data);
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(wanted.data()),
                              static_cast<unsigned>(wanted.size()), in, in_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct Authority::Keys {
    Key key;
    Cert certificate;
};

Authority::Authority(const std::string& name) : keys_(std::make_unique<Keys>()) {
    keys_->key.reset(EVP_EC_gen("P-256"));
    keys_->certificate = make_certificate(name, keys_->key.get(), -60, 60);
    X509* own = keys_->certificate.get();
    X509_set_issuer_name(own, X509_get_subject_name(own));
    add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
    require(X509_sign(own, keys_->key.get(), EVP_sha256()) > 0, "signing the authority");
}

Authority::~Authority() = default;

std::string Authority::pem() const { return pem_of(keys_->certificate.get()); }

Certificate Authority::issue(const CertificateSpec& spec) const {
    const Key key(EVP_EC_gen("P-256"));
    const Cert made = make_certificate(spec.subject, key.get(), spec.valid_from_days, spec.valid_to_days);
    X509* issuer = spec.self_signed ? made.get() : keys_->certificate.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
    std::string names;
    for (const std::string& name : spec.dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
    for (const std::string& address : spec.addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
    if (!names.empty()) add_extension(made.get(), issuer, NID_subject_alt_name, names);
    EVP_PKEY* signer = spec.self_signed ? key.get() : keys_->key.get();
    require(X509_sign(made.get(), signer, EVP_sha256()) > 0, "signing a certificate");
    return {pem_of(made.get()), pem_of(key.get())};
}

SslContext tls_server_context(const TlsServerSpec& spec) {
    SslContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    const auto& text = spec.certificate;
    const Bio certificate_bio(BIO_new_mem_buf(text.certificate.data(), static_cast<int>(text.certificate.size())));
    const Bio key_bio(BIO_new_mem_buf(text.key.data(), static_cast<int>(text.key.size())));
    const Cert certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    require(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1, "certificate");
    require(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1, "key");
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("test"), 4);
    if (spec.max_version != 0) {
        SSL_CTX_set_security_level(context.get(), 0);
        SSL_CTX_set_min_proto_version(context.get(), 0);
        SSL_CTX_set_max_proto_version(context.get(), spec.max_version);
    }
    if (!spec.alpn.empty()) {
        auto* wire = new std::string;
        for (const std::string& name : spec.alpn) *wire += static_cast<char>(name.size()) + name;
        SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, wire);
        return SslContext(context.get(), [context, wire](ssl_ctx_st*) mutable {
            context.reset();
            delete wire;
        });
    }
    return context;
}

}  // namespace hfhub::test
