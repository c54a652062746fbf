#pragma once

#include "hub/client.hpp"
#include "hub/part_file.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace hfhub::hub {

/// Writes and hashes on a worker what the network brings, while more comes: a few recycled buffers go to and fro, and
/// whoever fills them waits when all are full. Used from the session's executor only. Destroying it drops what was not
/// handed to a worker yet; the part file stays open until the worker is done with it.
class WriteBehind {
  public:
    /// `expected` bytes are to come; UINT64_MAX where that is not known.
    WriteBehind(const Client& client, std::shared_ptr<PartFile> part, std::uint64_t expected);
    ~WriteBehind();
    WriteBehind(const WriteBehind&) = delete;
    WriteBehind& operator=(const WriteBehind&) = delete;

    /// Where the next bytes go; empty where wait() must be awaited first. Throws what writing threw.
    std::span<std::byte> room();
    /// Returns when there may be room.
    awaitable<void> wait();
    /// So many bytes were put into the room.
    void filled(std::size_t bytes);
    /// Returns when all bytes are in the file. Throws what writing threw.
    awaitable<void> flush();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace hfhub::hub
