#pragma once

#include "core/fork.hpp"

#include <cstdint>
#include <optional>

namespace hfhub::hub {

/// Room on a file system for what one transfer of this process will still write. Claims are counted together, so that
/// several big files are not all begun where only one of them fits. Thread-safe as a whole, each claim is not.
class SpaceClaim {
  public:
    SpaceClaim() = default;
    SpaceClaim(const SpaceClaim&) = delete;
    SpaceClaim& operator=(const SpaceClaim&) = delete;
    ~SpaceClaim() { resize(0); }

    /// False, with nothing claimed, where `free` bytes of the device are not enough beside what others have claimed.
    bool try_claim(std::uint64_t device, std::uint64_t bytes, std::uint64_t free);
    /// So many bytes are still to be written. No effect before a claim.
    void resize(std::uint64_t bytes) noexcept;
    /// What all claims on the device amount to.
    static std::uint64_t claimed(std::uint64_t device);

  private:
    std::uint64_t device_ = 0, bytes_ = 0;
    std::optional<MadeInProcess> made_in_;
};

}  // namespace hfhub::hub
