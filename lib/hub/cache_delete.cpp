#include "hub/cache_delete.hpp"

#include "core/atomic_file.hpp"
#include "core/file_lock.hpp"
#include "core/log.hpp"
#include "core/path_beneath.hpp"
#include "hub/cache_scan.hpp"
#include "hub/part_file.hpp"
#include "hub/part_name.hpp"

#include <hfhub/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_set>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

void sort(DeleteCacheStrategy& strategy) {
    for (auto* paths : {&strategy.blobs, &strategy.refs, &strategy.repos, &strategy.snapshots}) {
        std::sort(paths->begin(), paths->end());
    }
}

/// The contents that nothing else of the repository has, and their bytes.
void add_blobs(DeleteCacheStrategy& strategy, const CachedRepoInfo& repo,
               const std::vector<const CachedRevisionInfo*>& going,
               const std::unordered_set<std::string_view>& staying_blobs) {
    const std::string blobs = (repo.repo_path / "blobs").string();
    std::unordered_set<std::string_view> counted;
    for (const CachedRevisionInfo* revision : going) {
        const std::string folder = revision->snapshot_path.string();
        for (const CachedFileInfo& file : revision->files) {
            if (staying_blobs.contains(file.blob_path) || !counted.insert(file.blob_path).second) continue;
            // What is no link goes with its folder; what lies elsewhere stays.
            if (hub::lies_below(file.blob_path, folder)) {
                strategy.expected_freed_size += file.size_on_disk;
            } else if (hub::lies_below(file.blob_path, blobs)) {
                strategy.expected_freed_size += file.size_on_disk;
                strategy.blobs.emplace_back(file.blob_path);
            }
        }
    }
}

void add_repo(DeleteCacheStrategy& strategy, const CachedRepoInfo& repo) {
    strategy.repos.push_back(repo.repo_path);
    const std::string folder = repo.repo_path.string();
    std::unordered_set<std::string_view> counted;
    for (const CachedRevisionInfo& revision : repo.revisions) {
        for (const CachedFileInfo& file : revision.files) {
            if (!hub::lies_below(file.blob_path, folder) || !counted.insert(file.blob_path).second) continue;
            strategy.expected_freed_size += file.size_on_disk;
        }
    }
}

void add_revisions(DeleteCacheStrategy& strategy, const CachedRepoInfo& repo,
                   const std::set<std::string_view>& commits) {
    std::vector<const CachedRevisionInfo*> going;
    std::unordered_set<std::string_view> staying_blobs;
    for (const CachedRevisionInfo& revision : repo.revisions) {
        if (commits.contains(revision.commit_hash)) {
            going.push_back(&revision);
            continue;
        }
        for (const CachedFileInfo& file : revision.files) staying_blobs.insert(file.blob_path);
    }
    if (going.empty()) return;
    if (going.size() == repo.revisions.size()) return add_repo(strategy, repo);
    for (const CachedRevisionInfo* revision : going) {
        strategy.snapshots.push_back(revision->snapshot_path);
        for (const std::string& ref : revision->refs) strategy.refs.push_back(repo.repo_path / "refs" / ref);
    }
    add_blobs(strategy, repo, going, staying_blobs);
}

}  // namespace

std::string DeleteCacheStrategy::expected_freed_size_str() const {
    double size = static_cast<double>(expected_freed_size);
    std::string_view units = " KMGTPEZ";
    while (size >= 1000 && units.size() > 1) {
        size /= 1000;
        units.remove_prefix(1);
    }
    char text[32];
    std::snprintf(text, sizeof text, "%3.1f", size);
    return units.front() == ' ' ? std::string(text) : text + std::string(1, units.front());
}

DeleteCacheStrategy HFCacheInfo::delete_revisions(StringList revisions) const {
    std::set<std::string_view> commits;
    for (const std::string_view commit : revisions) commits.insert(commit);
    DeleteCacheStrategy strategy;
    strategy.cache_dir = cache_dir;
    for (const CachedRepoInfo& repo : repos) add_revisions(strategy, repo, commits);
    sort(strategy);
    return strategy;
}

