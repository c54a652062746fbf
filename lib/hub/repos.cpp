#include "hub/call.hpp"
#include "hub/create_repo.hpp"
#include "hub/repo_id.hpp"
#include "hub/repo_info.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/repos.hpp>

namespace hfhub {

namespace hub {

namespace {

awaitable<bool> file_exists(Client client, std::string repo_id, std::string filename,
                            Owned<FileExistsOptions> options) {
    const std::string path = resolve_path(options->repo_type, repo_id, options->revision, filename);
    http::Request request = client.request(http::Method::head, path, options->token);
    request.decode = false;
    // A renamed repository is followed, the way to where the bytes are is an answer.
    request.relative_redirects_only = true;
    try {
        const http::Response response = co_await client.send_checked(std::move(request));
        co_return true;
    } catch (const GatedRepoError&) {
        throw;
    } catch (const RepositoryNotFoundError&) {
        co_return false;
    } catch (const RevisionNotFoundError&) {
        co_return false;
    } catch (const RemoteEntryNotFoundError&) {
        co_return false;
    }
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicRepos<Mode>::model_info(std::string_view repo_id, ModelInfoOptions options) const ->
    typename Mode::template result<ModelInfo> {
    return call<Mode>(*this, hub::model_info, repo_id, options);
}

template <class Mode>
auto BasicRepos<Mode>::dataset_info(std::string_view repo_id, RepoDetailsOptions options) const ->
    typename Mode::template result<DatasetInfo> {
    return call<Mode>(*this, hub::dataset_info, repo_id, options);
}

template <class Mode>
auto BasicRepos<Mode>::space_info(std::string_view repo_id, RepoDetailsOptions options) const ->
    typename Mode::template result<SpaceInfo> {
    return call<Mode>(*this, hub::space_info, repo_id, options);
}

template <class Mode>
auto BasicRepos<Mode>::kernel_info(std::string_view repo_id, KernelInfoOptions options) const ->
    typename Mode::template result<KernelInfo> {
    return call<Mode>(*this, hub::kernel_info, repo_id, options);
}

template <class Mode>
auto BasicRepos<Mode>::repo_info(std::string_view repo_id, RepoInfoOptions options) const ->
    typename Mode::template result<RepoInfo> {
    return call<Mode>(*this, hub::repo_info, repo_id, options);
}

template <class Mode>
auto BasicRepos<Mode>::file_exists(std::string_view repo_id, std::string_view filename, FileExistsOptions options) const
    -> typename Mode::template result<bool> {
    return call<Mode>(*this, hub::file_exists, repo_id, filename, options);
}

template <class Mode>
auto BasicRepos<Mode>::create_repo(std::string_view repo_id, CreateRepoOptions options) const ->
    typename Mode::template result<RepoUrl> {
    return call<Mode>(*this, hub::create_repo, repo_id, options);
}

template class BasicRepos<Blocking>;
template class BasicRepos<Awaiting>;

}  // namespace hfhub
