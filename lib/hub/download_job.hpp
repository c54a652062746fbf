#pragma once

#include "core/atomic_file.hpp"
#include "hub/download.hpp"
#include "hub/part_file.hpp"

#include <memory>

namespace hfhub::hub {

/// Where a file's bytes come from: the Hub, into a part, or this machine. Neither: it is in its place already.
struct ByteSource {
    std::shared_ptr<PartFile> part;
    std::shared_ptr<FileCopy> copy;
};

/// What a download does to a cache or a folder. All of it blocks and belongs on a worker.
class DownloadJob {
  public:
    explicit DownloadJob(SharedRequest wanted) : request(std::move(wanted)) {}
    DownloadJob(const DownloadJob&) = delete;
    DownloadJob& operator=(const DownloadJob&) = delete;
    virtual ~DownloadJob() = default;

    /// What keeps others from doing the same.
    virtual PathBeneath lock(const FileDescription& file) const = 0;
    /// With the lock held, under which others may have changed everything.
    virtual ByteSource begin(const FileDescription& file) const = 0;
    /// With the lock held; `part` is whole, or null where begin() gave none. A copy has been made.
    virtual void finish(const FileDescription& file, PartFile* part) const = 0;

    const SharedRequest request;
};
using SharedFile = std::shared_ptr<const FileDescription>;

/// Waits for the lock, and brings the file into its place.
awaitable<void> perform(Client client, std::shared_ptr<const DownloadJob> job, SharedFile file);

/// Steps of work that is long for a big file, so that a call that is cancelled ends soon.
inline constexpr std::uint64_t bytes_at_once = std::uint64_t{64} << 20;

}  // namespace hfhub::hub
