#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <vector>

namespace hfhub::test {

/// The sanitizers open files and sockets of their own while they check.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool needs_descriptors = true;
#elif defined(__has_feature)
inline constexpr bool needs_descriptors = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool needs_descriptors = false;
#endif

/// While it lives, this process has no descriptor left: opening a file or socket fails with EMFILE.
class NoDescriptors {
  public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit low{256, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &low);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
    }
    ~NoDescriptors() {
        for (const int fd : taken_) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

  private:
    rlimit before_{};
    std::vector<int> taken_;
};

}  // namespace hfhub::test
