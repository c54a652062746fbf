#pragma once

#include <cstdint>

namespace hfhub::hub {

/// Memory for the parts of files that are fetched side by side: of all transfers of the process together, so that many
/// big files at a time take no more of it than one. Thread-safe as a whole, each object is not.
class RangeMemory {
  public:
    static constexpr std::uint64_t most = std::uint64_t{96} << 20;

    RangeMemory() = default;
    RangeMemory(const RangeMemory&) = delete;
    RangeMemory& operator=(const RangeMemory&) = delete;
    ~RangeMemory() { give_back(); }

    /// Gives back what was taken before, and takes so many bytes; false where others have too many of them.
    bool try_take(std::uint64_t bytes) noexcept;
    void give_back() noexcept;
    static std::uint64_t left() noexcept;

  private:
    std::uint64_t bytes_ = 0;
};

}  // namespace hfhub::hub
