#include "hub/space_claim.hpp"

#include <map>
#include <mutex>

namespace hfhub::hub {

namespace {

struct Claims {
    Claims() { on_fork_in_child(forget); }

    ForkSafeMutex mutex;
    std::map<std::uint64_t, std::uint64_t> bytes;  // by device

    // Never destroyed: a worker may let go of its claim until the very end.
    static Claims& global() {
        static auto* const claims = new Claims;
        return *claims;
    }
    // A child writes nothing of what its parent does.
    static void forget() { global().bytes.clear(); }
};

}  // namespace

bool SpaceClaim::try_claim(std::uint64_t device, std::uint64_t bytes, std::uint64_t free) {
    resize(0);
    Claims& claims = Claims::global();
    const std::lock_guard lock(claims.mutex);
    std::uint64_t& all = claims.bytes[device];
    if (free < bytes || free - bytes < all) return false;
    all += bytes;
    device_ = device;
    bytes_ = bytes;
    made_in_.emplace();
    return true;
}

void SpaceClaim::resize(std::uint64_t bytes) noexcept {
    if (!made_in_ || !made_in_->is_this()) return;
    Claims& claims = Claims::global();
    const std::lock_guard lock(claims.mutex);
    const auto all = claims.bytes.find(device_);
    all->second += bytes;
    all->second -= bytes_;
    bytes_ = bytes;
}

std::uint64_t SpaceClaim::claimed(std::uint64_t device) {
    Claims& claims = Claims::global();
    const std::lock_guard lock(claims.mutex);
    const auto all = claims.bytes.find(device);
    return all == claims.bytes.end() ? 0 : all->second;
}

}  // namespace hfhub::hub
