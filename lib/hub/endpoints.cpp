#include "core/log.hpp"
#include "hub/call.hpp"
#include "hub/endpoint_payload.hpp"
#include "hub/mapping.hpp"
#include "hub/polling.hpp"
#include "hub/repo_id.hpp"
#include "hub/users.hpp"

#include <hfhub/hub/endpoints.hpp>

namespace hfhub {

namespace hub {

namespace {

constexpr std::string_view api = "https://api.endpoints.huggingface.cloud/v2";
constexpr std::string_view catalog = "https://endpoints.huggingface.co/api/catalog";

/// What is asked of one namespace's Inference Endpoints.
struct EndpointCall {
    http::Method method = http::Method::get;
    std::string namespace_;  ///< Empty: the token's owner's.
    std::string name;        ///< Empty: all of them.
    std::string what{};      ///< "/pause" and the like.
    json::value body{};      ///< Null where there is none.
    OwnedToken token{};
};

/// Makes sure that a namespace is named. Organizations' tokens have none of their own.
awaitable<EndpointCall> with_namespace(Client client, EndpointCall call) {
    if (!call.namespace_.empty()) co_return call;
    auto asking = owner_of(std::move(client), call.token);
    const WhoAmI owner = co_await std::move(asking);
    if (owner.type && *owner.type != "user") {
        throw InvalidArgumentError("a namespace is needed: the token belongs to '" + owner.name +
                                   "', which is no user");
    }
    call.namespace_ = owner.name;
    co_return call;
}

http::Request request_for(const Client& client, const EndpointCall& call) {
    std::string url(api);
    url += "/endpoint/" + percent_encode(call.namespace_);
    if (!call.name.empty()) url += "/" + percent_encode(call.name);
    http::Request request = client.request_named_url(call.method, url + call.what, call.token);
    if (!call.body.is_null()) set_json(request, call.body);
    return request;
}

/// The namespace of the call is known.
awaitable<InferenceEndpoint> ask_named(Client client, EndpointCall call) {
    http::Request request = request_for(client, call);
    const json::value answer = co_await client.json(std::move(request));
    co_return endpoint_of(answer, call.namespace_);
}

awaitable<InferenceEndpoint> ask(Client client, EndpointCall call) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    auto asking = ask_named(std::move(client), std::move(call));
    co_return co_await std::move(asking);
}

awaitable<void> delete_endpoint(Client client, EndpointCall call) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    http::Request request = request_for(client, call);
    const std::string ignored = co_await client.text(std::move(request));
}

// --- listing ---

awaitable<std::vector<InferenceEndpoint>> list_named(Client client, EndpointCall call) {
    http::Request request = request_for(client, call);
    const json::value answer = co_await client.json(std::move(request));
    std::vector<InferenceEndpoint> found;
    const json::value* items = find_member(answer, "items");
    if (!items || !items->is_array())
        throw JsonError("the answer about Inference Endpoints should have a list of items");
    for (const json::value& item : items->get_array()) found.push_back(endpoint_of(item, call.namespace_));
    co_return found;
}

/// Organizations whose Inference Endpoints the token may not see are left out.
awaitable<std::vector<InferenceEndpoint>> list_of_organization(Client client, EndpointCall call) {
    const std::string name = call.namespace_;
    auto asking = list_named(std::move(client), std::move(call));
    try {
        co_return co_await std::move(asking);
    } catch (const HfHubHttpError& error) {
        if (error.status() != 401) throw;
    }
    log(LogLevel::debug, "the token may not see the Inference Endpoints of " + name);
    co_return std::vector<InferenceEndpoint>();
}

awaitable<std::vector<InferenceEndpoint>> list_all(Client client, EndpointCall call) {
    auto asking = owner_of(client, call.token);
    const WhoAmI owner = co_await std::move(asking);
    call.namespace_ = owner.name;
    auto own = list_named(client, call);
    std::vector<InferenceEndpoint> found = co_await std::move(own);
    for (const WhoAmIOrg& organization : owner.orgs) {
        call.namespace_ = organization.name;
        auto listing = list_of_organization(client, call);
        std::vector<InferenceEndpoint> more = co_await std::move(listing);
        found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    co_return found;
}

awaitable<std::vector<InferenceEndpoint>> list(Client client, EndpointCall call) {
    if (call.namespace_ == "*") {
        auto listing = list_all(std::move(client), std::move(call));
        co_return co_await std::move(listing);
    }
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    auto listing = list_named(std::move(client), std::move(call));
    co_return co_await std::move(listing);
}

awaitable<std::vector<InferenceEndpointHardware>> list_hardware(Client client, EndpointCall call) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    http::Request request = client.request_named_url(
        http::Method::get, std::string(api) + "/provider/" + percent_encode(call.namespace_), call.token);
    const json::value answer = co_await client.json(std::move(request));
    co_return hardware_of(answer);
}

// --- changes ---

awaitable<InferenceEndpoint> update(Client client, EndpointCall call, ParallelSizes sizes) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    if (sizes.given()) {
        EndpointCall look = call;
        look.method = http::Method::get;
        look.body = nullptr;
        auto looking = ask_named(client, std::move(look));
        const InferenceEndpoint present = co_await std::move(looking);
        json::object image = with_parallel_sizes(present_image(present), sizes);
        json::object& body = call.body.get_object();
        if (!body.contains("model")) body["model"] = json::object();
        body["model"].get_object()["image"] = std::move(image);
    }
    auto changing = ask_named(std::move(client), std::move(call));
    co_return co_await std::move(changing);
}