DeleteCacheStrategy HFCacheInfo::prune() const {
    DeleteCacheStrategy strategy;
    strategy.cache_dir = cache_dir;
    for (const CachedRepoInfo& repo : repos) {
        std::set<std::string_view> commits;  // detached here; in another repository the same may not be
        for (const CachedRevisionInfo& revision : repo.revisions) {
            if (revision.refs.empty()) commits.insert(revision.commit_hash);
        }
        add_revisions(strategy, repo, commits);
    }
    sort(strategy);
    for (const CachedIncompleteFileInfo& file : incomplete_files) {
        strategy.incomplete_files.push_back(file.file_path);
        strategy.expected_freed_size += file.size_on_disk;
    }
    return strategy;
}

namespace hub {

namespace {

/// As many locks are held at once.
constexpr std::size_t blobs_at_once = 64;
/// What carries no sign of its maker and was not written to for so long, is nobody's.
constexpr std::chrono::hours old_part{24};

class Deletion {
  public:
    explicit Deletion(const DeleteCacheStrategy& strategy)
        : strategy_(strategy), root_(fs::weakly_canonical(strategy.cache_dir)) {
        if (!root_.is_absolute()) throw InvalidArgumentError("the strategy does not say of which cache it is");
    }

    void run() {
        // In this order no ref leads to a commit, and no link to a content, that is gone.
        for (const fs::path& repo : strategy_.repos) attempt(repo, [&] { delete_repo(repo); });
        for (const fs::path& ref : strategy_.refs) attempt(ref, [&] { delete_file(ref); });
        for (const fs::path& snapshot : strategy_.snapshots) attempt(snapshot, [&] { delete_snapshot(snapshot); });
        delete_blobs();
        for (const fs::path& part : strategy_.incomplete_files) attempt(part, [&] { delete_part(part); });
        if (problems_.empty()) return;
        throw IoError("not everything could be deleted: " + problems_);
    }

  private:
    template <class Work>
    void attempt(const fs::path& path, Work work) {
        try {
            require_inside(path);
            work();
        } catch (const FileError& error) {
            // Where its folder is gone, so is what was in it.
            if (error.code != std::errc::no_such_file_or_directory) add_problem(error);
        } catch (const std::exception& error) {
            add_problem(error);
        }
    }

    void add_problem(const std::exception& error) {
        problems_ += (problems_.empty() ? "" : "; ") + std::string(error.what());
    }

    /// The path names something of the cache, whatever links its folders are.
    void require_inside(const fs::path& path) const {
        const fs::path folder = fs::weakly_canonical(path.parent_path());
        const std::string name = path.filename().string();
        const bool inside = folder == root_ || lies_below(folder.string(), root_.string());
        if (!inside || name.empty() || name == "." || name == "..") {
            throw IoError(path.string() + " lies outside of the cache " + root_.string() + " and is not deleted");
        }
    }

    PathBeneath inside(const fs::path& path) const { return {strategy_.cache_dir, path}; }

    void delete_file(const fs::path& path) const {
        const NameInFolder name(inside(path));
        if (::unlinkat(name.folder(), name.name(), 0) == 0 || errno == ENOENT) return;
        throw FileError("delete", path, {errno, std::generic_category()});
    }

    /// Of a link only the link.
    static void delete_all(const fs::path& path) {
        std::error_code error;
        fs::remove_all(path, error);
        if (error) throw FileError("delete", path, error);
    }

    fs::path locks_of(const fs::path& repo) const { return strategy_.cache_dir / ".locks" / repo.filename(); }

    /// Whether somebody holds one of its locks.
    bool is_in_use(const fs::path& repo) const {
        std::error_code error;
        for (fs::directory_iterator entry(locks_of(repo), error), end; !error && entry != end; entry.increment(error)) {
            if (entry->path().extension() != ".lock" || !entry->is_regular_file(error)) continue;
            FileLock lock(inside(entry->path()), nullptr, FileLock::File::existing);
            if (!lock.try_lock()) return true;
        }
        return false;
    }

