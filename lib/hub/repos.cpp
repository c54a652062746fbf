#include "hub/repos.hpp"

#include "hub/call.hpp"
#include "hub/create_repo.hpp"
#include "hub/mapping.hpp"
#include "hub/query.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/repos.hpp>

namespace hfhub {

namespace hub {

namespace {

void check_expand(const StringList& expand, bool other, std::string_view names) {
    if (expand.empty() || !other) return;
    throw InvalidArgumentError("expand excludes " + std::string(names) + ": ask for what they add through expand too");
}

template <class T>
awaitable<T> get_info(Client client, std::string path, Query query, OwnedToken token) {
    http::Request request = client.request(http::Method::get, path, token);
    query.append_to(request.url);
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<T>(answer, path);
}

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

awaitable<ModelInfo> model_info(Client client, std::string repo_id, Owned<ModelInfoOptions> options) {
    check_expand(options->expand, options->securityStatus || options->files_metadata,
                 "securityStatus and files_metadata");
    Query query;
    query.flag("securityStatus", options->securityStatus).flag("blobs", options->files_metadata);
    query.add("expand", options->expand);
    co_return co_await get_info<ModelInfo>(client.within(options->timeout),
                                           repo_api_path("model", repo_id, options->revision), query, options->token);
}

awaitable<DatasetInfo> dataset_info(Client client, std::string repo_id, Owned<RepoDetailsOptions> options) {
    check_expand(options->expand, options->files_metadata, "files_metadata");
    Query query;
    query.flag("blobs", options->files_metadata).add("expand", options->expand);
    co_return co_await get_info<DatasetInfo>(
        client.within(options->timeout), repo_api_path("dataset", repo_id, options->revision), query, options->token);
}

awaitable<SpaceInfo> space_info(Client client, std::string repo_id, Owned<RepoDetailsOptions> options) {
    check_expand(options->expand, options->files_metadata, "files_metadata");
    Query query;
    query.flag("blobs", options->files_metadata).add("expand", options->expand);
    co_return co_await get_info<SpaceInfo>(client.within(options->timeout),
                                           repo_api_path("space", repo_id, options->revision), query, options->token);
}

awaitable<KernelInfo> kernel_info(Client client, std::string repo_id, Owned<KernelInfoOptions> options) {
    co_return co_await get_info<KernelInfo>(
        client.within(options->timeout), repo_api_path("kernel", repo_id, options->revision), Query(), options->token);
}

awaitable<RepoInfo> repo_info(Client client, std::string repo_id, Owned<RepoInfoOptions> options) {
    const std::string_view type = checked_repo_type(options->repo_type);
    const RepoInfoOptions& asked = *options;
    if (type == "kernel") {
        const KernelInfoOptions kernel{.revision = asked.revision, .timeout = asked.timeout, .token = asked.token};
        co_return RepoInfo(co_await kernel_info(std::move(client), std::move(repo_id), kernel));
    }
    if (type == "model") {
        const ModelInfoOptions model{.revision = asked.revision,
                                     .timeout = asked.timeout,
                                     .files_metadata = asked.files_metadata,
                                     .expand = asked.expand,
                                     .token = asked.token};
        co_return RepoInfo(co_await model_info(std::move(client), std::move(repo_id), model));
    }
    const RepoDetailsOptions details{.revision = asked.revision,
                                     .timeout = asked.timeout,
                                     .files_metadata = asked.files_metadata,
                                     .expand = asked.expand,
                                     .token = asked.token};
    if (type == "dataset") co_return RepoInfo(co_await dataset_info(std::move(client), std::move(repo_id), details));
    co_return RepoInfo(co_await space_info(std::move(client), std::move(repo_id), details));
}

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
