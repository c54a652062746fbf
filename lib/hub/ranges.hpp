#pragma once

// Several parts of one file side by side, for servers that give each connection less than the network could carry.

#include "hub/client.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace hfhub::hub {

/// Whether parts side by side may be faster: one stream brings `rate` bytes per second, and `left` bytes are missing.
/// Small rests are not worth it, and a rate beyond what disks and hashing take is not to be had twice.
bool ranges_may_help(double rate, std::uint64_t left) noexcept;

/// How many parts are fetched at a time: twice as many as before, as long as that brings a quarter more. No I/O.
class RangePace {
  public:
    static constexpr std::size_t most = 8;

    /// One stream brought `rate` bytes per second.
    explicit RangePace(double rate) noexcept : best_(rate) {}

    std::size_t streams() const noexcept { return streams_; }
    /// No other number is tried any more; with 1 the file is better fetched in one piece.
    bool settled() const noexcept { return settled_; }
    /// What streams() of them brought together.
    void measured(double rate) noexcept;
    /// Bytes of a part: about a second's worth for its stream, and bounded, for it may have to wait in memory.
    std::uint64_t part_size() const noexcept;
    /// Bytes until the next measurement.
    std::uint64_t round_size() const noexcept;

  private:
    double best_;
    std::size_t streams_ = 2;
    bool settled_ = false;
};

/// A stretch of one file.
struct RangeJob {
    std::string name{};  ///< Of the file, for messages.
    std::string etag{};
    std::uint64_t first = 0, end = 0, size = 0;  ///< From first up to, not including, end, of size bytes in all.
    std::uint64_t part_size = 0;
    std::size_t streams = 1;
    /// A request for the bytes first to last, both included.
    std::function<http::Request(std::uint64_t first, std::uint64_t last)> request{};
    /// Takes the next bytes of the stretch; never called twice at a time.
    std::function<awaitable<void>(std::span<const std::byte>)> take{};
};

/// Fetches it and hands it on in order; at most `streams` parts are in memory. A part that is cut is gone on with where
/// it broke, a few times as long as each try brings some of it. The first other failure ends all: what was taken is a
/// beginning without gaps. Throws TransportError, also where the server does not answer with the part that was asked
/// for.
awaitable<void> fetch_ranges(Client client, RangeJob job);

}  // namespace hfhub::hub
