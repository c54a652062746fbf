#include "hub/part_search.hpp"

#include "core/fork.hpp"
#include "hub/part_name.hpp"

#include <dirent.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t large = 1000;  // names in the folder; fewer are read as fast as remembered
constexpr std::chrono::seconds remembered_for{1};

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

struct Found {
    std::vector<std::string> names;
    Clock::time_point since = Clock::now();
    std::size_t entries = 0;
};

/// What was found in large folders.
struct Memory {
    ForkSafeMutex mutex;
    std::map<fs::path, Found> folders;

    // Never destroyed: a worker may ask until the very end.
    static Memory& global() {
        static auto* const memory = new Memory;
        return *memory;
    }
};

Found read(const fs::path& folder) {
    Found found;
    const std::unique_ptr<DIR, CloseFolder> entries(::opendir(folder.c_str()));
    if (!entries) return found;
    // fs::directory_iterator would make a path of each.
    while (const dirent* entry = ::readdir(entries.get())) {
        ++found.entries;
        if (std::string_view(entry->d_name).ends_with(part_suffix)) found.names.emplace_back(entry->d_name);
    }
    return found;
}

}  // namespace

std::vector<std::string> unfinished_names(const fs::path& folder) {
    Memory& memory = Memory::global();
    {
        const std::lock_guard lock(memory.mutex);
        const auto now = Clock::now();
        std::erase_if(memory.folders, [&](const auto& known) { return now - known.second.since > remembered_for; });
        if (const auto known = memory.folders.find(folder); known != memory.folders.end()) return known->second.names;
    }
    Found found = read(folder);
    if (found.entries < large) return std::move(found.names);
    const std::lock_guard lock(memory.mutex);
    return memory.folders.insert_or_assign(folder, std::move(found)).first->second.names;
}

void forget_unfinished_names(const fs::path& folder) noexcept {
    Memory& memory = Memory::global();
    const std::lock_guard lock(memory.mutex);
    memory.folders.erase(folder);
}

}  // namespace hfhub::hub
