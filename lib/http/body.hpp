#pragma once

#include <hfhub/fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace hfhub::http {

/// Outcome of an attempt to read without waiting.
enum class ReadState : std::uint8_t { data, blocked, end };
struct ReadResult {
    std::size_t bytes = 0;
    ReadState state = ReadState::blocked;
};

/// The bytes of a response, pulled: whoever does not read holds the sender back. Used from the session's executor only.
/// Destroying it before the end cancels the transfer; the connection survives where the protocol allows it.
class BodyReader {
  public:
    virtual ~BodyReader() = default;
    /// Copies what is there: `data` with 1 or more bytes, `blocked` where wait() must be awaited first, `end` after the
    /// last byte. Throws TransportError (truncated, reset, timed out, malformed).
    virtual ReadResult try_read(std::span<std::byte> buffer) = 0;
    /// Returns when try_read may do better; called only after `blocked`. Bytes that arrive may be put into
    /// `destination` at once: their number is returned, 0 where try_read has to be asked. Throws TransportError,
    /// TimeoutError.
    virtual awaitable<std::size_t> wait(std::span<std::byte> destination) = 0;
    /// Bytes that are still to come, where the framing tells.
    virtual std::optional<std::uint64_t> remaining() const { return std::nullopt; }
    /// Changes how long later waits may last; 0: no limit but the request's deadline.
    virtual void set_idle_timeout(std::chrono::milliseconds) {}
};

using Body = std::unique_ptr<BodyReader>;

/// Reads at least one byte, or 0 at the end. A null body is at its end.
awaitable<std::size_t> read_some(BodyReader* body, std::span<std::byte> buffer);
/// Appends what is there without waiting; true where that was all. Throws ProtocolError where more than `limit` bytes
/// come.
bool read_arrived(BodyReader& body, std::size_t limit, std::string& text);
/// Reads to the end; throws ProtocolError where more than `limit` bytes come.
awaitable<std::string> read_all(BodyReader* body, std::size_t limit);
/// Reads up to `limit` bytes. A transfer that breaks off has given what came before: for answers whose status says the
/// most.
awaitable<std::string> read_beginning(BodyReader* body, std::size_t limit);

/// A body held in memory: for mocks, and for answers that were read ahead.
Body memory_body(std::string bytes);

/// Where a request's bytes come from when they are not in memory. Used from the session's executor only; a source that
/// blocks (files) hands its work to the session's workers.
class BodySource {
  public:
    virtual ~BodySource() = default;
    /// Total bytes, where known; otherwise the body is sent chunked (HTTP/1.1) or without content-length (HTTP/2).
    virtual std::optional<std::uint64_t> size() const = 0;
    /// 0 at the end.
    virtual awaitable<std::size_t> read_some(std::span<std::byte> buffer) = 0;
    /// Back to the first byte for another try; false where that is impossible.
    virtual bool rewind() = 0;
};

}  // namespace hfhub::http
