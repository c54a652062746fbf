#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/download.hpp"
#include "hub/held_lock.hpp"
#include "hub/local_folder.hpp"
#include "hub/part_file.hpp"

#include <hfhub/error.hpp>

#include <fstream>
#include <vector>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

std::string sha256_of_file(const fs::path& path) {
    Sha256 hash;
    std::vector<char> block(std::size_t{1} << 20);
    std::ifstream file(path, std::ios::binary);
    while (file) {
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        hash.update(std::string_view(block.data(), static_cast<std::size_t>(file.gcount())));
    }
    if (!file.eof()) throw IoError("cannot read " + path.string());
    return hash.hex();
}

/// What one download works on; its functions block.
struct FolderJob {
    explicit FolderJob(SharedRequest wanted)
        : request(std::move(wanted)),
          paths(resolved_folder(request->local_dir), request->filename),
          cache(resolved_folder(request->cache_dir), request->repo_type, request->repo_id) {
        check_containment(paths);
        try {
            prepare_local_folder(paths);
        } catch (const FileError&) {
            // The folder may be read-only and hold the file; where it is to be written, that fails again.
        }
        have_file = local_file_exists(paths);
        metadata = read_local_metadata(paths);
    }

    SharedRequest request;
    LocalPaths paths;
    RepoCache cache;
    bool have_file = false;
    std::optional<LocalMetadata> metadata;

    LocalFile result() const { return {paths.file, std::nullopt}; }
    LocalFile preview(const std::string& commit, std::optional<std::uint64_t> size, bool cached,
                      bool will_download) const {
        return {paths.file, DryRunFileInfo{commit, size, request->filename, paths.file, cached, will_download}};
    }

    /// The file, where it is known to be the wanted one or there is nothing better.
    LocalFile as_it_is() const {
        if (!request->dry_run) return result();
        const std::string commit = metadata ? metadata->commit_hash : std::string();
        return preview(commit, fs::file_size(paths.file), true, request->force_download);
    }

    bool is_at(const std::string& commit) const {
        return is_git_sha1(commit) && have_file && metadata && metadata->commit_hash == commit;
    }

    /// Whether the file that is there is the wanted version. Remembers so.
    bool is_current(const FileDescription& file) const {
        const std::string known = metadata ? metadata->etag : std::string();
        switch (folder_step(have_file, known, file.etag, request->force_download)) {
            case FolderStep::keep:
                break;
            case FolderStep::compare:
                if (sha256_of_file(paths.file) != file.etag) return false;
                break;
            case FolderStep::download:
                return false;
        }
        write_local_metadata(paths, file.commit_hash, file.etag);
        return true;
    }

    std::optional<fs::path> in_cache(const FileDescription& file) const {
        if (request->force_download) return std::nullopt;
        return find_cached(cache, file.commit_hash, request->filename).path;
    }

    LocalFile preview(const FileDescription& file) const {
        const bool current = is_current(file);
        const bool cached = current || in_cache(file) || have_file;
        return preview(file.commit_hash, file.size, cached, request->force_download || !cached);
    }

    /// With the lock held: a part to fill, or nothing where the file is there by now.
    std::shared_ptr<PartFile> begin(const FileDescription& file, const std::shared_ptr<FileLock>& lock) const {
        prepare_local_folder(paths);
        const auto by_another = read_local_metadata(paths);
        if (!request->force_download && by_another && by_another->etag == file.etag && local_file_exists(paths)) {
            write_local_metadata(paths, file.commit_hash, file.etag);
            return nullptr;
        }
        if (const auto cached = in_cache(file)) {
            copy_file_atomically(*cached, paths.file);
            write_local_metadata(paths, file.commit_hash, file.etag);
            return nullptr;
        }
        auto part = std::make_shared<PartFile>(paths.part_folder(), paths.part_stem(file.etag),
                                               part_content(*request, file), !request->force_download);
        part->guard(lock);
        return part;
    }

    void finish(const FileDescription& file, PartFile& part) const {
        part.publish(paths.file);
        write_local_metadata(paths, file.commit_hash, file.etag);
    }
};
using SharedJob = std::shared_ptr<const FolderJob>;

awaitable<SharedJob> open_job(Client client, SharedRequest request) {
    auto work = [request]() -> SharedJob { return std::make_shared<const FolderJob>(request); };
    co_return co_await client.workers().run(std::move(work));
}

awaitable<std::optional<FileDescription>> find(Client client, SharedJob job) {
    if (job->have_file && hub_seems_down(client) && !job->request->force_download) co_return std::nullopt;
    HubAnswer answer = co_await ask_hub(client, job->request, false);
    if (answer.file) co_return std::move(answer.file);
    co_return co_await after_failure(client, job->request, std::move(answer), job->have_file);
}

awaitable<void> download(Client client, SharedJob job, std::shared_ptr<const FileDescription> file) {
    const auto lock = co_await hold_lock(client, job->paths.lock);
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

awaitable<LocalFile> download_to_folder(Client client, SharedRequest request) {
    const SharedJob job = co_await open_job(client, request);
    const bool pinned = job->is_at(request->revision) && (!request->force_download || request->dry_run);
    std::optional<FileDescription> found;
    if (!pinned) found = co_await find(client, job);
    if (!found) {
        auto keep = [job] { return job->as_it_is(); };
        co_return co_await client.workers().run(std::move(keep));
    }
    const auto file = std::make_shared<const FileDescription>(std::move(*found));
    if (request->dry_run) {
        auto preview = [job, file] { return job->preview(*file); };
        co_return co_await client.workers().run(std::move(preview));
    }
    auto check = [job, file] { return job->is_current(*file); };
    const bool current = co_await client.workers().run(std::move(check));
    if (!current) co_await download(client, job, file);
    co_return job->result();
}

}  // namespace hfhub::hub
