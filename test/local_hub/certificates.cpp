#include "certificates.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>

namespace hfhub::local_hub {

namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;

constexpr long validity_seconds = 30L * 24 * 3600;

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + ERR_error_string(ERR_get_error(), nullptr));
}

void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
    if (extension == nullptr) fail("cannot make a certificate extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

Certificate make_certificate(EVP_PKEY* key, const char* name, X509* issuer) {
    Certificate certificate(X509_new());
    static long counter = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), std::time(nullptr) * 16 + ++counter);
    X509_set_version(certificate.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), validity_seconds);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    return certificate;
}

int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                unsigned offered_size, void*) {
    static constexpr unsigned char known[] = "\x02h2\x08http/1.1";
    unsigned char* match = nullptr;
    int result = SSL_select_next_proto(&match, size, known, sizeof known - 1, offered, offered_size);
    *chosen = match;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

TlsContext make_tls_context(const std::filesystem::path& authority_file) {
    Key authority_key(EVP_EC_gen("P-256"));
    Certificate authority = make_certificate(authority_key.get(), "hfhub local hub authority", nullptr);
    add_extension(authority.get(), authority.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(authority.get(), authority.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(authority.get(), authority.get(), NID_subject_key_identifier, "hash");
    X509_sign(authority.get(), authority_key.get(), EVP_sha256());

    Key server_key(EVP_EC_gen("P-256"));
    Certificate server = make_certificate(server_key.get(), "localhost", authority.get());
    add_extension(server.get(), authority.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(server.get(), authority.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(server.get(), authority.get(), NID_ext_key_usage, "serverAuth");
    add_extension(server.get(), authority.get(), NID_subject_key_identifier, "hash");
    add_extension(server.get(), authority.get(), NID_authority_key_identifier, "keyid");
    add_extension(server.get(), authority.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    X509_sign(server.get(), authority_key.get(), EVP_sha256());

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(authority_file.c_str(), "w"), std::fclose);
    if (!file || PEM_write_X509(file.get(), authority.get()) != 1) {
        throw std::runtime_error("cannot write " + authority_file.string());
    }

    TlsContext context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, nullptr);
    if (SSL_CTX_use_certificate(context.get(), server.get()) != 1) fail("cannot use the server certificate");
    if (SSL_CTX_use_PrivateKey(context.get(), server_key.get()) != 1) fail("cannot use the server key");
    return context;
}

}  // namespace hfhub::local_hub