awaitable<InferenceEndpoint> resume(Client client, EndpointCall call, bool running_ok) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    auto resuming = ask_named(client, call);
    try {
        co_return co_await std::move(resuming);
    } catch (const BadRequestError& error) {
        if (!running_ok || error.context().body.find("already running") == std::string::npos) throw;
    }
    call.method = http::Method::get;
    call.what.clear();
    auto looking = ask_named(std::move(client), std::move(call));
    co_return co_await std::move(looking);
}

awaitable<InferenceEndpoint> deploy_from_catalog(Client client, EndpointCall call) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    json::object body{{"namespace", call.namespace_}};
    for (const auto& [name, value] : call.body.get_object()) body[name] = value;
    http::Request request =
        client.request_url(http::Method::post, std::string(catalog) + "/deploy", call.token, NamedBy::library);
    set_json(request, std::move(body));
    const json::value answer = co_await client.json(std::move(request));
    const json::value* endpoint = find_member(answer, "endpoint");
    co_return endpoint_of(endpoint ? *endpoint : answer, call.namespace_);
}

awaitable<std::vector<std::string>> list_inference_catalog(Client client, Owned<InferenceCatalogOptions> options) {
    http::Request request =
        client.request_url(http::Method::get, std::string(catalog) + "/repo-list", options->token, NamedBy::library);
    const json::value answer = co_await client.json(std::move(request));
    const json::value* models = find_member(answer, "models");
    co_return from_json<std::vector<std::string>>(models ? *models : answer, "models");
}

// --- waiting ---

/// Whether it answers at its health route; one that does not be reached is not ready yet.
awaitable<bool> is_healthy(Client client, InferenceEndpoint endpoint, OwnedToken token) {
    std::string url = *endpoint.url;
    while (url.ends_with('/')) url.pop_back();
    std::string_view route = endpoint.health_route;
    while (route.starts_with('/')) route.remove_prefix(1);
    url.append("/").append(route);
    http::Request request = is_endpoint_host(url) ? client.request_named_url(http::Method::get, url, token)
                                                  : client.request_url(http::Method::get, url, token);
    request.max_attempts = 1;
    request.retry_statuses = false;
    try {
        const http::Response response = co_await client.send(std::move(request));
        co_return response.status == 200;
    } catch (const TimeoutError& error) {
        if (error.phase == TimeoutPhase::deadline) throw;
    } catch (const TransportError& error) {
        log(LogLevel::info, "the Inference Endpoint " + endpoint.name + " is not reached yet: " + error.what());
    }
    co_return false;
}

void require_not_failed(const InferenceEndpoint& endpoint) {
    if (endpoint.status != "failed" && endpoint.status != "updateFailed") return;
    throw InferenceEndpointError("the Inference Endpoint '" + endpoint.name + "' could not be " +
                                 (endpoint.status == "failed" ? "deployed" : "updated") + "; its logs say more");
}

awaitable<InferenceEndpoint> wait(Client client, EndpointCall call, Polling polling) {
    auto naming = with_namespace(client, std::move(call));
    call = co_await std::move(naming);
    for (;;) {
        auto asking = ask_named(client, call);
        InferenceEndpoint endpoint = co_await std::move(asking);
        require_not_failed(endpoint);
        if (endpoint.status == "running" && endpoint.url) {
            auto looking = is_healthy(client, endpoint, call.token);
            const bool healthy = co_await std::move(looking);
            if (healthy) co_return endpoint;
        }
        const std::string state =
            "the Inference Endpoint '" + endpoint.name + "' is not ready (" + endpoint.status + ")";
        if (polling.is_over()) throw InferenceEndpointTimeoutError(state + " after the time that it was waited for");
        auto pause = polling.pause(client, state);
        co_await std::move(pause);
    }
}

