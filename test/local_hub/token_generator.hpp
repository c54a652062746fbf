#pragma once

#include "message.hpp"
#include "statistics.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hfhub::local_hub {

/// Words that follow from a seed and from nothing else; each is one token.
class TokenGenerator {
  public:
    explicit TokenGenerator(std::string_view seed);
    /// The next token: a word, with a blank before it unless it is the first.
    std::string_view next();

  private:
    std::uint64_t state_;
    bool first_ = true;
};

/// How fast and in which portions tokens are sent.
struct Pace {
    std::chrono::microseconds delay{0};  ///< Per token.
    std::uint64_t batch = 0;             ///< Tokens per flush; 0: as many as there is room for, with a delay one.
};

/// Server-sent events, one for each token, made as they are pulled.
class TokenSource final : public BodySource {
  public:
    /// An event is `before`, the token, `after`; `closing` follows the last one.
    TokenSource(std::string_view seed, std::uint64_t tokens, Pace pace, std::string before, std::string after,
                std::string closing, Statistics& statistics);
    ~TokenSource() override;
    Read read(std::span<char> room) override;
    void attach(const boost::asio::any_io_executor& executor, std::function<void()> ready) override;

  private:
    std::string_view next_event();
    void pause();

    TokenGenerator generator_;
    std::uint64_t tokens_, made_ = 0;
    Pace pace_;
    std::string before_, after_, closing_;
    Statistics& statistics_;
    std::string event_;  ///< The event that is being sent, and the closing text at the end.
    std::size_t event_sent_ = 0;
    bool closing_taken_ = false;
    std::shared_ptr<bool> waiting_ = std::make_shared<bool>(false);
    std::chrono::steady_clock::time_point due_;
    std::unique_ptr<boost::asio::steady_timer> timer_;
    std::function<void()> ready_;
};

}  // namespace hfhub::local_hub
