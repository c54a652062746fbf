#pragma once

// One transfer of hfhub-fetch: what comes through the pipeline, and going on where a body broke.

#include "http/pipeline.hpp"
#include "http/session.hpp"
#include "hub/range_answer.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <random>
#include <span>
#include <string>

namespace hfhub::tools {

/// Where bodies go: a file, standard output, or nowhere.
class Output {
  public:
    Output() = default;
    /// `alone`: one transfer at a time writes there.
    Output(int fd, bool alone);
    /// Throws IoError.
    void write(std::span<const std::byte> bytes);
    /// Where the next byte goes.
    off_t place() const;
    /// Takes back all that was written from a place on; false where that is impossible.
    bool take_back(off_t place);
    bool can_take_back() const noexcept { return fd_ < 0 || alone_file_; }

  private:
    int fd_ = -1;
    bool alone_file_ = false;
};

/// What became of a transfer. `error` is empty exactly where it succeeded.
struct Outcome {
    int status = 0;
    std::string protocol;
    std::uint64_t bytes = 0;
    std::string error;
};

class Transfer {
  public:
    Transfer(http::SessionState& state, http::Request request, bool http2_only, Output& output, Outcome& outcome);
    /// Throws what ended the transfer; an answer with an error status is an outcome.
    awaitable<void> run(std::span<std::byte> buffer);

  private:
    enum class Step : std::uint8_t { receive, ask_for_whole, end };

    http::Request next_request() const;
    void note(const http::Response& response);
    Step judge(const http::Response& response);
    Step begin_again(const hub::AnswerDecision& decision, const http::Headers& headers);
    awaitable<void> receive(http::BodyReader* body, std::span<std::byte> buffer);
    void consider_going_on(std::exception_ptr failure, std::uint64_t furthest_before);
    awaitable<void> pause();
    bool wants_range() const noexcept { return outcome_.bytes > 0 && !validator_.empty(); }

    http::SessionState& state_;
    const http::Request request_;
    const bool http2_only_;
    Output& output_;
    Outcome& outcome_;
    const off_t begin_;

    const bool repeatable_;  // asking again for a part or the whole is the same request
    bool first_ = true;      // no answer has been judged yet
    bool resumable_ = false;
    std::string validator_;  // of the bytes that are there; empty: no range can be asked for
    std::optional<std::uint64_t> size_;
    std::exception_ptr broken_;  // how the last body broke
    std::uint64_t furthest_ = 0;
    int tries_ = 0;  // in a row without a new byte
    http::Clock::time_point moved_at_ = http::Clock::now();
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace hfhub::tools
