#pragma once

#include "http/stream.hpp"
#include "http/trust_store.hpp"

#include <memory>
#include <string>

namespace hfhub::http {

class Workers;

/// Trust store, protocol limits (TLS 1.2 and later) and remembered sessions; one per session of the library, shared by
/// its connections. On the session's executor only.
class TlsContext {
  public:
    explicit TlsContext(TrustSettings trust);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// Has the trust store read by a worker, unless that is done. Before client(). Throws ConnectError, TimeoutError.
    awaitable<void> load(Waits& waits, Workers& workers, Limit limit);
    /// A client's stream over `lower`, not yet shaken hands. `host` is the name or address to be verified.
    std::unique_ptr<class TlsStream> client(std::unique_ptr<Stream> lower, const std::string& host, bool offer_http2);

    struct State;

  private:
    std::shared_ptr<State> state_;
};

/// TLS over any stream.
class TlsStream final : public Stream {
  public:
    ~TlsStream() override;
    /// `done` when the handshake is complete. Throws ConnectError that says host, reason and what to set.
    IoResult try_handshake();
    IoResult try_read(std::span<std::byte> buffer) override;
    IoResult try_write(std::span<const std::byte> bytes) override;
    void async_wait(Direction direction, std::shared_ptr<Readiness> readiness) override;
    void close() noexcept override;
    bool readable() noexcept override;
    std::string_view alpn() const noexcept override;
    std::string peer() const override;
    TlsFacts tls() const noexcept override;
    /// Runs the handshake to its end.
    awaitable<void> handshake(Waits& waits, Limit limit);

    struct Impl;

  private:
    friend class TlsContext;
    explicit TlsStream(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace hfhub::http
