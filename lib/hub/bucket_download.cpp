#include "hub/bucket_download.hpp"

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/log.hpp"
#include "core/path_beneath.hpp"
#include "http/workers.hpp"
#include "hub/bucket_id.hpp"
#include "hub/parallel.hpp"
#include "hub/part_file.hpp"
#include "hub/transfer.hpp"

#include <hfhub/error.hpp>

#include <map>

namespace hfhub::hub {

namespace {

constexpr std::size_t at_a_time = 8;
constexpr std::size_t stem_digits = 16;

std::filesystem::path folder_of(const std::filesystem::path& file) {
    const std::filesystem::path folder = file.parent_path();
    return folder.empty() ? "." : folder;
}

/// Nothing is asked for a file without bytes.
void make_empty(const std::filesystem::path& file) {
    make_directories(folder_of(file));
    write_file_atomically(file, "");
}

/// No hash tells whether what an earlier call has left belongs to this content: each begins anew.
std::shared_ptr<PartFile> make_part(const BucketFetch& file) {
    const std::filesystem::path folder = folder_of(file.local_path);
    make_directories(folder);
    Sha256 name;
    name.update(file.local_path.filename().string());
    const std::string stem = "." + name.hex().substr(0, stem_digits);
    PartContent content;
    content.size = file.size;
    content.verify_hash = false;
    return std::make_shared<PartFile>(folder, stem, std::move(content), false);
}

awaitable<void> download_one(Client client, std::string id, BucketFetch file, OwnedToken token) {
    if (file.size == 0) {
        auto work = [path = file.local_path] { make_empty(path); };
        co_await client.workers().run(std::move(work));
        co_return;
    }
    auto begin = [file] { return make_part(file); };
    const std::shared_ptr<PartFile> part = co_await client.workers().run(std::move(begin));
    TransferRequest transfer;
    transfer.source.url =
        client.endpoint() + "/buckets/" + percent_encode(id, "/") + "/resolve/" + percent_encode(file.remote_path);
    transfer.token = token;
    transfer.name = file.remote_path;
    co_await fetch(client, std::move(transfer), part);
    auto finish = [part, path = file.local_path] { part->publish(path); };
    co_await client.workers().run(std::move(finish));
}

/// Leaves the files that are there, and learns their sizes.
awaitable<std::vector<BucketFetch>> existing(Client client, std::string id, std::vector<BucketFetch> files,
                                             std::vector<std::string>& missing, OwnedToken token) {
    std::vector<std::string> unknown;
    for (const BucketFetch& file : files) {
        if (!file.size) unknown.push_back(file.remote_path);
    }
    std::map<std::string, std::uint64_t> sizes;
    if (!unknown.empty()) {
        auto asking = paths_info(std::move(client), std::move(id), std::move(unknown), std::move(token));
        const std::vector<BucketFile> found = co_await std::move(asking);
        for (const BucketFile& file : found) sizes[file.path] = file.size;
    }
    std::vector<BucketFetch> there;
    for (BucketFetch& file : files) {
        const auto size = sizes.find(file.remote_path);
        if (!file.size && size != sizes.end()) file.size = size->second;
        if (file.size) {
            there.push_back(std::move(file));
        } else {
            missing.push_back(file.remote_path);
        }
    }
    co_return there;
}

[[noreturn]] void throw_missing(const Client& client, const std::string& id, const std::string& names,
                                std::size_t count) {
    HttpErrorContext context;
    context.status = 404;
    context.method = "POST";
    context.url = client.endpoint() + bucket_api_path(id) + "/paths-info";
    const std::string message = std::to_string(count) + " file(s) are not in the bucket " + id + ": " + names;
    throw RemoteEntryNotFoundError(message, std::move(context));
}

}  // namespace

awaitable<void> download_bucket_files(Client client, std::string id, std::vector<BucketFetch> files,
                                      bool raise_on_missing_files, OwnedToken token) {
    std::vector<std::string> missing;
    auto looking = existing(client, id, std::move(files), missing, token);
    const std::vector<BucketFetch> wanted = co_await std::move(looking);
    if (!missing.empty()) {
        std::string names;
        for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
        if (raise_on_missing_files) throw_missing(client, id, names, missing.size());
        log(LogLevel::warning, "not in the bucket " + id + ", and left out: " + names);
    }
    // What runs side by side has ended when this returns, however it ends.
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t index) {
        return download_one(client, id, wanted[index], token);
    };
    co_await run_parallel(client, wanted.size(), at_a_time, std::move(one));
}

}  // namespace hfhub::hub
