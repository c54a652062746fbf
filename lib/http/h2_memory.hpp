#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>

namespace hfhub::http {

/// Memory for one HTTP/2 session: every stream needs the same few sizes again, so freed blocks are kept for the next
/// ones, up to a limit. Outlives the session; not thread-safe.
class H2Memory {
  public:
    H2Memory() noexcept;
    ~H2Memory();
    H2Memory(const H2Memory&) = delete;
    H2Memory& operator=(const H2Memory&) = delete;

    nghttp2_mem* functions() noexcept { return &functions_; }

  private:
    struct Block;
    static constexpr std::array<std::size_t, 4> sizes = {64, 176, 256, 560};  // with the block's own head
    static constexpr std::size_t max_kept = 128;                              // blocks of each size

    void* allocate(std::size_t size) noexcept;
    void free(void* memory) noexcept;
    void* reallocate(void* memory, std::size_t size) noexcept;

    nghttp2_mem functions_;
    std::array<Block*, sizes.size()> kept_{};
    std::array<std::size_t, sizes.size()> count_{};
};

}  // namespace hfhub::http
