#include "core/atomic_file.hpp"
#include "core/folded_name.hpp"
#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/download_job.hpp"
#include "hub/part_name.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

class CacheJob final : public DownloadJob {
  public:
    CacheJob(SharedRequest wanted, bool may_link)
        : DownloadJob(std::move(wanted)),
          cache_(resolved_folder(request->cache_dir), request->repo_type, request->repo_id),
          links_(may_link) {}

    /// The file that is there at this commit.
    std::optional<LocalFile> cached_at(const std::string& commit) const {
        fs::path pointer = pointer_at(commit);
        const auto size = file_size_at(pointer);
        if (!size || (*size == 0 && lost_its_content(pointer)) || is_of_another_name(commit)) return std::nullopt;
        if (request->size && *size != *request->size) return std::nullopt;
        LocalFile file{pointer, std::nullopt};
        if (request->dry_run) {
            file.dry_run = DryRunFileInfo{commit, *size, request->filename, pointer, true, request->force_download};
        }
        return file;
    }

    std::optional<LocalFile> pinned() const {
        if (!is_git_sha1(request->revision)) return std::nullopt;
        if (request->force_download && !request->dry_run) return std::nullopt;
        return cached_at(request->revision);
    }

    std::optional<LocalFile> last_known() const {
        if (is_git_sha1(request->revision)) return cached_at(request->revision);
        const auto commit = read_ref(cache_, request->revision);
        return commit ? cached_at(*commit) : std::nullopt;
    }

    LocalFile preview(const FileDescription& file) const {
        fs::path pointer = pointer_at(file.commit_hash);
        const bool cached = is_whole(pointer, file) || is_whole(cache_.blob(file.etag), file);
        DryRunFileInfo info{file.commit_hash, file.size, request->filename,
                            pointer,          cached,    request->force_download || !cached};
        return {std::move(pointer), std::move(info)};
    }

    LocalFile result(const FileDescription& file) const { return {pointer_at(file.commit_hash), std::nullopt}; }

    /// Whether the file is there under its name: then the cache, which may be read-only, needs no change.
    bool is_there(const FileDescription& file) const {
        if (step(file) != CacheStep::use) return false;
        require_own_name(cache_.snapshot(file.commit_hash), request->filename);
        write_ref(cache_, request->revision, file.commit_hash);
        return true;
    }

    void remember_missing(const std::string& commit) const {
        write_no_exist(cache_, commit, request->filename);
        write_ref(cache_, request->revision, commit);
    }

    PathBeneath lock(const FileDescription& file) const override { return cache_.lock(file.etag); }

    ByteSource begin(const FileDescription& file) const override {
        ByteSource source;
        const PathBeneath blobs = cache_.inside(cache_.blobs()), pointer = cache_.inside(pointer_at(file.commit_hash));
        make_directories(blobs);
        make_directories(pointer.parent_path());
        require_own_name(cache_.snapshot(file.commit_hash), request->filename);
        write_cachedir_tag(cache_.cache_dir());
        // A branch whose former commit has the file means that one until the new file is there.
        if (!last_known()) write_ref(cache_, request->revision, file.commit_hash);
        const fs::path blob = cache_.blob(file.etag);
        switch (step(file)) {
            case CacheStep::use:
                break;
            case CacheStep::link:
                if (!link_pointer(blob, pointer, links_)) source.copy = copy_of(blob, pointer, file);
                break;
            case CacheStep::download:
                source.part = std::make_shared<PartFile>(blobs, file.etag, part_content(*request, file),
                                                         !request->force_download);
        }
        return source;
    }

    void finish(const FileDescription& file, PartFile* part) const override {
        if (part) {
            publish(file, *part);
        } else {
            delete_left_parts(find_left_parts(cache_.inside(cache_.blobs()), file.etag),
                              std::chrono::system_clock::now());
        }
        write_ref(cache_, request->revision, file.commit_hash);
    }

  private:
    /// Whatever an interruption leaves of it is a part like others.
    std::shared_ptr<FileCopy> copy_of(const fs::path& blob, const PathBeneath& pointer,
                                      const FileDescription& file) const {
        const PathBeneath part = cache_.inside(cache_.blobs() / new_part_name(file.etag));
        return std::make_shared<FileCopy>(blob, pointer, part);
    }

