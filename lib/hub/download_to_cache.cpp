#include "core/atomic_file.hpp"
#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/download.hpp"
#include "hub/held_lock.hpp"
#include "hub/part_file.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

/// What one download works on; its functions block.
struct CacheJob {
    CacheJob(SharedRequest wanted, bool may_link)
        : request(std::move(wanted)),
          cache(resolved_folder(request->cache_dir), request->repo_type, request->repo_id),
          links(may_link) {}

    SharedRequest request;
    RepoCache cache;
    bool links;

    /// The file that is there at this commit.
    std::optional<LocalFile> cached_at(const std::string& commit) const {
        fs::path pointer = cache.pointer(commit, request->filename);
        if (!file_exists_at(pointer)) return std::nullopt;
        LocalFile file{pointer, std::nullopt};
        if (request->dry_run) {
            file.dry_run = DryRunFileInfo{commit, fs::file_size(pointer), request->filename, pointer,
                                          true,   request->force_download};
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
        const auto commit = read_ref(cache, request->revision);
        return commit ? cached_at(*commit) : std::nullopt;
    }

    LocalFile preview(const FileDescription& file) const {
        fs::path pointer = cache.pointer(file.commit_hash, request->filename);
        const bool cached = file_exists_at(pointer) || file_exists_at(cache.blob(file.etag));
        DryRunFileInfo info{file.commit_hash, file.size, request->filename,
                            pointer,          cached,    request->force_download || !cached};
        return {std::move(pointer), std::move(info)};
    }

    CacheStep step(const FileDescription& file) const {
        return cache_step(file_exists_at(cache.pointer(file.commit_hash, request->filename)),
                          file_exists_at(cache.blob(file.etag)), request->force_download);
    }

    /// True where the file is there under its name: then the cache, which may be read-only, needs no change.
    bool prepare(const FileDescription& file) const {
        if (step(file) == CacheStep::use) {
            try {
                write_ref(cache, request->revision, file.commit_hash);
            } catch (const IoError&) {
                // The file is what matters.
            }
            return true;
        }
        make_directories(cache.blobs());
        make_directories(cache.pointer(file.commit_hash, request->filename).parent_path());
        write_cachedir_tag(cache.cache_dir());
        write_ref(cache, request->revision, file.commit_hash);
        return false;
    }

    /// With the lock held: a part to fill, or nothing where somebody else has been faster.
    std::shared_ptr<PartFile> begin(const FileDescription& file, const std::shared_ptr<FileLock>& lock) const {
        const fs::path pointer = cache.pointer(file.commit_hash, request->filename);
        switch (step(file)) {
            case CacheStep::use:
                return nullptr;
            case CacheStep::link:
                make_pointer(cache.blob(file.etag), pointer, false, links);
                return nullptr;
            case CacheStep::download:
                break;
        }
        auto part = std::make_shared<PartFile>(cache.blobs(), file.etag, part_content(*request, file),
                                               !request->force_download);
        part->guard(lock);
        return part;
    }

    void finish(const FileDescription& file, PartFile& part) const {
        const fs::path blob = cache.blob(file.etag);
        const fs::path pointer = cache.pointer(file.commit_hash, request->filename);
        part.publish(blob);
        std::error_code error;
        // A link shows the new blob already; a file of its own, where links are not to be had, does not.
        if (!fs::is_symlink(pointer, error) || !file_exists_at(pointer)) make_pointer(blob, pointer, true, links);
    }

    void remember_missing(const std::string& commit) const {
        write_no_exist(cache, commit, request->filename);
        write_ref(cache, request->revision, commit);
    }
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
        co_await note_missing(client, job, failure);
        std::rethrow_exception(failure);
    }
    co_return found;
}

awaitable<void> download(Client client, SharedJob job, std::shared_ptr<const FileDescription> file) {
    const auto lock = co_await hold_lock(client, job->cache.lock(file->etag));
    auto begin = [job, file, lock] { return job->begin(*file, lock); };
    const std::shared_ptr<PartFile> part = co_await client.workers().run(std::move(begin));
    if (part) {
        TransferRequest transfer = transfer_of(client, job->request, *file);
        co_await fetch(client, std::move(transfer), part);
    }
    auto finish = [job, file, part, lock] {
        if (part) job->finish(*file, *part);
        lock->unlock();
    };
    co_await client.workers().run(std::move(finish));
}

}  // namespace

awaitable<LocalFile> download_to_cache(Client client, SharedRequest request) {
    const SharedJob job = co_await open_job(client, request);
    auto look = [job] { return job->pinned(); };
    std::optional<LocalFile> pinned = co_await client.workers().run(std::move(look));
    if (pinned) co_return std::move(*pinned);

    Found found = co_await find(client, job);
    if (!found.remote) co_return std::move(*found.local);
    const auto file = std::make_shared<const FileDescription>(std::move(*found.remote));
    if (request->dry_run) {
        auto preview = [job, file] { return job->preview(*file); };
        co_return co_await client.workers().run(std::move(preview));
    }
    auto prepare = [job, file] { return job->prepare(*file); };
    const bool ready = co_await client.workers().run(std::move(prepare));
    if (!ready) co_await download(client, job, file);
    LocalFile result{job->cache.pointer(file->commit_hash, request->filename), std::nullopt};
    co_return result;
}

}  // namespace hfhub::hub
