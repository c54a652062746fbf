#include "cli/file_choice.hpp"

#include "core/glob.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace hfhub::cli {

bool is_pattern(const std::string& name) {
    return name.find_first_of("*?[") != std::string::npos || name.ends_with('/');
}

FileChoice choose_files(std::span<const std::string> files, const std::vector<std::string>& names,
                        const std::vector<std::string>& include, const std::vector<std::string>& exclude) {
    FileChoice choice;
    if (names.empty()) {
        choice.files = filter_paths(files, include.empty() ? std::nullopt : std::optional(include), exclude);
        return choice;
    }
    std::set<std::string_view> chosen;
    for (const std::string& name : names) {
        if (std::find(files.begin(), files.end(), name) != files.end()) {
            chosen.insert(name);
            continue;
        }
        const PathFilter filter(std::vector{name}, {});
        bool fits = false;
        for (const std::string& file : files) {
            if (!filter.accepts(file)) continue;
            chosen.insert(file);
            fits = true;
        }
        if (!fits) choice.unmatched.push_back(name);
    }
    for (const std::string& file : files) {
        if (chosen.contains(file)) choice.files.push_back(file);
    }
    return choice;
}

}  // namespace hfhub::cli
