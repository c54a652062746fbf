#pragma once

// Uploading files, each call a commit of its own.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/commits.hpp>
#include <hfhub/mode.hpp>

#include <string_view>

namespace hfhub {

/// These throw as BasicCommits.
template <class Mode>
class BasicUploads : public virtual ApiHandle {
  public:
    /// Uploads a file or bytes in memory; of a file at most a few MiB are in memory at a time. Returns the present head
    /// where the repository has the same content already.
    typename Mode::template result<CommitInfo> upload_file(UploadSource path_or_fileobj, std::string_view path_in_repo,
                                                           std::string_view repo_id, CommitOptions options = {}) const;
};

extern template class BasicUploads<Blocking>;
extern template class BasicUploads<Awaiting>;

}  // namespace hfhub
