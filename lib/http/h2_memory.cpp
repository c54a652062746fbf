#include "http/h2_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hfhub::http {

// What stands before each piece of memory; what follows is aligned as malloc aligns.
struct alignas(std::max_align_t) H2Memory::Block {
    Block* next;
    std::size_t size_class;  // sizes.size(): of its own size
};

H2Memory::H2Memory() noexcept {
    functions_.mem_user_data = this;
    functions_.malloc = [](std::size_t size, void* self) { return static_cast<H2Memory*>(self)->allocate(size); };
    functions_.free = [](void* memory, void* self) { static_cast<H2Memory*>(self)->free(memory); };
    functions_.calloc = [](std::size_t count, std::size_t size, void* self) -> void* {
        if (size != 0 && count > static_cast<std::size_t>(-1) / size) return nullptr;
        void* memory = static_cast<H2Memory*>(self)->allocate(count * size);
        return memory == nullptr ? nullptr : std::memset(memory, 0, count * size);
    };
    functions_.realloc = [](void* memory, std::size_t size, void* self) {
        return static_cast<H2Memory*>(self)->reallocate(memory, size);
    };
}

H2Memory::~H2Memory() {
    for (Block* block : kept_) {
        while (block != nullptr) std::free(std::exchange(block, block->next));
    }
}

void* H2Memory::allocate(std::size_t size) noexcept {
    if (size > static_cast<std::size_t>(-1) / 2) return nullptr;
    const std::size_t whole = size + sizeof(Block);
    const auto size_class = static_cast<std::size_t>(
        std::find_if(sizes.begin(), sizes.end(), [&](std::size_t one) { return whole <= one; }) - sizes.begin());
    Block* block = nullptr;
    if (size_class < sizes.size() && kept_[size_class] != nullptr) {
        block = kept_[size_class];
        kept_[size_class] = block->next;
        --count_[size_class];
        return block + 1;
    }
    block = static_cast<Block*>(std::malloc(size_class < sizes.size() ? sizes[size_class] : whole));
    if (block == nullptr) return nullptr;
    block->size_class = size_class;
    return block + 1;
}

void H2Memory::free(void* memory) noexcept {
    if (memory == nullptr) return;
    Block* block = static_cast<Block*>(memory) - 1;
    const std::size_t size_class = block->size_class;
    if (size_class == sizes.size() || count_[size_class] == max_kept) return std::free(block);
    block->next = kept_[size_class];
    kept_[size_class] = block;
    ++count_[size_class];
}

void* H2Memory::reallocate(void* memory, std::size_t size) noexcept {
    if (memory == nullptr) return allocate(size);
    Block* block = static_cast<Block*>(memory) - 1;
    if (block->size_class == sizes.size()) {
        if (size > static_cast<std::size_t>(-1) / 2) return nullptr;
        auto* grown = static_cast<Block*>(std::realloc(block, size + sizeof(Block)));
        return grown == nullptr ? nullptr : grown + 1;
    }
    const std::size_t room = sizes[block->size_class] - sizeof(Block);
    if (size <= room) return memory;
    void* moved = allocate(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, memory, room);
    free(memory);
    return moved;
}

}  // namespace hfhub::http
