#pragma once

#include "http/connection_facts.hpp"
#include "http/wait.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace hfhub::http {

enum class IoState : std::uint8_t { done, want_read, want_write, eof };
struct IoResult {
    std::size_t bytes = 0;
    IoState state = IoState::done;
};

enum class Direction : std::uint8_t { read, write };

/// Told once that a stream may be tried again. `ok` is false where the stream was closed.
class Readiness {
  public:
    virtual ~Readiness() = default;
    virtual void on_ready(Direction direction, bool ok) = 0;
};

/// A connected byte stream that never blocks: whoever meets `want_*` waits for that direction and tries again. TCP, TLS
/// over any stream, and scripts of bytes in tests are its forms. Used from the session's executor only.
class Stream {
  public:
    virtual ~Stream() = default;
    /// Bytes with `done` where there may be more, with another state where that was all for now, or none and the state.
    /// Throws ConnectionLostError, ProtocolError (TLS).
    virtual IoResult try_read(std::span<std::byte> buffer) = 0;
    /// Takes what fits. Throws ConnectionLostError.
    virtual IoResult try_write(std::span<const std::byte> bytes) = 0;
    virtual void async_wait(Direction direction, std::shared_ptr<Readiness> readiness) = 0;
    /// Ends it at once; pending waits are told `false`.
    virtual void close() noexcept = 0;
    /// Whether bytes or the end wait to be read: a connection of which nothing was asked must be silent.
    virtual bool readable() noexcept = 0;
    /// "h2", "http/1.1" or empty, as agreed in the TLS handshake.
    virtual std::string_view alpn() const noexcept { return {}; }
    /// Address of the peer for traces.
    virtual std::string peer() const { return {}; }
    virtual TlsFacts tls() const noexcept { return {}; }
};

/// Lets a coroutine wait for a stream. A timeout or cancellation closes the stream: what was under way on it is lost.
class StreamWait {
  public:
    StreamWait(Waits& waits, Stream& stream);
    ~StreamWait();

    /// Throws TimeoutError, CancelledError, ConnectionLostError.
    awaitable<void> wait(IoState state, Limit limit);
    /// Lets the next wait end also when this direction becomes ready.
    void watch(Direction direction);
    /// Each wait for the peer to take bytes lasts at most `limit`.
    awaitable<void> write_all(std::span<const std::byte> bytes, std::chrono::milliseconds limit,
                              Clock::time_point deadline);

  private:
    struct Shared;
    Stream& stream_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace hfhub::http
