#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "hub/cache_store.hpp"
#include "hub/snapshot_listing.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <unordered_set>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> files;
    for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
        const std::string name = entry->path().lexically_relative(folder).generic_string();
        if (name == ".cache") entry.disable_recursion_pending();
        if (entry->is_regular_file()) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

SnapshotJob::SnapshotJob(SnapshotRequest wanted)
    : request(std::move(wanted)),
      cache_(resolved_folder(request.cache_dir), request.repo_type, request.repo_id),
      local_dir_(request.local_dir.empty() ? fs::path() : resolved_folder(request.local_dir)) {}

fs::path SnapshotJob::folder_of(const std::string& commit) const {
    return local_dir_.empty() ? cache_.snapshot(commit) : local_dir_;
}

PathBeneath SnapshotJob::tree_file_of(const std::string& commit) const {
    if (local_dir_.empty()) return cache_.inside(tree_file(cache_.folder(), commit));
    return {local_dir_, tree_file(local_dir_ / ".cache" / "huggingface", commit)};
}

std::optional<std::string> SnapshotJob::last_commit() const {
    return is_git_sha1(request.revision) ? request.revision : read_ref(cache_, request.revision);
}

std::string SnapshotJob::place() const { return request.repo_id + " at " + request.revision; }

std::vector<std::string> SnapshotJob::choose(const std::vector<std::string>& names) const {
    return request.choose ? request.choose(names) : names;
}

SnapshotJob::Remains SnapshotJob::remains(const std::optional<std::string>& commit) const {
    Remains found;
    std::error_code error;
    if (local_dir_.empty()) {
        if (!commit || !fs::is_directory(cache_.snapshot(*commit), error)) return found;
    } else if (fs::is_empty(local_dir_, error) || error) {
        return found;
    }
    found.commit = commit;
    found.folder = folder_of(commit.value_or(std::string()));
    const auto tree = commit ? read_tree(tree_file_of(*commit).path()) : std::nullopt;
    if (!tree) {
        found.left = Left::unknown;
        found.wanted = choose(files_below(found.folder));
        return found;
    }
    for (const TreeEntry& file : chosen(*tree)) {
        found.wanted.push_back(file.path);
        if (!is_here(*commit, file)) found.missing.push_back(file.path);
    }
    found.left = found.missing.empty() ? Left::complete : Left::incomplete;
    return found;
}

std::vector<TreeEntry> SnapshotJob::chosen(const RepoTree& tree) const {
    std::vector<std::string> names;
    names.reserve(tree.size());
    for (const TreeEntry& file : tree) {
        validate_filename(file.path);
        // Some folders were committed with what an earlier download had noted in them.
        if (!local_dir_.empty() && is_own_local_name(file.path)) continue;
        names.push_back(file.path);
    }
    const std::vector<std::string> wanted = choose(names);
    const std::unordered_set<std::string_view> set(wanted.begin(), wanted.end());
    std::vector<TreeEntry> files;
    files.reserve(set.size());
    std::copy_if(tree.begin(), tree.end(), std::back_inserter(files),
                 [&](const TreeEntry& file) { return set.contains(file.path); });
    return files;
}

bool SnapshotJob::is_here(const std::string& commit, const TreeEntry& file) const {
    const fs::path path = folder_of(commit) / file.path;
    const auto size = file_size_at(path);
    if (!size) return false;
    // In a folder of one's own, files may be changed as one likes.
    return !local_dir_.empty() || (*size == file.content_size() && !(*size == 0 && lost_its_content(path)));
}

bool SnapshotJob::ref_is_useful() const {
    const auto commit = read_ref(cache_, request.revision);
    return commit && file_exists_at(cache_.snapshot(*commit));
}

void SnapshotJob::remember(const std::string& commit) const noexcept { write_ref(cache_, request.revision, commit); }

void SnapshotJob::make_folder(const std::string& commit) const noexcept {
    try {
        if (local_dir_.empty()) {
            make_directories(cache_.inside(cache_.snapshot(commit)));
        } else {
            make_directories(local_dir_);
        }
    } catch (const std::exception& error) {
        log(LogLevel::info, error.what());
    }
}

}  // namespace hfhub::hub
