#include "core/utf8.hpp"

namespace hfhub {

namespace {

constexpr unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

std::size_t utf8_character(std::string_view text) noexcept {
    if (text.empty()) return 0;
    const unsigned first = byte_at(text, 0);
    if (first < 0x80) return 1;
    const std::size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;
    // The second byte is what tells overlong forms, surrogates and what lies beyond Unicode.
    const unsigned lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte_at(text, 1) < lowest || byte_at(text, 1) > highest) return 0;
    for (std::size_t i = 2; i < size; ++i) {
        if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
    }
    return size;
}

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t size = utf8_character(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

bool begins_with_control(std::string_view text) noexcept {
    if (text.empty()) return false;
    const unsigned first = byte_at(text, 0);
    return first < 0x20 || first == 0x7f || (first == 0xc2 && text.size() > 1 && byte_at(text, 1) < 0xa0);
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    while (!text.empty()) {
        const std::size_t size = utf8_character(text);
        if (out.size() + size > limit) return out + "…";
        if (size == 0 || begins_with_control(text)) {
            out += '?';
        } else {
            out += text.substr(0, size);
        }
        text.remove_prefix(size == 0 ? 1 : size);
    }
    return out;
}

}  // namespace hfhub
