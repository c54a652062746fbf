#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::test {

// HTTP/2 frames as bytes (RFC 9113 4.1), also those that no library would send.

/// A number as HTTP/2 sends it, in so many bytes.
std::string h2_number(std::uint32_t value, int bytes = 4);
std::string h2_frame(int type, int flags, std::uint32_t stream, std::string_view payload);
/// One parameter of a SETTINGS frame.
std::string h2_setting(int id, std::uint32_t value);
/// A field that is not indexed, with a name of its own (RFC 7541 6.2.2); both shorter than 127 bytes.
std::string h2_field(std::string_view name, std::string_view value);

struct H2Frame {
    int type = 0;
    int flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
    /// The four bytes from `at` on.
    std::uint32_t number(std::size_t at) const;
};

/// What a client sent, without its connection preface.
std::vector<H2Frame> h2_frames(std::string_view bytes);

}  // namespace hfhub::test
