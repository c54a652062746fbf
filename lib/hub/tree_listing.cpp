#include "hub/tree_listing.hpp"

#include "core/url.hpp"
#include "hub/pages.hpp"
#include "hub/repo_id.hpp"

namespace hfhub::hub {

void make_impatient(http::Request& request) {
    // One more try only for a kept connection that turns out to be dead.
    request.max_attempts = 2;
    request.retry_statuses = false;
}

awaitable<RepoTree> ask_tree(Client client, TreeAddress address) {
    std::string path = repo_api_path(address.repo_type, address.repo_id) + "/tree/" + percent_encode(address.revision);
    if (!address.folder.empty()) path += "/" + percent_encode(address.folder);
    http::Request request = client.request(http::Method::get, path, address.token);
    request.url.add_query("recursive", address.recursive ? "true" : "false");
    request.url.add_query("expand", "false");
    RepoTree tree;
    for (;;) {
        if (!address.patient) make_impatient(request);
        JsonPage page = co_await fetch_page(client, std::move(request));
        append_to_tree(tree, page.items);
        if (!page.next) break;
        request = client.request_url(http::Method::get, page.next->str(), address.token);
    }
    co_return tree;
}

}  // namespace hfhub::hub
