#include "core/base64.hpp"

#include <hfhub/error.hpp>

#include <array>
#include <cstdint>

namespace hfhub {

namespace {

constexpr char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t invalid = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(invalid);
    for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(standard[i])] = i;
    return values;
}
constexpr auto values = make_values();

std::string encode(std::string_view bytes, const char* alphabet) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto group = bytes.substr(i, 3);
        const auto at = [&](std::size_t k) -> std::uint32_t {
            return k < group.size() ? static_cast<unsigned char>(group[k]) : 0;
        };
        const std::uint32_t bits = at(0) << 16 | at(1) << 8 | at(2);
        out += alphabet[bits >> 18];
        out += alphabet[bits >> 12 & 63];
        out += group.size() > 1 ? alphabet[bits >> 6 & 63] : '=';
        out += group.size() > 2 ? alphabet[bits & 63] : '=';
    }
    return out;
}

std::string_view view(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string base64_encode(std::span<const std::byte> bytes) { return encode(view(bytes), standard); }
std::string base64_encode(std::string_view bytes) { return encode(bytes, standard); }
std::string base64url_encode(std::span<const std::byte> bytes) { return encode(view(bytes), url_safe); }
std::string base64url_encode(std::string_view bytes) { return encode(bytes, url_safe); }

std::string base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) throw InvalidArgumentError("base64: the length is not a multiple of 4");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    text.remove_suffix(padding);

    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const auto value = values[static_cast<unsigned char>(c)];
        if (value == invalid) throw InvalidArgumentError("base64: a character that is not of the alphabet");
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(bits >> held & 0xff);
        }
    }
    // Two texts must not mean the same bytes (RFC 4648 3.5).
    if ((bits & ((1u << held) - 1)) != 0) throw InvalidArgumentError("base64: bits set beyond the last byte");
    return out;
}

}  // namespace hfhub
