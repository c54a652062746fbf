#pragma once

#include "http/stream.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::test {

/// The far end of an http::Stream, played by the test: what it sends arrives in the pieces in which it was sent.
class Script : public std::enable_shared_from_this<Script> {
  public:
    explicit Script(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    /// One piece; at most one is returned by a read.
    void send(std::string_view bytes);
    /// The peer ends its side.
    void end();
    /// The next read and write throw ConnectionLostError.
    void reset();
    /// Lets the client write that many bytes more.
    void allow(std::size_t bytes);
    /// Takes what the client wrote.
    std::string take() { return std::exchange(written, {}); }

    std::string written;                              ///< What the client wrote.
    std::size_t writes = 0;                           ///< In how many calls.
    std::size_t room = static_cast<std::size_t>(-1);  ///< Bytes that may still be written before writing blocks.
    bool closed = false;
    bool hide_pieces = false;  ///< Waits are not told of pieces that are there, as with bytes inside a TLS engine.
    std::string alpn;
    std::function<void()> on_write;  ///< After each write.

    /// The client's end; to be called once.
    std::unique_ptr<http::Stream> stream();

  private:
    class End;
    struct Waiting {
        http::Direction direction;
        std::shared_ptr<http::Readiness> readiness;
    };
    bool ready(http::Direction direction) const;
    void tell(http::Direction direction, bool ok);

    asio::any_io_executor executor_;
    std::deque<std::string> pieces_;
    bool ended_ = false;
    bool reset_ = false;
    std::vector<Waiting> waiting_;
};

}  // namespace hfhub::test
