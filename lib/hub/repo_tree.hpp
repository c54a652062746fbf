#pragma once

// The files of a commit, as the Hub lists them, and the file in which that list is kept: a commit never changes, so it
// is asked for once. The file is Python's too (trees/<commit>.json).

#include "core/path_beneath.hpp"

#include <hfhub/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

struct TreeEntry {
    std::string path;
    std::uint64_t size = 0;
    std::string blob_id;  ///< Git's object id: of the file, or of the pointer that stands for it.
    std::optional<std::string> lfs_sha256;
    std::optional<std::uint64_t> lfs_size;
    std::optional<std::string> xet_hash;

    /// Of the file itself.
    std::uint64_t content_size() const noexcept { return lfs_size.value_or(size); }
    /// The Hub serves it by itself, under git's id: what it would say of it is known.
    bool is_plain() const noexcept { return !lfs_sha256 && !xet_hash; }
};

/// In the order of the listing.
using RepoTree = std::vector<TreeEntry>;

/// Appends the files among the items of one page of the Hub's answer. Throws JsonError.
void append_to_tree(RepoTree& tree, const json::array& items);

/// Whether the list may be kept: names that are no paths, and hashes that are none, come from no Hub.
bool is_valid_tree(const RepoTree& tree) noexcept;

/// Nothing where the text is no list in the form that is known. No I/O.
std::optional<RepoTree> parse_tree(std::string_view text);
/// Sorted by path, as Python writes it.
std::string format_tree(const RepoTree& tree);

/// `folder` is the repository's in the cache, or .cache/huggingface of a folder of one's own.
std::filesystem::path tree_file(const std::filesystem::path& folder, std::string_view commit);
/// Nothing where it is not there or cannot be used. Blocks.
std::optional<RepoTree> read_tree(const std::filesystem::path& file) noexcept;
/// Not where the tree is not valid; failures are logged only. Blocks.
void write_tree(const PathBeneath& file, const RepoTree& tree) noexcept;

}  // namespace hfhub::hub
