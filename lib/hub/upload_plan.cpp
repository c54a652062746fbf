#include "hub/upload_plan.hpp"

#include "core/glob.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::size_t, 10> steps = {CommitScale::smallest, 50, 75, 100, 125, 200, 250, 400, 600, 1000};
constexpr std::chrono::milliseconds wanted_time = 40s;

}  // namespace

std::string folder_prefix(std::string_view path_in_repo) {
    while (path_in_repo.starts_with('/') || path_in_repo.starts_with("./"))
        path_in_repo.remove_prefix(path_in_repo.front() == '/' ? 1 : 2);
    while (path_in_repo.ends_with('/')) path_in_repo.remove_suffix(1);
    if (path_in_repo.empty() || path_in_repo == ".") return {};
    return std::string(path_in_repo) + "/";
}

bool is_never_uploaded(std::string_view path) {
    const std::string framed = "/" + std::string(path) + "/";
    return framed.find("/.git/") != framed.npos || framed.find("/.cache/huggingface/") != framed.npos;
}

std::vector<Operation> deletions_of(const RepoTree& tree, std::string_view prefix,
                                    const std::vector<std::string>& patterns) {
    const PathFilter filter(patterns, {});
    std::vector<Operation> deletions;
    for (const TreeEntry& entry : tree) {
        if (!entry.path.starts_with(prefix) || entry.path == ".gitattributes") continue;
        if (filter.accepts(std::string_view(entry.path).substr(prefix.size())))
            deletions.push_back(Deletion{.path = entry.path});
    }
    return deletions;
}

void keep_uploaded(std::vector<Operation>& deletions, std::span<const Addition> additions) {
    std::set<std::string_view> uploaded;
    for (const Addition& addition : additions) uploaded.insert(addition.path);
    std::erase_if(deletions, [&](const Operation& one) { return uploaded.contains(std::get<Deletion>(one).path); });
}

std::size_t slice_size(std::span<const std::uint64_t> sizes, std::size_t most, std::uint64_t bytes) {
    std::size_t count = 0;
    for (std::uint64_t sum = 0; count < std::min(most, sizes.size()) && sum < bytes; ++count) sum += sizes[count];
    return count;
}

std::size_t CommitScale::target() const noexcept { return steps[step_]; }

void CommitScale::succeeded(std::size_t operations, std::chrono::milliseconds took) noexcept {
    if (took > wanted_time) {
        step_ -= step_ > 0 ? 1 : 0;
        return;
    }
    if (operations >= target() && step_ + 1 < steps.size()) ++step_;
}

void CommitScale::failed(std::size_t operations) noexcept {
    failed_ = true;
    while (step_ > 0 && target() > operations / 2) --step_;
}

std::string part_message(std::string_view message, std::size_t part) {
    return std::string(message) + " (part " + std::to_string(part) + ")";
}

}  // namespace hfhub::hub
