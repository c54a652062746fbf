#pragma once

// Uploading a folder, as far as it needs no I/O: what goes up, what is deleted, and how much makes one commit.

#include "hub/commit_plan.hpp"
#include "hub/repo_tree.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// A folder of a repository as paths begin with it: "" or "data/".
std::string folder_prefix(std::string_view path_in_repo);

/// Whether an entry of a folder is never uploaded, whatever the patterns: git's own files (.git, as a folder or a file)
/// and what downloads note in .cache/huggingface. `path` is relative to the folder, with '/'.
bool is_never_uploaded(std::string_view path);

/// Deletes the files below `prefix` whose path from there on a pattern matches, but no .gitattributes at the top.
std::vector<Operation> deletions_of(const RepoTree& tree, std::string_view prefix,
                                    const std::vector<std::string>& patterns);
/// Without those of paths that are uploaded anew.
void keep_uploaded(std::vector<Operation>& deletions, std::span<const Addition> additions);

/// How many of the next files are prepared together: so many at most, and not much more than that many bytes.
std::size_t slice_size(std::span<const std::uint64_t> sizes, std::size_t most, std::uint64_t bytes);

/// How many operations make one commit: the Hub takes longer the more there are, and gives up at some time.
class CommitScale {
  public:
    std::size_t target() const noexcept;
    /// A commit of so many operations was made in that time.
    void succeeded(std::size_t operations, std::chrono::milliseconds took) noexcept;
    /// One of so many was given up: the next have half as many at most.
    void failed(std::size_t operations) noexcept;
    bool has_failed() const noexcept { return failed_; }

    static constexpr std::size_t smallest = 20;

  private:
    std::size_t step_ = 6;
    bool failed_ = false;
};

/// Of several commits.
std::string part_message(std::string_view message, std::size_t part);

}  // namespace hfhub::hub
