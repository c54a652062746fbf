#pragma once

#include "http/chunked.hpp"
#include "http/headers.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace hfhub::http {

/// HTTP/1.1 responses as a codec (RFC 9112): bytes in, head and body bytes out, no sockets. What comes of the bytes
/// does not depend on the pieces in which they come.
///
/// Strict: lines end with CRLF (a bare LF or CR is refused), the first is that of HTTP/1.0 or HTTP/1.1, a body has one
/// length or is chunked and nothing else. Of what RFC 9112 leaves open, a folded value (5.2) is read with a blank for
/// the fold, and one length that is there more than once is one (6.3). A head has at most 64 KiB, 256 fields and lines
/// of 16 KiB.
class Http1Parser {
  public:
    /// `bodiless`: the answer to HEAD, which announces a body that does not come.
    explicit Http1Parser(bool bodiless);
    ~Http1Parser();
    Http1Parser(const Http1Parser&) = delete;
    Http1Parser& operator=(const Http1Parser&) = delete;

    /// Parses the head once all of it is there; returns the bytes taken, 0 where more are needed: they are to be given
    /// again, and more. Interim answers (1xx) are skipped. Throws ProtocolError.
    std::size_t read_head(std::span<const std::byte> in);
    bool head_done() const noexcept;
    int status() const noexcept;
    Headers& headers() noexcept;

    using Progress = ChunkedDecoder::Progress;
    /// Parses body framing and copies body bytes. Throws ProtocolError.
    Progress read_body(std::span<const std::byte> in, std::span<std::byte> out);
    /// Where the body is `remaining()` plain bytes, they may be read around the parser; this accounts for them.
    void skip_body(std::uint64_t bytes);
    std::optional<std::uint64_t> remaining() const noexcept;
    bool body_done() const noexcept;
    /// The peer closed; throws TruncatedError unless the body ends there by its framing.
    void finish(std::uint64_t body_bytes);
    /// Whether the connection may carry another request after this answer.
    bool keep_alive() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// How long the server keeps an unused connection open, as `Keep-Alive: timeout=5, max=100` tells it.
std::optional<std::chrono::seconds> keep_alive_timeout(const Headers& headers);

}  // namespace hfhub::http
