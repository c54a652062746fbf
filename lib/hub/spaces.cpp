#include "hub/spaces.hpp"

#include "hub/call.hpp"
#include "hub/mapping.hpp"

namespace hfhub {

namespace hub {

awaitable<std::vector<SpaceTemplate>> list_space_templates(Client client, Owned<ListSpaceTemplatesOptions> options) {
    http::Request request = client.request(http::Method::get, "/api/spaces/templates", options->token);
    const json::value answer = co_await client.json(std::move(request));
    const json::value* templates = find_member(answer, "templates");
    co_return from_json<std::vector<SpaceTemplate>>(templates ? *templates : answer, "templates");
}

}  // namespace hub

template <class Mode>
auto BasicSpaces<Mode>::list_space_templates(ListSpaceTemplatesOptions options) const ->
    typename Mode::template result<std::vector<SpaceTemplate>> {
    return call<Mode>(*this, hub::list_space_templates, options);
}

template class BasicSpaces<Blocking>;
template class BasicSpaces<Awaiting>;

}  // namespace hfhub
