#include "digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace hfhub::local_hub {

std::string to_hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

namespace {

std::string digest_hex(const EVP_MD* algorithm, std::string_view first, std::string_view second = {}) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, algorithm, nullptr);
    EVP_DigestUpdate(context, first.data(), first.size());
    EVP_DigestUpdate(context, second.data(), second.size());
    EVP_DigestFinal_ex(context, bytes.data(), &size);
    EVP_MD_CTX_free(context);
    return to_hex({reinterpret_cast<const char*>(bytes.data()), size});
}

std::array<signed char, 256> base64_values() {
    std::array<signed char, 256> values{};
    values.fill(-1);
    std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
    }
    return values;
}

}  // namespace

std::string sha1_hex(std::string_view bytes) { return digest_hex(EVP_sha1(), bytes); }
std::string sha256_hex(std::string_view bytes) { return digest_hex(EVP_sha256(), bytes); }

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), bytes.data(), &size);
    return to_hex({reinterpret_cast<const char*>(bytes.data()), size});
}

std::string git_blob_oid(std::string_view bytes) {
    std::string head = "blob " + std::to_string(bytes.size());
    head += '\0';
    return digest_hex(EVP_sha1(), head, bytes);
}

std::string lfs_pointer(std::string_view sha256, std::uint64_t size) {
    std::string text = "version https://git-lfs.github.com/spec/v1\noid sha256:";
    text.append(sha256).append("\nsize ").append(std::to_string(size)).append("\n");
    return text;
}

std::string base64_decode(std::string_view text) {
    static const std::array<signed char, 256> values = base64_values();
    if (text.size() % 4 != 0) throw std::invalid_argument("base64 text has no whole number of quads");
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int held = 0;
    for (unsigned char c : text) {
        if (values[c] < 0) throw std::invalid_argument("base64 text has a foreign character");
        bits = (bits << 6) | static_cast<std::uint32_t>(values[c]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>((bits >> held) & 255);
        }
    }
    return bytes;
}

struct Sha256::Context {
    EVP_MD_CTX* handle = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(handle); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { EVP_DigestInit_ex(context_->handle, EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(context_->handle, bytes.data(), bytes.size()); }

std::string Sha256::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_->handle, bytes.data(), &size);
    return to_hex({reinterpret_cast<const char*>(bytes.data()), size});
}

}  // namespace hfhub::local_hub
