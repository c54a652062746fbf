#include "core/atomic_file.hpp"
#include "core/file_lock.hpp"
#include "core/folded_name.hpp"
#include "core/log.hpp"
#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/download_job.hpp"
#include "hub/file_hash.hpp"
#include "hub/local_folder.hpp"
#include "hub/part_name.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

class FolderJob final : public DownloadJob {
  public:
    explicit FolderJob(SharedRequest wanted)
        : DownloadJob(std::move(wanted)),
          paths_(resolved_folder(request->local_dir), request->filename),
          cache_(resolved_folder(request->cache_dir), request->repo_type, request->repo_id) {
        try {
            prepare_local_folder(paths_);
        } catch (const FileError&) {
            // The folder may be read-only and hold the file; where it is to be written, that fails again.
        }
        if (local_file_exists(paths_) && !folded_name(paths_.root, request->filename)) {
            seen_ = identity_behind(paths_.file.path());
        }
        metadata_ = read_local_metadata(paths_);
    }

    const fs::path& path() const { return paths_.file.path(); }
    bool have_file() const { return seen_.has_value(); }

    LocalFile result() const { return {path(), std::nullopt}; }

    /// The file, where it is known to be the wanted one or there is nothing better.
    LocalFile as_it_is() const {
        if (!request->dry_run) return result();
        const std::string commit = metadata_ ? metadata_->commit_hash : std::string();
        return preview(commit, seen_->size, true, request->force_download);
    }

    bool is_at(const std::string& commit) const {
        return is_git_sha1(commit) && have_file() && metadata_ && metadata_->commit_hash == commit;
    }

    FolderStep step(const FileDescription& file) const {
        const std::string known = metadata_ ? metadata_->etag : std::string();
        return folder_step(have_file(), known, file.etag, request->force_download);
    }

    LocalFile preview(const FileDescription& file, bool current) const {
        const bool cached = current || in_cache(file) || have_file();
        return preview(file.commit_hash, file.size, cached, request->force_download || !cached);
    }

    /// Notes which version the file is that was there. The folder may be read-only: the file is what matters.
    void remember(const FileDescription& file) const noexcept {
        if (metadata_ && metadata_->etag == file.etag && metadata_->commit_hash == file.commit_hash) return;
        try {
            FileLock lock(paths_.lock);
            if (!lock.try_lock()) return;  // who has it knows better
            const auto now = identity_behind(path());
            if (now && now->same_content(*seen_)) write_local_metadata(paths_, file.commit_hash, file.etag);
        } catch (const std::exception& error) {
            log(LogLevel::info, std::string("could not remember the version of a file: ") + error.what());
        }
    }

    PathBeneath lock(const FileDescription&) const override { return paths_.lock; }

    ByteSource begin(const FileDescription& file) const override {
        ByteSource source;
        require_own_name(paths_.root, request->filename);
        prepare_local_folder(paths_);
        const auto by_another = read_local_metadata(paths_);
        if (!request->force_download && by_another && by_another->etag == file.etag && local_file_exists(paths_)) {
            return source;
        }
        if (const auto cached = in_cache(file)) {
            forget_local_metadata(paths_);
            // Whatever an interruption leaves of it is a part like others.
            const PathBeneath part = paths_.part_folder() / new_part_name(paths_.part_stem(file.etag));
            source.copy = std::make_shared<FileCopy>(*cached, paths_.file, part);
            return source;
        }
        source.part = std::make_shared<PartFile>(paths_.part_folder(), paths_.part_stem(file.etag),
                                                 part_content(*request, file), !request->force_download);
        return source;
    }

    void finish(const FileDescription& file, PartFile* part) const override {
        if (part) {
            forget_local_metadata(paths_);
            part->publish(paths_.file);
        } else {
            const auto left = find_left_parts(paths_.part_folder(), paths_.part_stem(file.etag));
            delete_left_parts(left, std::chrono::system_clock::now());
        }
        write_local_metadata(paths_, file.commit_hash, file.etag);
    }

  private:
    LocalFile preview(const std::string& commit, std::optional<std::uint64_t> size, bool cached,
                      bool will_download) const {
        return {path(), DryRunFileInfo{commit, size, request->filename, path(), cached, will_download}};
    }

    std::optional<fs::path> in_cache(const FileDescription& file) const {
        if (request->force_download) return std::nullopt;
        return find_cached(cache_, file.commit_hash, request->filename).path;
    }

    LocalPaths paths_;
    RepoCache cache_;
    std::optional<FileIdentity> seen_;  ///< The file that was there.
    std::optional<LocalMetadata> metadata_;
};
using SharedJob = std::shared_ptr<const FolderJob>;

awaitable<SharedJob> open_job(Client client, SharedRequest request) {
    auto work = [request]() -> SharedJob { return std::make_shared<const FolderJob>(request); };
    co_return co_await client.workers().run(std::move(work));
}

/// Whether the file that is there is the wanted version.
awaitable<bool> is_current(Client client, SharedJob job, SharedFile file) {
    const FolderStep step = job->step(*file);
    if (step != FolderStep::compare) co_return step == FolderStep::keep;
    const std::string hash = co_await hash_file(client, job->path(), HashKind::sha256);
    co_return hash == file->etag;
}

awaitable<std::optional<FileDescription>> find(Client client, SharedJob job) {
    if (job->have_file() && hub_seems_down(client) && !job->request->force_download) co_return std::nullopt;
    HubAnswer answer = co_await ask_hub(client, job->request, false);
    if (answer.file) co_return std::move(answer.file);
    co_return co_await after_failure(client, job->request, std::move(answer), job->have_file());
}

}  // namespace

awaitable<LocalFile> download_to_folder(Client client, SharedRequest request) {
    const SharedJob job = co_await open_job(client, request);
    const bool pinned = job->is_at(request->revision) && (!request->force_download || request->dry_run);
    std::optional<FileDescription> found;
    if (!pinned) found = co_await find(client, job);
    if (!found) co_return job->as_it_is();
    const SharedFile file = std::make_shared<const FileDescription>(std::move(*found));
    const bool current = co_await is_current(client, job, file);
    if (request->dry_run) {
        auto preview = [job, file, current] { return job->preview(*file, current); };
        co_return co_await client.workers().run(std::move(preview));
    }
    if (!current) {
        co_await perform(client, job, file);
        co_return job->result();
    }
    auto remember = [job, file] { job->remember(*file); };
    co_await client.workers().run(std::move(remember));
    co_return job->result();
}

}  // namespace hfhub::hub
