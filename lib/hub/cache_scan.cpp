#include "hub/cache_scan.hpp"

#include "core/atomic_file.hpp"
#include "hub/part_name.hpp"

#include <hfhub/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_ref = 4096;

bool is_system_file(std::string_view name) noexcept {
    return name == ".DS_Store" || name == "Thumbs.db" || name == "desktop.ini";
}

double seconds(const timespec& time) noexcept {
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// An open folder and its entries.
class Folder {
  public:
    Folder(int parent, const char* name) noexcept {
        const int descriptor = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) return;
        stream_ = ::fdopendir(descriptor);
        if (!stream_) ::close(descriptor);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        if (stream_) ::closedir(stream_);
    }
    explicit operator bool() const noexcept { return stream_ != nullptr; }
    int descriptor() const noexcept { return stream_ ? ::dirfd(stream_) : -1; }

    /// Null at the end.
    const dirent* next() noexcept {
        while (const dirent* entry = ::readdir(stream_)) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") return entry;
        }
        return nullptr;
    }
    /// DT_DIR, DT_LNK, DT_REG, …, also on file systems that do not tell by themselves.
    unsigned char type_of(const dirent* entry) const noexcept {
        if (entry->d_type != DT_UNKNOWN) return entry->d_type;
        struct stat status{};
        if (::fstatat(descriptor(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
        return IFTODT(status.st_mode);
    }
    bool is_folder(const dirent* entry) const noexcept {
        struct stat status{};
        const unsigned char type = type_of(entry);
        return type == DT_DIR ||
               (type == DT_LNK && ::fstatat(descriptor(), entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode));
    }

  private:
    DIR* stream_ = nullptr;
};

struct BlobStatus {
    std::uint64_t size = 0;
    double accessed = 0, modified = 0;
};

std::string in_folder(std::string_view folder, std::string_view name) {
    std::string path;
    path.reserve(folder.size() + 1 + name.size());
    return path.append(folder).append("/").append(name);
}

class RepoScan {
  public:
    explicit RepoScan(const fs::path& repo_path)
        : path_(repo_path.string()),
          folder_(AT_FDCWD, path_.c_str()),
          blobs_(folder_.descriptor(), "blobs"),
          blobs_path_(in_folder(path_, "blobs")) {
        info_.repo_path = repo_path;
    }

    CachedRepoInfo run() {
        if (!folder_) throw IoError("Repo path is not a directory: " + path_);
        const std::string name = info_.repo_path.filename().string();
        auto known = repo_of_folder(name);
        if (name.find("--") == name.npos) {
            throw IoError("Repo path is not a valid HuggingFace cache directory: " + path_);
        }
        if (!known) {
            std::string type = name.substr(0, name.find("--"));
            if (type.ends_with('s')) type.pop_back();
            throw IoError("Repo type must be `dataset`, `model` or `space`, found `" + type + "` (" + path_ + ").");
        }
        info_.repo_type = std::move(known->type);
        info_.repo_id = std::move(known->id);
        Folder snapshots(folder_.descriptor(), "snapshots");
        if (!snapshots) {
            throw IoError("Snapshots dir doesn't exist in cached repo: " + in_folder(path_, "snapshots"));
        }
        read_refs();
        read_revisions(snapshots);
        if (!refs_.empty()) throw IoError(missing_commits());
        finish();
        return std::move(info_);
    }

  private:
    void read_refs() {
        const std::string path = in_folder(path_, "refs");
        Folder refs(folder_.descriptor(), "refs");
        if (refs) return read_refs_in(refs, path, "");
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0) throw IoError("Refs directory cannot be a file: " + path);
    }

    void read_refs_in(Folder& folder, const std::string& path, const std::string& prefix) {
        while (const dirent* entry = folder.next()) {
            const std::string name = entry->d_name;
            if (is_system_file(name)) continue;
            if (folder.type_of(entry) == DT_DIR) {
                Folder below(folder.descriptor(), entry->d_name);
                if (below) read_refs_in(below, in_folder(path, name), prefix + name + "/");
                continue;
            }
            const auto text = read_file_if_exists(in_folder(path, name), longest_ref);
            if (!text) continue;
            const auto end = text->find_last_not_of(" \t\r\n");
            refs_[text->substr(0, end == text->npos ? 0 : end + 1)].push_back(prefix + name);
        }
    }

    void read_revisions(Folder& snapshots) {
        const std::string path = in_folder(path_, "snapshots");
        while (const dirent* entry = snapshots.next()) {
            if (is_system_file(entry->d_name)) continue;
            const std::string revision_path = in_folder(path, entry->d_name);
            if (!snapshots.is_folder(entry)) {
                throw IoError("Snapshots folder corrupted. Found a file: " + revision_path);
            }
            Folder folder(snapshots.descriptor(), entry->d_name);
            if (!folder) throw FileError("read the folder", revision_path, {errno, std::generic_category()});
            CachedRevisionInfo& revision = info_.revisions.emplace_back();
            revision.commit_hash = entry->d_name;
            revision.snapshot_path = revision_path;
            read_files(folder, revision_path, 0, revision);
            finish_revision(folder, revision);
        }
    }

    void read_files(Folder& folder, const std::string& path, int depth, CachedRevisionInfo& revision) {
        while (const dirent* entry = folder.next()) {
            const unsigned char type = folder.type_of(entry);
            if (type == DT_DIR) {
                Folder below(folder.descriptor(), entry->d_name);
                if (below) read_files(below, in_folder(path, entry->d_name), depth + 1, revision);
                continue;
            }
            CachedFileInfo file;
            file.file_name = entry->d_name;
            file.file_path = in_folder(path, file.file_name);
            const BlobStatus* status = type == DT_LNK ? follow(folder, path, depth, file) : status_at(file.file_path);
            if (type != DT_LNK) file.blob_path = file.file_path;
            if (!status) continue;
            file.size_on_disk = status->size;
            file.blob_last_accessed = status->accessed;
            file.blob_last_modified = status->modified;
            revision.files.push_back(std::move(file));
        }
    }

    /// What the link leads to; null where that is a folder.
    const BlobStatus* follow(Folder& folder, const std::string& path, int depth, CachedFileInfo& file) {
        std::array<char, 4096> buffer;
        const ssize_t size = ::readlinkat(folder.descriptor(), file.file_name.c_str(), buffer.data(), buffer.size());
        if (size < 0) throw FileError("read the link", file.file_path, {errno, std::generic_category()});
        const std::string_view target(buffer.data(), static_cast<std::size_t>(size));
        if (const std::string_view blob = blob_of_link(target, depth); !blob.empty()) {
            file.blob_path = in_folder(blobs_path_, blob);
        } else if (target.starts_with('/')) {
            file.blob_path = fs::path(target).lexically_normal().string();
        } else {
            file.blob_path = (fs::path(path) / target).lexically_normal().string();
        }
        return status_at(file.blob_path);
    }

    /// The blob's name, where the link is one to this repository's blobs in the usual form.
    static std::string_view blob_of_link(std::string_view target, int depth) noexcept {
        for (int up = depth + 2; up > 0; --up) {
            if (!target.starts_with("../")) return {};
            target.remove_prefix(3);
        }
        if (!target.starts_with("blobs/")) return {};
        target.remove_prefix(6);
        return target.find('/') == target.npos && target != "." && target != ".." ? target : std::string_view();
    }

    const BlobStatus* status_at(const std::string& path) {
        const auto known = blobs_seen_.find(path);
        if (known != blobs_seen_.end()) return &known->second;
        struct stat status{};
        const bool own = blobs_ && path.size() > blobs_path_.size() && path[blobs_path_.size()] == '/' &&
                         path.starts_with(blobs_path_);
        const int failed = own ? ::fstatat(blobs_.descriptor(), path.c_str() + blobs_path_.size() + 1, &status, 0)
                               : ::stat(path.c_str(), &status);
        if (failed) throw IoError("Blob missing (broken symlink): " + path);
        if (S_ISDIR(status.st_mode)) return nullptr;
        const BlobStatus seen{static_cast<std::uint64_t>(status.st_size), seconds(status.st_atim),
                              seconds(status.st_mtim)};
        return &blobs_seen_.emplace(path, seen).first->second;
    }

    void finish_revision(const Folder& folder, CachedRevisionInfo& revision) {
        std::sort(revision.files.begin(), revision.files.end(),
                  [](const CachedFileInfo& a, const CachedFileInfo& b) { return a.file_path < b.file_path; });
        std::vector<const CachedFileInfo*> distinct;
        distinct.reserve(revision.files.size());
        for (const CachedFileInfo& file : revision.files) distinct.push_back(&file);
        std::sort(distinct.begin(), distinct.end(),
                  [](const auto* a, const auto* b) { return a->blob_path < b->blob_path; });
        const auto end = std::unique(distinct.begin(), distinct.end(),
                                     [](const auto* a, const auto* b) { return a->blob_path == b->blob_path; });
        for (auto file = distinct.begin(); file != end; ++file) {
            revision.size_on_disk += (*file)->size_on_disk;
            revision.last_modified = std::max(revision.last_modified, (*file)->blob_last_modified);
        }
        if (revision.files.empty()) {
            struct stat status{};
            if (::fstat(folder.descriptor(), &status) == 0) revision.last_modified = seconds(status.st_mtim);
        }
        if (const auto refs = refs_.find(revision.commit_hash); refs != refs_.end()) {
            revision.refs = std::move(refs->second);
            std::sort(revision.refs.begin(), revision.refs.end());
            refs_.erase(refs);
        }
    }

    std::string missing_commits() const {
        std::string text;
        for (const auto& [commit, names] : refs_) {
            text += (text.empty() ? "'" : ", '") + commit + "': {";
            for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
            text += "}";
        }
        return "Reference(s) refer to missing commit hashes: {" + text + "} (" + path_ + ").";
    }

    void finish() {
        std::sort(info_.revisions.begin(), info_.revisions.end(),
                  [](const auto& a, const auto& b) { return a.commit_hash < b.commit_hash; });
        info_.nb_files = blobs_seen_.size();
        for (const auto& [path, status] : blobs_seen_) {
            info_.size_on_disk += status.size;
            info_.last_accessed = std::max(info_.last_accessed, status.accessed);
            info_.last_modified = std::max(info_.last_modified, status.modified);
        }
        struct stat status{};
        if (blobs_seen_.empty() && ::fstat(folder_.descriptor(), &status) == 0) {
            info_.last_accessed = seconds(status.st_atim);
            info_.last_modified = seconds(status.st_mtim);
        }
    }

    std::string path_;
    Folder folder_, blobs_;
    std::string blobs_path_;
    CachedRepoInfo info_;
    std::map<std::string, std::vector<std::string>> refs_;
    std::unordered_map<std::string, BlobStatus> blobs_seen_;
};

void find_incomplete(int cache, const std::string& repo_path, const char* repo,
                     std::vector<CachedIncompleteFileInfo>& found) {
    Folder blobs(cache, (std::string(repo) + "/blobs").c_str());
    if (!blobs) return;
    while (const dirent* entry = blobs.next()) {
        const std::string_view name = entry->d_name;
        struct stat status{};
        if (!name.ends_with(part_suffix) || ::fstatat(blobs.descriptor(), entry->d_name, &status, 0) != 0) continue;
        found.push_back({repo_path + "/blobs/" + entry->d_name, static_cast<std::uint64_t>(status.st_size)});
    }
}

}  // namespace

