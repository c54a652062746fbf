#include "h2_frames.hpp"

namespace hfhub::test {

namespace {

std::uint32_t read_number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(at, size)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
}

}  // namespace

std::string h2_number(std::uint32_t value, int bytes) {
    std::string out;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
    return out;
}

std::string h2_frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
    std::string out = h2_number(static_cast<std::uint32_t>(payload.size()), 3);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    return out.append(h2_number(stream)).append(payload);
}

std::string h2_setting(int id, std::uint32_t value) {
    return h2_number(static_cast<std::uint32_t>(id), 2) + h2_number(value);
}

std::string h2_field(std::string_view name, std::string_view value) {
    std::string out(1, '\0');
    out.append(1, static_cast<char>(name.size())).append(name);
    return out.append(1, static_cast<char>(value.size())).append(value);
}

std::uint32_t H2Frame::number(std::size_t at) const { return read_number(payload, at, 4); }

std::vector<H2Frame> h2_frames(std::string_view bytes) {
    std::vector<H2Frame> frames;
    for (std::size_t at = bytes.starts_with("PRI") ? 24 : 0; at + 9 <= bytes.size();) {
        const std::size_t size = read_number(bytes, at, 3);
        H2Frame frame;
        frame.type = static_cast<std::uint8_t>(bytes[at + 3]);
        frame.flags = static_cast<std::uint8_t>(bytes[at + 4]);
        frame.stream = read_number(bytes, at + 5, 4);
        frame.payload = bytes.substr(at + 9, size);
        frames.push_back(std::move(frame));
        at += 9 + size;
    }
    return frames;
}

}  // namespace hfhub::test
