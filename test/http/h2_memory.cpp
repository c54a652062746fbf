#include "http/h2_memory.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using hfhub::http::H2Memory;

TEST_CASE("memory of HTTP/2 sessions is recycled, cleared where asked for, and keeps its bytes when it grows") {
    H2Memory memory;
    const nghttp2_mem& mem = *memory.functions();
    void* const first = mem.malloc(40, mem.mem_user_data);
    mem.free(first, mem.mem_user_data);
    CHECK(mem.malloc(30, mem.mem_user_data) == first);
    std::memset(first, 7, 30);
    mem.free(first, mem.mem_user_data);
    auto* cleared = static_cast<unsigned char*>(mem.calloc(10, 3, mem.mem_user_data));
    CHECK(std::vector<unsigned char>(cleared, cleared + 30) == std::vector<unsigned char>(30, 0));
    void* grown = cleared;
    for (const std::size_t size : {40, 60, 200, 500, 5'000, 50'000}) {
        std::memset(grown, 9, 30);
        grown = mem.realloc(grown, size, mem.mem_user_data);
        const auto* bytes = static_cast<unsigned char*>(grown);
        CHECK(std::vector<unsigned char>(bytes, bytes + 30) == std::vector<unsigned char>(30, 9));
    }
    mem.free(grown, mem.mem_user_data);
    mem.free(nullptr, mem.mem_user_data);
    CHECK(mem.malloc(static_cast<std::size_t>(-1), mem.mem_user_data) == nullptr);
    CHECK(mem.calloc(static_cast<std::size_t>(-1), 16, mem.mem_user_data) == nullptr);
    std::vector<void*> many;
    for (int i = 0; i < 1000; ++i) many.push_back(mem.malloc(100, mem.mem_user_data));
    for (void* one : many) mem.free(one, mem.mem_user_data);
}
