#pragma once

#include <pthread.h>

#include <cstddef>

namespace hfhub::test {

/// While it lives, no thread can be made: their stacks would not fit into the address space.
class FewThreads {
  public:
    FewThreads() {
        ::pthread_attr_t attributes;
        ::pthread_getattr_default_np(&attributes);
        ::pthread_attr_getstacksize(&attributes, &former_);
        set(std::size_t{1} << 48);
        ::pthread_attr_destroy(&attributes);
    }
    ~FewThreads() { set(former_); }
    FewThreads(const FewThreads&) = delete;
    FewThreads& operator=(const FewThreads&) = delete;

  private:
    static void set(std::size_t size) {
        ::pthread_attr_t attributes;
        ::pthread_attr_init(&attributes);
        ::pthread_attr_setstacksize(&attributes, size);
        ::pthread_setattr_default_np(&attributes);
        ::pthread_attr_destroy(&attributes);
    }
    std::size_t former_ = 0;
};

}  // namespace hfhub::test
