#include "hub/repo_tree.hpp"

#include "core/atomic_file.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/mapping.hpp"
#include "hub/cache_layout.hpp"

#include <hfhub/error.hpp>

#include <boost/describe/class.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t known_format = 1;
constexpr std::size_t longest_file = std::size_t{256} << 20;

struct ListedLfs {
    std::string oid;
    std::uint64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(ListedLfs, (), (oid, size))

struct ListedItem {
    std::string type, path;
    std::optional<std::string> oid, xet_hash;
    std::optional<std::uint64_t> size;
    std::optional<ListedLfs> lfs;
};
BOOST_DESCRIBE_STRUCT(ListedItem, (), (type, path, oid, xet_hash, size, lfs))

/// An entry of the file.
struct KeptEntry {
    std::uint64_t size = 0;
    std::string blob_id;
    std::optional<std::string> lfs_sha256;
    std::optional<std::uint64_t> lfs_size;
    std::optional<std::string> xet_hash;
};
BOOST_DESCRIBE_STRUCT(KeptEntry, (), (size, blob_id, lfs_sha256, lfs_size, xet_hash))

bool is_xet_hash(std::string_view text) noexcept {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
}

bool is_filename(std::string_view name) noexcept {
    try {
        validate_filename(name);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

std::string json_text(std::string_view text) { return json::serialize(json::string(text)); }

}  // namespace

void append_to_tree(RepoTree& tree, const json::array& items) {
    for (const json::value& value : items) {
        ListedItem item = from_json<ListedItem>(value, "an entry of the listing");
        if (item.type != "file") continue;
        TreeEntry& entry = tree.emplace_back();
        entry.path = std::move(item.path);
        entry.size = item.size.value_or(0);
        entry.blob_id = item.oid.value_or(std::string());
        entry.xet_hash = std::move(item.xet_hash);
        if (!item.lfs) continue;
        entry.lfs_sha256 = std::move(item.lfs->oid);
        entry.lfs_size = item.lfs->size;
    }
}

bool is_valid_tree(const RepoTree& tree) noexcept {
    return std::all_of(tree.begin(), tree.end(), [](const TreeEntry& entry) {
        return is_filename(entry.path) && (!entry.xet_hash || is_xet_hash(*entry.xet_hash));
    });
}

std::optional<RepoTree> parse_tree(std::string_view text) {
    try {
        const json::value value = parse_json(text, "a kept listing", {.bytes = longest_file});
        const json::value* format = find_member(value, "format_version");
        const json::value* files = find_member(value, "files");
        if (!format || *format != known_format || !files || !files->is_object()) return std::nullopt;
        RepoTree tree;
        tree.reserve(files->get_object().size());
        for (const auto& [path, item] : files->get_object()) {
            KeptEntry kept = from_json<KeptEntry>(item, "an entry of a kept listing");
            tree.push_back({path, kept.size, std::move(kept.blob_id), std::move(kept.lfs_sha256), kept.lfs_size,
                            std::move(kept.xet_hash)});
        }
        if (!is_valid_tree(tree)) return std::nullopt;
        return tree;
    } catch (const JsonError&) {
        return std::nullopt;
    }
}

std::string format_tree(const RepoTree& tree) {
    std::vector<const TreeEntry*> sorted;
    sorted.reserve(tree.size());
    for (const TreeEntry& entry : tree) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
    std::string text = "{\n \"format_version\": " + std::to_string(known_format) + ",\n \"files\": {";
    bool first = true;
    for (const TreeEntry* entry : sorted) {
        text += (std::exchange(first, false) ? "\n  " : ",\n  ") + json_text(entry->path) + ": {";
        text += "\n   \"size\": " + std::to_string(entry->size) + ",\n   \"blob_id\": " + json_text(entry->blob_id);
        if (entry->lfs_sha256) {
            text += ",\n   \"lfs_sha256\": " + json_text(*entry->lfs_sha256);
            text += ",\n   \"lfs_size\": " + std::to_string(entry->content_size());
        }
        if (entry->xet_hash) text += ",\n   \"xet_hash\": " + json_text(*entry->xet_hash);
        text += "\n  }";
    }
    return text + (first ? "}\n}" : "\n }\n}");
}

fs::path tree_file(const fs::path& folder, std::string_view commit) {
    return folder / "trees" / (std::string(commit) + ".json");
}

std::optional<RepoTree> read_tree(const fs::path& file) noexcept {
    try {
        const auto text = read_file_if_exists(file, longest_file);
        if (!text) return std::nullopt;
        auto tree = parse_tree(*text);
        if (!tree) log(LogLevel::info, "the list of files " + file.string() + " is damaged and not used");
        return tree;
    } catch (const std::exception& error) {
        log(LogLevel::info, std::string("a list of files is not used: ") + error.what());
        return std::nullopt;
    }
}

void write_tree(const PathBeneath& file, const RepoTree& tree) noexcept {
    try {
        if (!is_valid_tree(tree)) return;
        make_directories(file.parent_path());
        write_file_atomically(file, format_tree(tree));
    } catch (const std::exception& error) {
        log(LogLevel::info, std::string("could not keep the list of a commit's files: ") + error.what());
    }
}

}  // namespace hfhub::hub
