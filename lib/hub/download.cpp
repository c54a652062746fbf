#include "hub/download.hpp"

#include "http/workers.hpp"
#include "hub/cache_store.hpp"
#include "hub/call.hpp"
#include "hub/file_metadata.hpp"
#include "hub/mapping.hpp"
#include "hub/repo_id.hpp"

namespace hfhub {

namespace hub {

namespace {

std::string in_subfolder(std::string_view subfolder, std::string_view filename) {
    return subfolder.empty() ? std::string(filename) : std::string(subfolder) + "/" + std::string(filename);
}

std::string or_main(std::string_view revision) { return std::string(revision.empty() ? "main" : revision); }

awaitable<HfFileMetadata> get_hf_file_metadata(Client client, std::string url, Owned<FileMetadataOptions> options) {
    MetadataRequest request{std::move(url), options->token, options->timeout, options->retry_on_errors};
    if (request.timeout.count() <= 0) request.timeout = client.environment().etag_timeout;
    co_return co_await file_metadata(client, std::move(request));
}

FileRequest file_request(std::string repo_id, std::string_view filename, const HfHubDownloadOptions& options) {
    FileRequest request;
    request.take(std::move(repo_id), options);
    request.filename = in_subfolder(options.subfolder, filename);
    return request;
}

awaitable<std::filesystem::path> hf_hub_download(Client client, std::string repo_id, std::string filename,
                                                 Owned<HfHubDownloadOptions> options) {
    FileRequest request = file_request(std::move(repo_id), filename, *options);
    LocalFile file = co_await download_file(client, std::move(request));
    co_return std::move(file.path);
}

awaitable<DryRunFileInfo> hf_hub_download_dry_run(Client client, std::string repo_id, std::string filename,
                                                  Owned<HfHubDownloadOptions> options) {
    FileRequest request = file_request(std::move(repo_id), filename, *options);
    request.dry_run = true;
    LocalFile file = co_await download_file(client, std::move(request));
    co_return std::move(*file.dry_run);
}

awaitable<CachedFile> try_to_load_from_cache(Client client, std::string repo_id, std::string filename,
                                             Owned<TryToLoadFromCacheOptions> options) {
    FileRequest request;
    request.repo_type = checked_repo_type(options->repo_type);
    request.repo_id = std::move(repo_id);
    request.filename = std::move(filename);
    request.revision = or_main(options->revision);
    request.cache_dir = options->cache_dir.empty() ? client.environment().hub_cache.string() : options->cache_dir;
    validate_request(request);
    auto work = [request = std::move(request)] {
        const RepoCache cache(resolved_folder(request.cache_dir), request.repo_type, request.repo_id);
        return find_cached(cache, request.revision, request.filename);
    };
    co_return co_await client.workers().run(std::move(work));
}

}  // namespace

}  // namespace hub

json::value write_json(const CachedFile& value) {
    if (value.known_missing) return "_CACHED_NO_EXIST";
    return to_json(value.path);
}

template <class Mode>
std::string BasicDownload<Mode>::hf_hub_url(std::string_view repo_id, std::string_view filename,
                                            HfHubUrlOptions options) const {
    return this->endpoint() + hub::resolve_path(options.repo_type, repo_id, options.revision,
                                                hub::in_subfolder(options.subfolder, filename));
}

template <class Mode>
auto BasicDownload<Mode>::get_hf_file_metadata(std::string_view url, FileMetadataOptions options) const ->
    typename Mode::template result<HfFileMetadata> {
    return call<Mode>(*this, hub::get_hf_file_metadata, url, options);
}

template <class Mode>
auto BasicDownload<Mode>::hf_hub_download(std::string_view repo_id, std::string_view filename,
                                          HfHubDownloadOptions options) const ->
    typename Mode::template result<std::filesystem::path> {
    return call<Mode>(*this, hub::hf_hub_download, repo_id, filename, options);
}

template <class Mode>
auto BasicDownload<Mode>::hf_hub_download_dry_run(std::string_view repo_id, std::string_view filename,
                                                  HfHubDownloadOptions options) const ->
    typename Mode::template result<DryRunFileInfo> {
    return call<Mode>(*this, hub::hf_hub_download_dry_run, repo_id, filename, options);
}

template <class Mode>
auto BasicDownload<Mode>::try_to_load_from_cache(std::string_view repo_id, std::string_view filename,
                                                 TryToLoadFromCacheOptions options) const ->
    typename Mode::template result<CachedFile> {
    return call<Mode>(*this, hub::try_to_load_from_cache, repo_id, filename, options);
}

template class BasicDownload<Blocking>;
template class BasicDownload<Awaiting>;

}  // namespace hfhub
