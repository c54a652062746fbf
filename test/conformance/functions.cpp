// Free functions that take values and return values: no request, no object.

#include "conformance/call.hpp"

#include <hfhub/hub/hf_uri.hpp>

namespace hfhub::conformance {

namespace {

struct UriArguments {
    std::string uri, mount_str;
    std::optional<std::string> endpoint;
};
BOOST_DESCRIBE_STRUCT(UriArguments, (), (uri, mount_str, endpoint))

json::value read_uri(const Objects&, Arguments& arguments) {
    const auto given = arguments.options<UriArguments>();
    arguments.finish();
    return to_json(parse_hf_uri(given.uri, given.endpoint.value_or(std::string())));
}

json::value make_uri(const Objects&, Arguments& arguments) {
    const auto made = arguments.options<HfUri>();
    arguments.finish();
    (void)made.to_uri();
    return to_json(made);
}

json::value read_mount(const Objects&, Arguments& arguments) {
    const auto given = arguments.options<UriArguments>();
    arguments.finish();
    return to_json(parse_hf_mount(given.mount_str));
}

bool takes_endpoint(std::string_view name) { return name == "endpoint"; }

const Registration registration({
    Method{"hf_api", "parse_hf_uri", {"uri"}, takes_endpoint, read_uri, read_uri},
    Method{"hf_api", "HfUri", {}, takes_endpoint, make_uri, make_uri},
    Method{"hf_api", "utils.parse_hf_mount", {"mount_str"}, takes_endpoint, read_mount, read_mount},
});

}  // namespace

std::optional<json::value> follow_uri(const json::value& before, std::string_view name, const json::object& step) {
    if (name == "to_uri") return json::string(from_json<HfUri>(before).to_uri());
    if (name != "to_url") return std::nullopt;
    const std::string endpoint(text_member(step.at("kwargs"), "endpoint"));
    return json::string(from_json<HfUri>(before).to_url(endpoint));
}

}  // namespace hfhub::conformance
