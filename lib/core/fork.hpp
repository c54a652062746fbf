#pragma once

// What a child made by fork(2) may do with the objects of its parent. It has a copy of all memory but one thread only:
// whatever another thread held or was in the middle of stays so for ever, and descriptors are shared with the parent.

#include <cstdint>
#include <memory>
#include <mutex>

namespace hfhub {

/// One number for all calls of this process, another one in a child that is forked.
std::uint64_t fork_generation() noexcept;

/// Remembers which process made the object that holds it.
class MadeInProcess {
  public:
    bool is_this() const noexcept { return generation_ == fork_generation(); }

  private:
    std::uint64_t generation_ = fork_generation();
};

/// Keeps what must not be destroyed here, since its destructor would touch what belongs to the parent.
void abandon(std::shared_ptr<void> object) noexcept;

/// A mutex that fork(2) waits for, so that a child finds it free, and what it guards whole. It is for the few tables of
/// a whole process: who holds it takes no other one, and does not block.
class ForkSafeMutex {
  public:
    ForkSafeMutex();
    ForkSafeMutex(const ForkSafeMutex&) = delete;
    ForkSafeMutex& operator=(const ForkSafeMutex&) = delete;
    ~ForkSafeMutex();

    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }

  private:
    std::mutex mutex_;
};

/// Has every forked child call it before anything else happens there. It only closes or forgets.
void on_fork_in_child(void (*forget)());

}  // namespace hfhub
