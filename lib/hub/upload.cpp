#include "hub/call.hpp"
#include "hub/commits.hpp"
#include "hub/folder_upload.hpp"

#include <hfhub/hub/upload.hpp>

namespace hfhub {

namespace hub {

namespace {

awaitable<CommitInfo> upload_file(Client client, Content content, std::string path, std::string repo_id,
                                  Owned<CommitOptions> options) {
    const std::string message = "Upload " + path + " with hfhub";
    Addition addition{.path = std::move(path), .content = std::move(content)};
    Operations operations{Operation(std::move(addition))};
    Owned<CreateCommitOptions> commit(commit_options(*options, message));
    co_return co_await create_commit(std::move(client), std::move(repo_id), std::move(operations), std::move(commit));
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicUploads<Mode>::upload_file(UploadSource path_or_fileobj, std::string_view path_in_repo,
                                     std::string_view repo_id, CommitOptions options) const ->
    typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::upload_file, path_or_fileobj, path_in_repo, repo_id, options);
}

template <class Mode>
auto BasicUploads<Mode>::upload_folder(const std::filesystem::path& folder_path, std::string_view repo_id,
                                       UploadFolderOptions options) const ->
    typename Mode::template result<CommitInfo> {
    return call<Mode>(*this, hub::upload_folder, folder_path.string(), repo_id, options);
}

template class BasicUploads<Blocking>;
template class BasicUploads<Awaiting>;

}  // namespace hfhub
