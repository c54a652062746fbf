#include "core/atomic_file.hpp"
#include "hub/call.hpp"
#include "hub/gguf_header.hpp"
#include "hub/parallel.hpp"
#include "hub/remote_bytes.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/hub/gguf.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>

namespace hfhub {

namespace hub {

namespace {

constexpr std::uint64_t first_range = 256 * 1024;
constexpr std::size_t files_at_a_time = 8;

[[noreturn]] void throw_ends(const std::string& what) {
    throw GgufParsingError(what + " is no GGUF file: it ends in its header");
}

awaitable<GgufFileMetadata> read_remote(SharedRemoteFiles files, std::string filename) {
    const std::string what = files->name(filename);
    std::string beginning;
    for (std::uint64_t wanted = first_range; beginning.size() < max_gguf_header; wanted *= 2) {
        const std::uint64_t missing = wanted - beginning.size();
        const std::string more = co_await fetch_range(files, filename, beginning.size(), missing);
        beginning += more;
        std::optional<GgufFileMetadata> read = read_gguf_header(beginning, what);
        if (read) co_return std::move(*read);
        if (more.size() < missing) break;
    }
    throw_ends(what);
}

awaitable<GgufMetadata> get_gguf_metadata(Client client, std::string repo_id, std::string filename,
                                          Owned<GgufOptions> options) {
    const auto files = std::make_shared<const RemoteFiles>(RemoteFiles{
        client.within(options->timeout), std::string(checked_repo_type(options->repo_type)), std::move(repo_id),
        std::string(options->revision.empty() ? "main" : options->revision), options->token});
    const std::vector<std::string> names = gguf_shards(filename);
    GgufMetadata all;
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t at) -> awaitable<void> {
        GgufFileMetadata read = co_await read_remote(files, names[at]);
        all.files[names[at]] = std::move(read);
    };
    co_await run_parallel(files->client, names.size(), files_at_a_time, std::move(one));
    all.metadata = all.files.at(names.front()).metadata;
    for (const auto& [name, file] : all.files) all.parameter_count += file.parameter_count;
    co_return all;
}

}  // namespace

}  // namespace hub

GgufFileMetadata parse_gguf_file_metadata(const std::filesystem::path& file) {
    const InputFile input(file);
    const std::string what = "'" + file.string() + "'";
    std::string beginning;
    for (std::uint64_t wanted = hub::first_range; beginning.size() < hub::max_gguf_header; wanted *= 2) {
        std::size_t known = beginning.size();
        beginning.resize(static_cast<std::size_t>(wanted));
        while (known < beginning.size()) {
            const std::size_t got = input.read_at(known, std::as_writable_bytes(std::span(beginning)).subspan(known));
            if (got == 0) break;
            known += got;
        }
        const bool ended = known < beginning.size();
        beginning.resize(known);
        if (auto read = hub::read_gguf_header(beginning, what)) return std::move(*read);
        if (ended) break;
    }
    hub::throw_ends(what);
}

template <class Mode>
auto BasicGguf<Mode>::get_gguf_metadata(std::string_view repo_id, std::string_view filename, GgufOptions options) const
    -> typename Mode::template result<GgufMetadata> {
    return call<Mode>(*this, hub::get_gguf_metadata, repo_id, filename, options);
}

template class BasicGguf<Blocking>;
template class BasicGguf<Awaiting>;

}  // namespace hfhub
