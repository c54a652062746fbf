#include "http/tls.hpp"

#include "http/tls_advice.hpp"
#include "http/workers.hpp"

#include <boost/asio/post.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <list>
#include <unordered_map>

namespace hfhub::http {

namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Deleter<SSL_SESSION_free>>;

constexpr std::size_t max_remembered_sessions = 256;

// 112 bits: no RSA or DH below 2048, no SHA-1 or MD5 in signatures, no RC4. How OpenSSL was built shall not matter.
constexpr int security_level = 2;

bool is_ip_address(const std::string& host) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

struct TlsStream::Impl {
    std::unique_ptr<Stream> lower;
    std::shared_ptr<TlsContext::State> context;
    std::string host;
    SslPtr ssl;
    IoState lower_state = IoState::done;  // why the last BIO call could not go on
    std::exception_ptr lower_error;       // must not pass through OpenSSL's frames
    bool lower_ended = false;             // outlasts the alert that OpenSSL writes after the end
    std::string certificate;              // what was refused, for people
};

struct TlsContext::State {
    explicit State(TrustSettings trust) : trust(std::move(trust)) {}
    void set_up();
    void remember(const std::string& host, SSL_SESSION* session);

    TrustSettings trust;
    std::shared_ptr<const TrustStore> store;
    SslCtxPtr ctx;
    bool loading = false;
    std::list<Event*> waiting;  // for what another one loads
    std::unordered_map<std::string, SessionPtr> sessions;
};

namespace {

TlsStream::Impl* impl_of(BIO* bio);

int bio_read(BIO* bio, char* buffer, std::size_t size, std::size_t* got);
int bio_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken);

long bio_ctrl(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return impl_of(bio)->lower_ended ? 1 : 0;
    return 0;
}

// Never freed: at the end of the process the default session ends its connections after younger statics are gone.
BIO_METHOD* bio_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hfhub stream");
        BIO_meth_set_read_ex(made, bio_read);
        BIO_meth_set_write_ex(made, bio_write);
        BIO_meth_set_ctrl(made, bio_ctrl);
        return made;
    }();
    return method;
}

TlsStream::Impl* impl_of(BIO* bio) { return static_cast<TlsStream::Impl*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* buffer, std::size_t size, std::size_t* got) {
    TlsStream::Impl* impl = impl_of(bio);
    BIO_clear_retry_flags(bio);
    *got = 0;
    try {
        const IoResult result = impl->lower->try_read(std::as_writable_bytes(std::span(buffer, size)));
        impl->lower_state = result.state;
        if (result.state == IoState::eof && result.bytes == 0) impl->lower_ended = true;
        *got = result.bytes;
        if (result.bytes > 0) return 1;
        if (result.state == IoState::want_read) BIO_set_retry_read(bio);
        if (result.state == IoState::want_write) BIO_set_retry_write(bio);
    } catch (...) {
        impl->lower_error = std::current_exception();
    }
    return 0;
}

int bio_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken) {
    TlsStream::Impl* impl = impl_of(bio);
    BIO_clear_retry_flags(bio);
    *taken = 0;
    try {
        const IoResult result = impl->lower->try_write(std::as_bytes(std::span(bytes, size)));
        impl->lower_state = result.state;
        *taken = result.bytes;
        if (result.bytes > 0) return 1;
        if (result.state == IoState::want_read) BIO_set_retry_read(bio);
        if (result.state == IoState::want_write) BIO_set_retry_write(bio);
    } catch (...) {
        impl->lower_error = std::current_exception();
    }
    return 0;
}

int remember_session(SSL* ssl, SSL_SESSION* session);
int note_refused(int good, X509_STORE_CTX* store);

}  // namespace

void TlsContext::State::set_up() {
    if (ctx) return;
    ERR_clear_error();
    ctx.reset(SSL_CTX_new(TLS_client_method()));
    if (!ctx) throw ConnectError("cannot set up TLS: " + openssl_reason());
    SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION);
    SSL_CTX_set_security_level(ctx.get(), security_level);
    SSL_CTX_set_mode(ctx.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx.get(), 1);
    SSL_CTX_set_options(ctx.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx.get(), remember_session);
    SSL_CTX_set_verify(ctx.get(), trust.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, note_refused);
    if (store) SSL_CTX_set1_cert_store(ctx.get(), store->certificates.get());
}

void TlsContext::State::remember(const std::string& host, SSL_SESSION* session) {
    if (sessions.size() >= max_remembered_sessions && !sessions.contains(host)) sessions.erase(sessions.begin());
    sessions[host].reset(session);
}

