#include "hub/file_hash.hpp"

#include "http/workers.hpp"
#include "hub/download_job.hpp"

#include <memory>
#include <span>

namespace hfhub::hub {

bool FileHash::step() {
    for (std::uint64_t done = 0; done < bytes_at_once; done += block_.size()) {
        const std::size_t got = file_.read_at(position_, block_);
        if (got == 0) return false;
        hasher_.update(std::span(block_).first(got));
        position_ += got;
    }
    return true;
}

awaitable<std::string> hash_file(Client client, std::filesystem::path path, HashKind kind) {
    auto open = [path = std::move(path), kind] {
        if (kind == HashKind::sha256) return std::make_shared<FileHash>(path, Hasher::sha256());
        std::error_code error;
        const auto size = std::filesystem::file_size(path, error);
        if (error) throw FileError("read", path, error);
        return std::make_shared<FileHash>(path, Hasher::git_sha1(size));
    };
    const std::shared_ptr<FileHash> hash = co_await client.workers().run(std::move(open));
    for (bool more = true; more;) {
        auto work = [hash] { return hash->step(); };
        more = co_await client.workers().run(std::move(work));
    }
    co_return hash->hex();
}

}  // namespace hfhub::hub
