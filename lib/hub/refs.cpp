#include "hub/call.hpp"
#include "hub/mapping.hpp"
#include "hub/query.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/hub/refs.hpp>

namespace hfhub {

namespace hub {

namespace {

awaitable<GitRefs> list_repo_refs(Client client, std::string repo_id, Owned<ListRepoRefsOptions> options) {
    const std::string path = repo_api_path(options->repo_type, repo_id) + "/refs";
    http::Request request = client.request(http::Method::get, path, options->token);
    if (options->include_pull_requests) request.url.add_query("include_prs", "1");
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<GitRefs>(answer, path);
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicRefs<Mode>::list_repo_refs(std::string_view repo_id, ListRepoRefsOptions options) const ->
    typename Mode::template result<GitRefs> {
    return call<Mode>(*this, hub::list_repo_refs, repo_id, options);
}

template class BasicRefs<Blocking>;
template class BasicRefs<Awaiting>;

}  // namespace hfhub
