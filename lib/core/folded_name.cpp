#include "core/folded_name.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char other_case(char c) noexcept { return is_letter(c) ? static_cast<char>(c ^ 0x20) : c; }

bool is_there(const fs::path& path) noexcept {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

/// Whether the folder is worth reading: one look tells most of those apart that know case.
bool may_be_folded(const fs::path& folder, const std::string& name) {
    const bool ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    if (!ascii || name.ends_with('.') || name.ends_with(' ')) return true;
    std::string other = name;
    std::transform(other.begin(), other.end(), other.begin(), other_case);
    return other != name && is_there(folder / other);
}

std::optional<std::string> name_in(const fs::path& folder, const std::string& name) {
    if (!may_be_folded(folder, name)) return std::nullopt;
    const std::unique_ptr<DIR, CloseFolder> entries(::opendir(folder.c_str()));
    if (!entries) return std::nullopt;
    std::string found = "another name";
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string_view there = entry->d_name;
        if (there == name) return std::nullopt;
        if (differ_in_case_only(name, there)) found = there;
    }
    // It may have gone while the names were read.
    return is_there(folder / name) ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace

bool differ_in_case_only(std::string_view wanted, std::string_view there) noexcept {
    return wanted != there && std::equal(wanted.begin(), wanted.end(), there.begin(), there.end(),
                                         [](char a, char b) { return a == b || (is_letter(a) && other_case(a) == b); });
}

std::optional<std::string> folded_name(const fs::path& root, const fs::path& relative) {
    fs::path folder = root;
    for (const fs::path& part : relative) {
        if (!is_there(folder / part)) return std::nullopt;
        if (auto name = name_in(folder, part.string())) return name;
        folder /= part;
    }
    return std::nullopt;
}

}  // namespace hfhub
