#include "hub/pages.hpp"

#include "http/body.hpp"
#include "http/pagination.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

awaitable<JsonPage> fetch_page(Client client, http::Request request) {
    const Url asked = request.url;
    request.buffered = JsonLimits().bytes;
    const http::Response response = co_await client.send_checked(std::move(request));
    json::value value = parse_json(response.text, "the answer of " + asked.redacted());
    if (!value.is_array()) {
        throw JsonError("the answer of " + asked.redacted() + " should be a list but is " +
                        std::string(kind_name(value)));
    }
    JsonPage page;
    page.items = std::move(value.get_array());
    page.next = http::next_page(response.url, response.headers, Url::parse(client.endpoint()));
    if (page.next && page.next->str() == asked.str()) {
        throw ProtocolError("the next page of " + asked.redacted() + " is said to be that page itself");
    }
    co_return page;
}

}  // namespace hfhub::hub