std::optional<RepoName> repo_of_folder(std::string_view name) {
    const std::size_t separator = name.find("--");
    if (separator == name.npos) return std::nullopt;
    const std::string_view type = name.substr(0, separator);
    if (type != "models" && type != "datasets" && type != "spaces" && type != "kernels") return std::nullopt;
    RepoName repo{std::string(type.substr(0, type.size() - 1)), std::string(name.substr(separator + 2))};
    for (std::size_t at = 0; (at = repo.id.find("--", at)) != std::string::npos; ++at) repo.id.replace(at, 2, "/");
    return repo;
}

bool lies_below(std::string_view path, std::string_view folder) noexcept {
    return path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/';
}

CachedRepoInfo scan_repo(const fs::path& repo_path) { return RepoScan(repo_path).run(); }

std::vector<std::string> list_cache(const fs::path& cache_dir) {
    std::error_code error;
    if (!fs::exists(cache_dir, error)) {
        throw CacheNotFound("there is no cache folder " + cache_dir.string() + "; give cache_dir or set HF_HUB_CACHE");
    }
    if (!fs::is_directory(cache_dir, error)) {
        throw InvalidArgumentError("the cache " + cache_dir.string() +
                                   " is no folder; give cache_dir or set HF_HUB_CACHE");
    }
    Folder cache(AT_FDCWD, cache_dir.c_str());
    if (!cache) throw FileError("read the folder", cache_dir, {errno, std::generic_category()});
    std::vector<std::string> names;
    while (const dirent* entry = cache.next()) {
        const std::string_view name = entry->d_name;
        if (!is_system_file(name) && name != ".locks" && name != "CACHEDIR.TAG") names.emplace_back(name);
    }
    return names;
}

