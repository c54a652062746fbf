#pragma once

#include "http/connection.hpp"
#include "http/h2_session.hpp"
#include "http/stream.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::http {

/// HTTP/2 over a stream: reads into the session, flushes what it produces, completes exchanges after each read.
class H2Connection final : public Connection, public Readiness {
  public:
    /// `expected_slots`: requests at a time before the peer has told its limit.
    H2Connection(std::shared_ptr<Waits> waits, std::unique_ptr<Stream> stream, std::size_t expected_slots = 100);
    ~H2Connection() override;
    /// Begins to read; called once, when a shared_ptr owns it.
    void start();

    Protocol protocol() const noexcept override { return Protocol::http2; }
    awaitable<Response> send(const Request& request) override;
    std::size_t free_slots() const noexcept override {
        return closed_ || probing_ || draining ? 0 : session_.free_slots();
    }
    std::size_t active() const noexcept override { return session_.open_streams(); }
    bool closed() const noexcept override { return closed_; }
    bool alive() noexcept override;
    void close() noexcept override;

    void on_ready(Direction direction, bool ok) override;

    /// How long a peer in doubt may take to give a sign of life before the connection is given up.
    std::chrono::milliseconds patience{5'000};
    /// Between two PINGs at least.
    std::chrono::milliseconds ping_interval{10'000};

  private:
    class Exchange;
    class ExchangeBody;
    awaitable<void> send_body(Exchange& exchange, BodySource& source, const Request& request);
    void read_ready();
    enum class Turn : std::uint8_t { over, silent, unfinished };
    Turn read_turns();
    void read_later();
    void consumed(Exchange& exchange, std::size_t bytes);
    void schedule_flush();
    void flush();
    void read_the_last();
    void fail(const std::string& reason);
    void settle();
    void retire();
    awaitable<void> wait_until_taken(Exchange& exchange, const Request& request, bool whole);
    void on_timeout();
    void on_arrival();
    [[noreturn]] void throw_failure(const Exchange& exchange) const;

    std::shared_ptr<Waits> waits_;
    std::unique_ptr<Stream> stream_;
    H2Session session_;
    std::vector<std::byte> output_;
    std::size_t written_ = 0;
    bool flush_scheduled_ = false;
    bool write_blocked_ = false;
    bool write_wants_read_ = false;
    bool in_turn_ = false;
    bool reading_ = false;
    bool closed_ = false;
    bool protocol_broken_ = false;
    bool probing_ =
        false;  // in doubt whether the peer is still there: nothing new begins until it gives a sign of life
    Clock::time_point last_arrival_ = Clock::now();
    std::optional<Clock::time_point> last_ping_;
    asio::steady_timer probe_timer_;
    std::string failure_;
};

}  // namespace hfhub::http