namespace {

struct Listed {
    Listed(std::list<Event*>& all, Event& event) : list(all), at(all.insert(all.end(), &event)) {}
    Listed(const Listed&) = delete;
    ~Listed() { list.erase(at); }
    std::list<Event*>& list;
    std::list<Event*>::iterator at;
};

/// Of the one who loads; at its end, however it comes, those who wait look again.
struct Turn {
    Turn(std::shared_ptr<TlsContext::State> of, const asio::any_io_executor& where)
        : state(std::move(of)), executor(where) {
        state->loading = true;
    }
    Turn(const Turn&) = delete;
    ~Turn() {
        state->loading = false;
        asio::post(executor, [state = state] {
            // Whoever is told leaves the list.
            const std::vector<Event*> told(state->waiting.begin(), state->waiting.end());
            for (Event* event : told) event->notify();
        });
    }
    std::shared_ptr<TlsContext::State> state;
    asio::any_io_executor executor;
};

}  // namespace

TlsContext::TlsContext(TrustSettings trust) : state_(std::make_shared<State>(std::move(trust))) {}

TlsContext::~TlsContext() = default;

awaitable<void> TlsContext::load(Waits& waits, Workers& workers, Limit limit) {
    const auto state = state_;
    if (!state->trust.verify) co_return;
    while (!state->store) {
        if (state->loading) {
            Event loaded(waits);
            const Listed listed(state->waiting, loaded);
            const Wake wake = co_await loaded.wait(limit.at);
            limit.check(wake);
            continue;
        }
        const Turn turn(state, waits.executor());
        auto work = [trust = state->trust] { return trust_store(trust); };
        state->store = co_await workers.run_detached(std::move(work), limit);
    }
}

std::unique_ptr<TlsStream> TlsContext::client(std::unique_ptr<Stream> lower, const std::string& host,
                                              bool offer_http2) {
    state_->set_up();
    auto impl = std::make_unique<TlsStream::Impl>();
    impl->lower = std::move(lower);
    impl->context = state_;
    impl->host = host;
    impl->ssl.reset(SSL_new(state_->ctx.get()));
    SSL* ssl = impl->ssl.get();
    BIO* bio = ssl == nullptr ? nullptr : BIO_new(bio_method());
    if (bio == nullptr) throw ConnectError("cannot set up TLS for " + host + ": " + openssl_reason());
    BIO_set_data(bio, impl.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, impl.get());
    SSL_set_connect_state(ssl);
    // An authority that is given itself need not be a root, as for curl: it may be the server's own certificate.
    X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (is_ip_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    } else {
        // The dot that ends an absolute name is part of no certificate, and not sent (RFC 6066 3).
        const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
        SSL_set_tlsext_host_name(ssl, name.c_str());
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(ssl, name.c_str());
    }
    static constexpr unsigned char both[] = "\x02h2\x08http/1.1";
    static constexpr unsigned char only_http1[] = "\x08http/1.1";
    if (offer_http2) {
        SSL_set_alpn_protos(ssl, both, sizeof both - 1);
    } else {
        SSL_set_alpn_protos(ssl, only_http1, sizeof only_http1 - 1);
    }
    if (const auto known = state_->sessions.find(host); known != state_->sessions.end()) {
        SSL_set_session(ssl, known->second.get());
    }
    return std::unique_ptr<TlsStream>(new TlsStream(std::move(impl)));
}

