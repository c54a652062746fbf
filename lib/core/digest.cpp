#include "core/digest.hpp"

#include <hfhub/error.hpp>

#include <openssl/evp.h>

namespace hfhub {

namespace {

// A fetch takes OpenSSL's global locks and searches its providers; once per process is enough.
const EVP_MD* fetched(const char* name) {
    const EVP_MD* found = EVP_MD_fetch(nullptr, name, nullptr);
    if (!found) throw Error(std::string("OpenSSL offers no ") + name + "; is it restricted to a FIPS provider?");
    return found;
}

const EVP_MD* sha1() {
    static const EVP_MD* const algorithm = fetched("SHA1");
    return algorithm;
}

const EVP_MD* sha256() {
    static const EVP_MD* const algorithm = fetched("SHA256");
    return algorithm;
}

void require(int done) {
    if (done != 1) throw Error("OpenSSL could not compute a hash");
}

}  // namespace

struct Digest::State {
    State() {
        if (!context) throw std::bad_alloc();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { EVP_MD_CTX_free(context); }

    EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Digest::Digest(Algorithm algorithm) : state_(std::make_unique<State>()) {
    require(EVP_DigestInit_ex(state_->context, algorithm == Algorithm::sha256 ? hfhub::sha256() : sha1(), nullptr));
}

Digest::Digest(const Digest& other) : state_(std::make_unique<State>()) {
    require(EVP_MD_CTX_copy_ex(state_->context, other.state_->context));
}

Digest& Digest::operator=(const Digest& other) {
    if (this != &other) *this = Digest(other);
    return *this;
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

void Digest::update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }

std::string Digest::raw() const {
    const Digest copy(*this);
    std::string bytes(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    require(EVP_DigestFinal_ex(copy.state_->context, reinterpret_cast<unsigned char*>(bytes.data()), &size));
    bytes.resize(size);
    return bytes;
}

std::string Digest::hex() const { return to_hex(raw()); }

GitBlobSha1::GitBlobSha1(std::uint64_t size) {
    const std::string header = "blob " + std::to_string(size);
    update(std::string_view(header.c_str(), header.size() + 1));  // with the zero byte
}

std::string sha256_hex(std::span<const std::byte> bytes) {
    Sha256 digest;
    digest.update(bytes);
    return digest.hex();
}

std::string sha256_hex(std::string_view bytes) { return sha256_hex(std::as_bytes(std::span(bytes))); }

std::string to_hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace hfhub
