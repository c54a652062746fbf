#pragma once

#include "core/owned.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/progress.hpp>

#include <chrono>
#include <string>

namespace hfhub::hub {

/// What a request for one file and one for many have in common.
struct DownloadRequest {
    std::string repo_type = "model";
    std::string repo_id{};
    std::string revision = "main";
    std::string cache_dir{};  ///< Empty: the environment's.
    std::string local_dir{};  ///< Empty: into the cache.
    bool force_download = false;
    bool local_files_only = false;
    bool dry_run = false;
    bool check_disk_space = true;
    bool verify_hash = true;
    std::chrono::milliseconds etag_timeout{10'000};
    OwnedToken token{};
    const ProgressCallback* progress = nullptr;

    /// As the options of hf_hub_download or snapshot_download say. Throws InvalidArgumentError.
    template <class Options>
    void take(std::string repo, const Options& options) {
        repo_type = checked_repo_type(options.repo_type);
        repo_id = std::move(repo);
        revision = options.revision.empty() ? "main" : options.revision;
        cache_dir = options.cache_dir;
        local_dir = options.local_dir;
        force_download = options.force_download;
        local_files_only = options.local_files_only;
        check_disk_space = options.check_disk_space;
        verify_hash = options.verify_hash;
        if (options.etag_timeout.count() > 0) etag_timeout = options.etag_timeout;
        token = options.token;
        progress = options.progress;
    }
};

}  // namespace hfhub::hub
