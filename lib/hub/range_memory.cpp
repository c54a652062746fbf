#include "hub/range_memory.hpp"

#include <atomic>
#include <utility>

namespace hfhub::hub {

namespace {

std::atomic<std::uint64_t> taken{0};

}  // namespace

bool RangeMemory::try_take(std::uint64_t bytes) noexcept {
    give_back();
    std::uint64_t before = taken.load();
    do {
        if (bytes > most - before) return false;
    } while (!taken.compare_exchange_weak(before, before + bytes));
    bytes_ = bytes;
    return true;
}

void RangeMemory::give_back() noexcept { taken -= std::exchange(bytes_, 0); }

std::uint64_t RangeMemory::left() noexcept { return most - taken.load(); }

}  // namespace hfhub::hub