    fs::path pointer_at(const std::string& commit) const { return cache_.pointer(commit, request->filename); }

    bool is_of_another_name(const std::string& commit) const {
        return folded_name(cache_.snapshot(commit), request->filename).has_value();
    }

    CacheStep step(const FileDescription& file) const {
        return cache_step(is_whole(pointer_at(file.commit_hash), file), is_whole(cache_.blob(file.etag), file),
                          request->force_download);
    }

    /// Whether it is there, and as long as the Hub says.
    static bool is_whole(const fs::path& path, const FileDescription& file) {
        const auto size = file_size_at(path);
        return size && (!file.size || *size == *file.size);
    }

    void publish(const FileDescription& file, PartFile& part) const {
        const PathBeneath blob = cache_.inside(cache_.blob(file.etag));
        const PathBeneath pointer = cache_.inside(pointer_at(file.commit_hash));
        part.publish(blob);
        // The lock is the content's: a file of a similar name may have come meanwhile.
        require_own_name(cache_.snapshot(file.commit_hash), request->filename);
        std::error_code error;
        // A link shows the new blob already; a file of its own, where links are not to be had, does not.
        if (fs::is_symlink(pointer.path(), error) && file_exists_at(pointer.path())) return;
        if (!link_pointer(blob.path(), pointer, links_)) move_file(blob, pointer);
    }

    RepoCache cache_;
    bool links_;
};
using SharedJob = std::shared_ptr<const CacheJob>;

awaitable<SharedJob> open_job(Client client, SharedRequest request) {
    auto work = [request, links = !client.environment().disable_symlinks]() -> SharedJob {
        return std::make_shared<const CacheJob>(request, links);
    };
    co_return co_await client.workers().run(std::move(work));
}

/// Notes that there is no such file, where the Hub said at which commit.
awaitable<void> note_missing(Client client, SharedJob job, std::exception_ptr failure) {
    std::string commit;
    try {
        std::rethrow_exception(failure);
    } catch (const RemoteEntryNotFoundError& error) {
        commit = error.context().commit_hash;
    } catch (...) {
        co_return;
    }
    if (!is_path_token(commit)) co_return;
    auto work = [job, commit] { job->remember_missing(commit); };
    co_await client.workers().run(std::move(work));
}

awaitable<std::optional<LocalFile>> last_known(Client client, SharedJob job) {
    auto work = [job] { return job->last_known(); };
    co_return co_await client.workers().run(std::move(work));
}

/// What to fetch; or the file that is used in its place.
struct Found {
    std::optional<FileDescription> remote;
    std::optional<LocalFile> local;
};

awaitable<Found> find_online(Client client, SharedJob job) {
    Found found;
    HubAnswer answer = co_await ask_hub(client, job->request, false);
    if (answer.file) {
        found.remote = std::move(answer.file);
        co_return found;
    }
    found.local = co_await last_known(client, job);
    const bool have_local = found.local.has_value();
    found.remote = co_await after_failure(client, job->request, std::move(answer), have_local);
    co_return found;
}

awaitable<Found> find(Client client, SharedJob job) {
    Found found;
    if (hub_seems_down(client) && !job->request->force_download) {
        found.local = co_await last_known(client, job);
        if (found.local) co_return found;
    }
    std::exception_ptr failure;
    try {
        found = co_await find_online(client, job);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        if (!job->request->dry_run) co_await note_missing(client, job, failure);
        std::rethrow_exception(failure);
    }
    co_return found;
}

}  // namespace

awaitable<LocalFile> download_to_cache(Client client, SharedRequest request) {
    const SharedJob job = co_await open_job(client, request);
    auto look = [job] { return job->pinned(); };
    std::optional<LocalFile> pinned = co_await client.workers().run(std::move(look));
    if (pinned) co_return std::move(*pinned);

    Found found = co_await find(client, job);
    if (!found.remote) co_return std::move(*found.local);
    const SharedFile file = std::make_shared<const FileDescription>(std::move(*found.remote));
    if (request->dry_run) {
        auto preview = [job, file] { return job->preview(*file); };
        co_return co_await client.workers().run(std::move(preview));
    }
    auto check = [job, file] { return job->is_there(*file); };
    const bool there = co_await client.workers().run(std::move(check));
    if (!there) co_await perform(client, job, file);
    co_return job->result(*file);
}

}  // namespace hfhub::hub
