#pragma once

#include "http/headers.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace hfhub::http {

/// HTTP/1.1 responses as a codec (RFC 9112): bytes in, head and body bytes out, no sockets.
class Http1Parser {
  public:
    /// `bodiless`: the answer to HEAD, which announces a body that does not come.
    explicit Http1Parser(bool bodiless);
    ~Http1Parser();
    Http1Parser(const Http1Parser&) = delete;
    Http1Parser& operator=(const Http1Parser&) = delete;

    /// Parses the head; returns the bytes taken, 0 where more are needed. Interim answers (1xx) are skipped.
    /// Throws ProtocolError.
    std::size_t read_head(std::span<const std::byte> in);
    bool head_done() const noexcept;
    int status() const noexcept;
    Headers& headers() noexcept;

    struct Progress {
        std::size_t taken = 0;    ///< Bytes of `in` that are done with.
        std::size_t written = 0;  ///< Body bytes put into `out`.
    };
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