    void delete_repo(const fs::path& repo) const {
        std::error_code error;
        if (fs::is_symlink(repo, error)) return delete_file(repo);
        if (is_in_use(repo)) {
            log(LogLevel::warning, repo.string() + " stays: a download is working on it");
            return;
        }
        for (const char* part : {"refs", "snapshots", "blobs"}) delete_all(repo / part);
        delete_all(repo);
    }

    void delete_snapshot(const fs::path& snapshot) const {
        const fs::path repo = snapshot.parent_path().parent_path();
        const std::string commit = snapshot.filename().string();
        delete_all(snapshot);
        for (const fs::path& more : {repo / ".no_exist" / commit, repo / "trees" / (commit + ".json")}) {
            require_inside(more);
            delete_all(more);
        }
    }

    void delete_blobs() {
        std::map<fs::path, std::vector<fs::path>> by_repo;
        for (const fs::path& blob : strategy_.blobs) by_repo[blob.parent_path().parent_path()].push_back(blob);
        for (const auto& [repo, blobs] : by_repo) {
            for (std::size_t at = 0; at < blobs.size(); at += blobs_at_once) {
                const std::size_t end = std::min(at + blobs_at_once, blobs.size());
                delete_some(repo, {blobs.begin() + static_cast<std::ptrdiff_t>(at),
                                   blobs.begin() + static_cast<std::ptrdiff_t>(end)});
            }
        }
    }

    /// With their locks held, no download can begin to use them.
    void delete_some(const fs::path& repo, const std::vector<fs::path>& blobs) {
        std::vector<std::unique_ptr<FileLock>> locks;
        std::vector<fs::path> free;
        for (const fs::path& blob : blobs) {
            attempt(blob, [&] {
                auto lock = std::make_unique<FileLock>(inside(locks_of(repo) / (blob.filename().string() + ".lock")));
                if (!lock->try_lock()) {
                    log(LogLevel::warning, blob.string() + " stays: a download is working on it");
                    return;
                }
                locks.push_back(std::move(lock));
                free.push_back(blob);
            });
        }
        const std::set<std::string> used = used_blobs(repo);
        for (const fs::path& blob : free) {
            if (used.contains(blob.filename().string())) {
                log(LogLevel::warning, blob.string() + " stays: it is used again");
            } else {
                attempt(blob, [&] { delete_file(blob); });
            }
        }
    }

    /// The names of what links of the repository lead to, wherever exactly.
    static std::set<std::string> used_blobs(const fs::path& repo) {
        std::set<std::string> names;
        std::error_code error;
        for (fs::recursive_directory_iterator entry(repo / "snapshots", error), end; !error && entry != end;
             entry.increment(error)) {
            std::error_code no_link;
            const fs::path target = fs::read_symlink(entry->path(), no_link);
            if (!no_link) names.insert(target.filename().string());
        }
        return names;
    }

    void delete_part(const fs::path& part) const {
        const std::string name = part.filename().string();
        if (!name.ends_with(part_suffix)) throw IoError(part.string() + " is no unfinished file and is not deleted");
        const std::string stem = name.substr(0, name.size() - part_suffix.size());
        const std::string owner_stem = stem.substr(0, stem.rfind('.'));
        if (read_part_name(name, owner_stem).matches) {
            std::vector<LeftPart> parts = find_left_parts(inside(part.parent_path()), owner_stem);
            std::erase_if(parts, [&](const LeftPart& one) { return one.place.path() != part; });
            return delete_left_parts(parts, std::chrono::system_clock::now());
        }
        const auto identity = identity_of(part);
        if (identity && std::chrono::system_clock::now() - identity->modified > old_part) delete_file(part);
    }

    const DeleteCacheStrategy& strategy_;
    fs::path root_;
    std::string problems_;
};

}  // namespace

void delete_from_cache(const DeleteCacheStrategy& strategy) { Deletion(strategy).run(); }

}  // namespace hub

}  // namespace hfhub