EndpointCall call_of(http::Method method, std::string_view name, std::string_view what,
                     const InferenceEndpointOptions& options) {
    if (name.empty()) throw InvalidArgumentError("the name of an Inference Endpoint is empty");
    return {method, std::string(options.namespace_), std::string(name), std::string(what), nullptr, options.token};
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicEndpoints<Mode>::list_inference_endpoints(InferenceEndpointOptions options) const ->
    typename Mode::template result<std::vector<InferenceEndpoint>> {
    const hub::EndpointCall asked{.namespace_ = std::string(options.namespace_), .name = {}, .token = options.token};
    return call<Mode>(*this, hub::list, asked);
}

template <class Mode>
auto BasicEndpoints<Mode>::get_inference_endpoint(std::string_view name, InferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    return call<Mode>(*this, hub::ask, hub::call_of(http::Method::get, name, "", options));
}

template <class Mode>
auto BasicEndpoints<Mode>::create_inference_endpoint(std::string_view name,
                                                     CreateInferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    hub::EndpointCall asked{.method = http::Method::post, .namespace_ = std::string(options.namespace_), .name = {}};
    asked.body = hub::create_payload(name, options);
    asked.token = options.token;
    return call<Mode>(*this, hub::ask, asked);
}

template <class Mode>
auto BasicEndpoints<Mode>::update_inference_endpoint(std::string_view name,
                                                     UpdateInferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    hub::EndpointCall asked = hub::call_of(http::Method::put, name, "", {options.namespace_, options.token});
    asked.body = hub::update_payload(options);
    hub::ParallelSizes sizes;
    if (!options.custom_image) sizes = {options.tensor_parallel_size, options.data_parallel_size};
    return call<Mode>(*this, hub::update, asked, sizes);
}

template <class Mode>
auto BasicEndpoints<Mode>::delete_inference_endpoint(std::string_view name, InferenceEndpointOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::delete_endpoint, hub::call_of(http::Method::delete_, name, "", options));
}

template <class Mode>
auto BasicEndpoints<Mode>::pause_inference_endpoint(std::string_view name, InferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    return call<Mode>(*this, hub::ask, hub::call_of(http::Method::post, name, "/pause", options));
}

template <class Mode>
auto BasicEndpoints<Mode>::resume_inference_endpoint(std::string_view name,
                                                     ResumeInferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    return call<Mode>(*this, hub::resume,
                      hub::call_of(http::Method::post, name, "/resume", {options.namespace_, options.token}),
                      options.running_ok);
}

template <class Mode>
auto BasicEndpoints<Mode>::scale_to_zero_inference_endpoint(std::string_view name,
                                                            InferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    return call<Mode>(*this, hub::ask, hub::call_of(http::Method::post, name, "/scale-to-zero", options));
}

template <class Mode>
auto BasicEndpoints<Mode>::wait_for_inference_endpoint(std::string_view name,
                                                       WaitForInferenceEndpointOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    const hub::Polling polling(options.timeout, options.refresh_every);
    return call<Mode>(*this, hub::wait, hub::call_of(http::Method::get, name, "", {options.namespace_, options.token}),
                      polling);
}

template <class Mode>
auto BasicEndpoints<Mode>::list_inference_endpoints_hardware(InferenceEndpointOptions options) const ->
    typename Mode::template result<std::vector<InferenceEndpointHardware>> {
    const hub::EndpointCall asked{.namespace_ = std::string(options.namespace_), .name = {}, .token = options.token};
    return call<Mode>(*this, hub::list_hardware, asked);
}

template <class Mode>
auto BasicEndpoints<Mode>::list_inference_catalog(InferenceCatalogOptions options) const ->
    typename Mode::template result<std::vector<std::string>> {
    return call<Mode>(*this, hub::list_inference_catalog, options);
}

template <class Mode>
auto BasicEndpoints<Mode>::create_inference_endpoint_from_catalog(
    std::string_view repo_id, CreateInferenceEndpointFromCatalogOptions options) const ->
    typename Mode::template result<InferenceEndpoint> {
    hub::validate_repo_id(repo_id);
    if (options.token.kind() == Token::Kind::anonymous) {
        throw InvalidArgumentError("deploying from the catalog needs a token, but was called with token=false");
    }
    json::object body{{"repoId", repo_id}};
    if (!options.name.empty()) body["endpointName"] = options.name;
    if (!options.accelerator.empty()) body["accelerator"] = options.accelerator;
    hub::EndpointCall asked{.namespace_ = std::string(options.namespace_), .name = {}};
    asked.body = std::move(body);
    asked.token = options.token;
    return call<Mode>(*this, hub::deploy_from_catalog, asked);
}

template class BasicEndpoints<Blocking>;
template class BasicEndpoints<Awaiting>;

}  // namespace hfhub
