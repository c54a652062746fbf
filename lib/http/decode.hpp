#pragma once

// Content codings of responses: gzip, deflate, br and zstd (RFC 9110 8.4, RFC 7932, RFC 8878), undone as the bytes
// come.

#include "http/body.hpp"

#include <cstdint>
#include <string_view>

namespace hfhub::http {

/// What a small compressed answer may grow to. A body beyond `free_bytes` that is more than `ratio` times its
/// compressed size is refused, however many codings are between the two.
struct DecodeLimits {
    std::uint64_t ratio = 1000;
    std::uint64_t free_bytes = std::uint64_t{16} << 20;
};

/// What a request for encoded answers says in Accept-Encoding.
constexpr std::string_view accept_encoding() noexcept { return "gzip, deflate, br, zstd"; }

/// A body that gives the decoded bytes of `inner`. `content_encoding` is the value of Content-Encoding: codings in the
/// order in which they were applied. Without a coding, or where it is identity, the body comes back as it is; an empty
/// body stays empty; several gzip members or zstd frames in a row are one body.
///
/// Throws ProtocolError for a coding that is not known or more than five of them. Reading throws TruncatedError where
/// the body ends early, ProtocolError where it is damaged, has something else after its end or passes the limits.
Body decode_body(Body inner, std::string_view content_encoding, DecodeLimits limits = {});

}  // namespace hfhub::http
