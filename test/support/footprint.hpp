#pragma once

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>

// What this process takes of the machine.
namespace hfhub::test {

// The sanitizers' allocators tell nothing, and keep freed memory for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool memory_tells = false;
#elif defined(__has_feature)
inline constexpr bool memory_tells = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool memory_tells = true;
#endif

inline std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct Memory {
    long resident = 0;  // bytes
    long in_use = 0;    // bytes of the heap
};

inline Memory memory() {
    std::ifstream statm("/proc/self/statm");
    long size = 0;
    Memory now;
    statm >> size >> now.resident;
    now.resident *= ::sysconf(_SC_PAGESIZE);
    now.in_use = static_cast<long>(::mallinfo2().uordblks);
    return now;
}

}  // namespace hfhub::test