HFCacheInfo scan_repos(const fs::path& cache_dir, const std::vector<std::string>& names) {
    HFCacheInfo info;
    info.cache_dir = cache_dir;
    const std::string path = cache_dir.string();
    Folder cache(AT_FDCWD, path.c_str());
    for (const std::string& name : names) {
        const std::string repo_path = in_folder(path, name);
        find_incomplete(cache.descriptor(), repo_path, name.c_str(), info.incomplete_files);
        try {
            info.repos.push_back(scan_repo(repo_path));
            info.size_on_disk += info.repos.back().size_on_disk;
        } catch (const IoError& damage) {
            info.warnings.emplace_back(damage.what());
        }
    }
    return info;
}

HFCacheInfo join_scans(std::vector<HFCacheInfo> parts) {
    HFCacheInfo whole;
    const auto append = [](auto& to, auto& from) { std::move(from.begin(), from.end(), std::back_inserter(to)); };
    for (HFCacheInfo& part : parts) {
        whole.cache_dir = std::move(part.cache_dir);
        whole.size_on_disk += part.size_on_disk;
        append(whole.repos, part.repos);
        append(whole.incomplete_files, part.incomplete_files);
        append(whole.warnings, part.warnings);
    }
    const auto by_path = [](const auto& a, const auto& b) { return a.repo_path < b.repo_path; };
    std::sort(whole.repos.begin(), whole.repos.end(), by_path);
    std::sort(whole.incomplete_files.begin(), whole.incomplete_files.end(),
              [](const auto& a, const auto& b) { return a.file_path < b.file_path; });
    std::sort(whole.warnings.begin(), whole.warnings.end());
    return whole;
}

}  // namespace hfhub::hub
