#pragma once

#include "core/fork.hpp"
#include "http/counters.hpp"
#include "http/stream.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace hfhub::http {

/// A connected TCP socket. A peer that vanished is noticed: after 75 s while it owes an acknowledgement
/// (TCP_USER_TIMEOUT), by keep-alive probes while the connection is silent. TCP_NODELAY is set. In a forked child it
/// neither reads nor writes nor closes: the connection is the parent's.
class SocketStream final : public Stream {
  public:
    explicit SocketStream(asio::ip::tcp::socket socket,
                          std::shared_ptr<Counters> counters = std::make_shared<Counters>());
    ~SocketStream() override { close(); }
    IoResult try_read(std::span<std::byte> buffer) override;
    IoResult try_write(std::span<const std::byte> bytes) override;
    void async_wait(Direction direction, std::shared_ptr<Readiness> readiness) override;
    void close() noexcept override;
    bool readable() noexcept override;
    std::string peer() const override;

  private:
    void leave() noexcept;
    void require_this_process() const;
    MadeInProcess made_in_;
    asio::ip::tcp::socket socket_;
    std::shared_ptr<Counters> counters_;
};

}  // namespace hfhub::http
