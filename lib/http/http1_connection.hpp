#pragma once

#include "http/connection.hpp"
#include "http/http1_parser.hpp"
#include "http/stream.hpp"

#include <memory>
#include <string>
#include <vector>

namespace hfhub::http {

/// HTTP/1.1 over a stream: one exchange at a time.
class Http1Connection final : public Connection, public Readiness {
  public:
    /// `proxy_authorization` is sent, and targets are absolute, where the stream leads to a proxy that forwards.
    Http1Connection(std::shared_ptr<Waits> waits, std::unique_ptr<Stream> stream, bool to_proxy,
                    std::string proxy_authorization);
    ~Http1Connection() override;

    Protocol protocol() const noexcept override { return Protocol::http1; }
    awaitable<Response> send(const Request& request) override;
    std::size_t free_slots() const noexcept override { return closed_ || busy_ ? 0 : 1; }
    std::size_t active() const noexcept override { return busy_ ? 1 : 0; }
    bool closed() const noexcept override { return closed_; }
    bool alive() noexcept override;
    void close() noexcept override;
    void on_ready(Direction direction, bool ok) override;

  private:
    class ExchangeBody;
    class Turn;
    awaitable<void> send_body(const Request& request);
    awaitable<bool> send_piece(std::span<const std::byte> bytes, const Request& request);
    awaitable<void> read_head(const Request& request);
    bool answer_is_there();
    [[noreturn]] void throw_ended() const;
    void parse_head();
    void make_room();
    std::string head_of(const Request& request) const;
    void watch();
    void finish_exchange();

    std::shared_ptr<Waits> waits_;
    std::unique_ptr<Stream> stream_;
    StreamWait readiness_;
    bool to_proxy_;
    std::string proxy_authorization_;
    std::unique_ptr<Http1Parser> parser_;
    std::vector<std::byte> input_;  // read but not yet parsed: [input_begin_, input_end_)
    std::size_t input_begin_ = 0, input_end_ = 0;
    bool busy_ = false;
    bool closed_ = false;
    bool watched_ = false;
    bool request_cut_ = false;                           // the body was not sent to its end, so nothing can follow it
    Clock::duration kept_for_ = Clock::duration::max();  // without use, as the last answer said
    Clock::time_point usable_until_ = Clock::time_point::max();
};

}  // namespace hfhub::http
