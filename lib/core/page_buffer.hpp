#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace hfhub {

struct FreePages {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};

/// Memory for what goes to a file. Where it begins decides what a write costs: the kernel copies to pages, and from an
/// address that lies a little before theirs (modulo 4096) each load waits for the stores before it, at up to twice the
/// processor time.
using PageBuffer = std::unique_ptr<std::byte[], FreePages>;

/// `size` uninitialised bytes, from the beginning of a page on where they fill one. Throws std::bad_alloc.
inline PageBuffer page_buffer(std::size_t size) {
    constexpr std::size_t page = 4096;
    void* const bytes = size < page ? std::malloc(size) : std::aligned_alloc(page, (size + page - 1) / page * page);
    if (bytes == nullptr && size > 0) throw std::bad_alloc();
    return PageBuffer(static_cast<std::byte*>(bytes));
}

}  // namespace hfhub