namespace {

int remember_session(SSL* ssl, SSL_SESSION* session) {
    auto* impl = static_cast<TlsStream::Impl*>(SSL_get_app_data(ssl));
    impl->context->remember(impl->host, session);
    return 1;  // the reference is ours now
}

// The SSL object gets the certificate only once it is accepted.
int note_refused(int good, X509_STORE_CTX* store) {
    if (good == 1) return good;
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509* certificate = X509_STORE_CTX_get0_cert(store);
    if (ssl == nullptr || certificate == nullptr) return good;
    char subject[256], issuer[256];
    X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
    X509_NAME_oneline(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    auto* impl = static_cast<TlsStream::Impl*>(SSL_get_app_data(ssl));
    impl->certificate = std::string(" (subject ") + subject + ", issuer " + issuer + ")";
    return good;
}

[[noreturn]] void throw_handshake_error(TlsStream::Impl& impl) {
    const long verdict = SSL_get_verify_result(impl.ssl.get());
    const bool untrusted = verdict != X509_V_OK && impl.context->trust.verify;
    std::string text = "TLS with " + impl.host + " failed: ";
    if (untrusted) {
        text += std::string(X509_verify_cert_error_string(verdict)) + impl.certificate + ", checked against " +
                impl.context->store->name + "; " + std::string(verdict_advice(verdict));
    } else if (impl.lower_ended) {
        text += "the peer closed the connection during the handshake";
    } else {
        const std::string_view advice = handshake_advice(ERR_peek_last_error());
        text += openssl_reason().append(advice);
    }
    ConnectError error(text);
    error.permanent = untrusted || !impl.lower_ended;
    throw error;
}

}  // namespace

TlsStream::TlsStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TlsStream::~TlsStream() {
    // Otherwise OpenSSL takes the end without close_notify for a failure and spoils the session for resumption.
    SSL_set_shutdown(impl_->ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    close();
}

IoResult TlsStream::try_handshake() {
    SSL* ssl = impl_->ssl.get();
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    if (result == 1) return {0, IoState::done};
    if (impl_->lower_error) std::rethrow_exception(std::exchange(impl_->lower_error, nullptr));
    switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ:
            return {0, IoState::want_read};
        case SSL_ERROR_WANT_WRITE:
            return {0, IoState::want_write};
        default:
            throw_handshake_error(*impl_);
    }
}

IoResult TlsStream::try_read(std::span<std::byte> buffer) {
    SSL* ssl = impl_->ssl.get();
    std::size_t total = 0;
    // One record is at most 16 KiB: draining several per wake-up is what makes bulk transfers cheap.
    while (total < buffer.size()) {
        std::size_t got = 0;
        ERR_clear_error();
        const int result = SSL_read_ex(ssl, buffer.data() + total, buffer.size() - total, &got);
        total += got;
        if (result == 1) continue;
        const int why = SSL_get_error(ssl, result);
        if (total > 0) {
            impl_->lower_error = nullptr;  // it shows again on the next call
            return {total, why == SSL_ERROR_WANT_READ ? IoState::want_read : IoState::done};
        }
        if (impl_->lower_error) std::rethrow_exception(std::exchange(impl_->lower_error, nullptr));
        switch (why) {
            case SSL_ERROR_WANT_READ:
                return {0, IoState::want_read};
            case SSL_ERROR_WANT_WRITE:
                return {0, IoState::want_write};
            case SSL_ERROR_ZERO_RETURN:
                return {0, IoState::eof};
            default:
                break;
        }
        if (impl_->lower_ended) {
            throw ConnectionLostError("the peer closed the connection with " + impl_->host +
                                      " without ending TLS (no close_notify)");
        }
        throw ProtocolError("TLS with " + impl_->host + " broke: " + openssl_reason());
    }
    return {total, IoState::done};
}

IoResult TlsStream::try_write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    SSL* ssl = impl_->ssl.get();
    std::size_t taken = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl, bytes.data(), bytes.size(), &taken);
    if (result == 1) return {taken, IoState::done};
    if (impl_->lower_error) std::rethrow_exception(std::exchange(impl_->lower_error, nullptr));
    switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ:
            return {0, IoState::want_read};
        case SSL_ERROR_WANT_WRITE:
            return {0, IoState::want_write};
        default:
            throw ConnectionLostError("TLS with " + impl_->host + " broke while writing: " + openssl_reason());
    }
}

void TlsStream::async_wait(Direction direction, std::shared_ptr<Readiness> readiness) {
    impl_->lower->async_wait(direction, std::move(readiness));
}

void TlsStream::close() noexcept { impl_->lower->close(); }

bool TlsStream::readable() noexcept {
    // Session tickets arrive after the handshake and are no data: let OpenSSL take what is there.
    try {
        std::byte byte;
        ERR_clear_error();
        std::size_t got = 0;
        const int result = SSL_peek_ex(impl_->ssl.get(), &byte, 1, &got);
        if (result == 1 || impl_->lower_error) return true;
        return SSL_get_error(impl_->ssl.get(), result) != SSL_ERROR_WANT_READ;
    } catch (...) {
        return true;
    }
}

std::string_view TlsStream::alpn() const noexcept {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(impl_->ssl.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string TlsStream::peer() const { return impl_->lower->peer(); }

TlsFacts TlsStream::tls() const noexcept {
    const SSL* ssl = impl_->ssl.get();
    const char* cipher = SSL_get_cipher_name(ssl);
    return {SSL_get_version(ssl), cipher == nullptr ? "" : cipher, SSL_session_reused(ssl) == 1};
}

awaitable<void> TlsStream::handshake(Waits& waits, Limit limit) {
    StreamWait readiness(waits, *this);
    for (;;) {
        const IoResult result = try_handshake();
        if (result.state == IoState::done) co_return;
        co_await readiness.wait(result.state, limit);
    }
}

}  // namespace hfhub::http
