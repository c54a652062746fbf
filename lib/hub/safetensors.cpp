#include "core/atomic_file.hpp"
#include "core/json.hpp"
#include "core/mapping.hpp"
#include "http/file_source.hpp"
#include "hub/call.hpp"
#include "hub/download.hpp"
#include "hub/parallel.hpp"
#include "hub/remote_bytes.hpp"
#include "hub/repo_id.hpp"
#include "hub/safetensors_header.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/safetensors.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

namespace hfhub {

namespace hub {

namespace {

constexpr std::string_view single_file = "model.safetensors";
constexpr std::string_view index_file = "model.safetensors.index.json";
constexpr std::uint64_t first_range = 100'001;  // most headers fit: one request tells all
constexpr std::size_t max_index = 64 << 20;
constexpr std::size_t files_at_a_time = 8;

awaitable<SafetensorsFileMetadata> read_remote(SharedRemoteFiles source, std::string filename) {
    const std::string what = source->name(filename);
    const std::string first = co_await fetch_range(source, filename, 0, first_range);
    const std::uint64_t length = safetensors_header_length(first, what);
    if (first.size() >= safetensors_length_size + length)
        co_return read_safetensors_header(std::string_view(first).substr(safetensors_length_size, length), what);
    const std::string header = co_await fetch_range(source, filename, safetensors_length_size, length);
    if (header.size() < length) throw SafetensorsParsingError(what + " is no safetensors file: it ends in its header");
    co_return read_safetensors_header(header, what);
}

awaitable<bool> exists(SharedRemoteFiles source, std::string filename) {
    http::Request request = source->request(http::Method::head, filename);
    try {
        co_await source->client.send_checked(std::move(request));
    } catch (const RemoteEntryNotFoundError&) {
        co_return false;
    }
    co_return true;
}

struct Index {
    std::optional<json::object> metadata;
    std::map<std::string, std::string> weight_map;
};
BOOST_DESCRIBE_STRUCT(Index, (), (metadata, weight_map))

/// Kept in the cache, as files are.
awaitable<Index> read_index(SharedRemoteFiles source) {
    FileRequest wanted;
    wanted.repo_type = source->repo_type;
    wanted.repo_id = source->repo_id;
    wanted.revision = source->revision;
    wanted.filename = index_file;
    wanted.token = source->token;
    const LocalFile file = co_await download_file(source->client, std::move(wanted));
    auto read = [path = file.path] { return read_file(path, max_index); };
    const std::string text = co_await source->client.workers().run(std::move(read));
    co_return from_json<Index>(parse_json(text, std::string(index_file), {.bytes = max_index}),
                               std::string(index_file));
}

awaitable<void> read_shards(SharedRemoteFiles source, SafetensorsRepoMetadata* repo) {
    std::vector<std::string> files;
    for (const auto& [tensor, file] : repo->weight_map) files.push_back(file);
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t at) -> awaitable<void> {
        SafetensorsFileMetadata read = co_await read_remote(source, files[at]);
        repo->files_metadata[files[at]] = std::move(read);
    };
    co_await run_parallel(source->client, files.size(), files_at_a_time, std::move(one));
}

SharedRemoteFiles source_of(const Client& client, std::string repo_id, const SafetensorsOptions& options) {
    return std::make_shared<const RemoteFiles>(RemoteFiles{
        client.within(options.timeout), std::string(checked_repo_type(options.repo_type)), std::move(repo_id),
        std::string(options.revision.empty() ? "main" : options.revision), options.token});
}

awaitable<SafetensorsFileMetadata> parse_file(Client client, std::string repo_id, std::string filename,
                                              Owned<SafetensorsOptions> options) {
    SharedRemoteFiles source = source_of(client, std::move(repo_id), *options);
    co_return co_await read_remote(std::move(source), std::move(filename));
}

awaitable<SafetensorsRepoMetadata> repo_metadata(Client client, std::string repo_id,
                                                 Owned<SafetensorsOptions> options) {
    const SharedRemoteFiles source = source_of(client, std::move(repo_id), *options);
    SafetensorsRepoMetadata repo;
    const bool single = co_await exists(source, std::string(single_file));
    if (single) {
        SafetensorsFileMetadata read = co_await read_remote(source, std::string(single_file));
        for (const auto& [tensor, info] : read.tensors) repo.weight_map[tensor] = single_file;
        repo.files_metadata[std::string(single_file)] = std::move(read);
    } else {
        repo.sharded = co_await exists(source, std::string(index_file));
        if (!repo.sharded) {
            throw NotASafetensorsRepoError(source->repo_id + " is no safetensors repository: at " + source->revision +
                                           " it has neither " + std::string(single_file) + " nor " +
                                           std::string(index_file));
        }
        Index index = co_await read_index(source);
        repo.metadata = std::move(index.metadata);
        repo.weight_map = std::move(index.weight_map);
        co_await read_shards(source, &repo);
    }
    for (const auto& [file, read] : repo.files_metadata) {
        for (const auto& [dtype, count] : read.parameter_count) repo.parameter_count[dtype] += count;
    }
    co_return repo;
}

}  // namespace

}  // namespace hub

SafetensorsFileMetadata parse_safetensors_file_metadata(const std::filesystem::path& file) {
    const InputFile input(file);
    const std::string what = "'" + file.string() + "'";
    std::string bytes(hub::safetensors_length_size, '\0');
    const auto read = [&](std::uint64_t offset) {
        auto room = std::as_writable_bytes(std::span(bytes));
        while (!room.empty()) {
            const std::size_t got = input.read_at(offset, room);
            if (got == 0) break;
            offset += got;
            room = room.subspan(got);
        }
        bytes.resize(bytes.size() - room.size());
    };
    read(0);
    const std::uint64_t length = hub::safetensors_header_length(bytes, what);
    bytes.resize(static_cast<std::size_t>(length));
    read(hub::safetensors_length_size);
    if (bytes.size() < length) throw SafetensorsParsingError(what + " is no safetensors file: it ends in its header");
    return hub::read_safetensors_header(bytes, what);
}

template <class Mode>
auto BasicSafetensors<Mode>::parse_safetensors_file_metadata(std::string_view repo_id, std::string_view filename,
                                                             SafetensorsOptions options) const ->
    typename Mode::template result<SafetensorsFileMetadata> {
    return call<Mode>(*this, hub::parse_file, repo_id, filename, options);
}

template <class Mode>
auto BasicSafetensors<Mode>::get_safetensors_metadata(std::string_view repo_id, SafetensorsOptions options) const ->
    typename Mode::template result<SafetensorsRepoMetadata> {
    return call<Mode>(*this, hub::repo_metadata, repo_id, options);
}

template class BasicSafetensors<Blocking>;
template class BasicSafetensors<Awaiting>;

}  // namespace hfhub
