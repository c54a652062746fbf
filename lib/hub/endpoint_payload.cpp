#include "hub/endpoint_payload.hpp"

#include "core/log.hpp"
#include "core/mapping.hpp"
#include "core/url.hpp"

namespace hfhub::hub {

namespace {

constexpr std::string_view endpoint_hosts = ".endpoints.huggingface.cloud";

void put(json::object& object, std::string_view name, std::string_view text) {
    if (!text.empty()) object[name] = text;
}

template <class T>
void put(json::object& object, std::string_view name, const std::optional<T>& value) {
    if (value) object[name] = *value;
}

void put(json::object& object, std::string_view name, const StringList& texts) {
    if (!texts.given()) return;
    json::array list;
    for (const std::string_view text : texts) list.push_back(json::string(text));
    object[name] = std::move(list);
}

void put(json::object& object, std::string_view name, const JsonView& value) {
    if (value) object[name] = *value;
}

void put(json::object& object, std::string_view name, json::object part) {
    if (!part.empty()) object[name] = std::move(part);
}

/// A container's own description stands below "custom"; engines have names of their own.
json::object image_of(const JsonView& image) {
    if (!image->is_object()) throw InvalidArgumentError("custom_image should be a JSON object");
    const json::object& object = image->get_object();
    return object.contains("url") ? json::object{{"custom", object}} : object;
}

template <class Options>
void put_scaling(json::object& compute, const Options& options) {
    json::object scaling;
    put(scaling, "maxReplica", std::optional<std::int64_t>(options.max_replica));
    put(scaling, "minReplica", std::optional<std::int64_t>(options.min_replica));
    put(scaling, "scaleToZeroTimeout", options.scale_to_zero_timeout);
    if (!options.scaling_metric.empty()) {
        json::value threshold;
        if (options.scaling_threshold) threshold = *options.scaling_threshold;
        scaling["measure"] = json::object{{options.scaling_metric, std::move(threshold)}};
    }
    put(compute, "scaling", std::move(scaling));
}

template <class Options>
json::object compute_of(const Options& options) {
    json::object compute;
    put(compute, "accelerator", options.accelerator);
    put(compute, "instanceSize", options.instance_size);
    put(compute, "instanceType", options.instance_type);
    put_scaling(compute, options);
    return compute;
}

template <class Options>
json::object model_of(const Options& options) {
    json::object model;
    put(model, "repository", options.repository);
    put(model, "framework", options.framework);
    put(model, "revision", options.revision);
    put(model, "task", options.task);
    if (options.custom_image) model["image"] = image_of(options.custom_image);
    put(model, "command", options.container_command);
    put(model, "args", options.container_args);
    return model;
}

template <class Options>
void put_rest(json::object& payload, const Options& options) {
    json::object route;
    put(route, "domain", options.domain);
    put(route, "path", options.path);
    put(payload, "route", std::move(route));
    put(payload, "cacheHttpResponses", options.cache_http_responses);
    put(payload, "tags", options.tags);
}

void put_unless_empty(json::object& object, std::string_view name, const JsonView& value) {
    if (value && !(value->is_object() && value->get_object().empty())) object[name] = *value;
}

void warn_of_ignored(std::string_view engine, const ParallelSizes& sizes) {
    const bool tensor = engine == "vLLM" || engine == "sGLang", data = engine == "vLLM";
    if ((sizes.tensor && !tensor) || (sizes.data && !data)) {
        log(LogLevel::warning,
            "the image '" + std::string(engine) + "' is not known to take parallel sizes; the server may ignore them");
    }
}

std::string text_or_empty(const json::value* value, std::string_view name) {
    return value ? std::string(text_member(*value, name)) : std::string();
}

std::optional<std::string> text_of(const json::value* value, std::string_view name) {
    std::string text = text_or_empty(value, name);
    return text.empty() ? std::nullopt : std::optional<std::string>(std::move(text));
}

std::optional<Datetime> time_of(const json::value* value, std::string_view name) {
    const json::value* time = value ? find_member(*value, name) : nullptr;
    return time && time->is_string() ? std::optional<Datetime>(from_json<Datetime>(*time, name)) : std::nullopt;
}

const json::array& list_of(const json::value& value, std::string_view name) {
    static const json::array none;
    const json::value* list = find_member(value, name);
    return list && list->is_array() ? list->get_array() : none;
}

}  // namespace

json::object create_payload(std::string_view name, const CreateInferenceEndpointOptions& options) {
    for (const auto& [what, value] : {std::pair{"name", name},
                                      {"repository", options.repository},
                                      {"framework", options.framework},
                                      {"accelerator", options.accelerator},
                                      {"instance_size", options.instance_size},
                                      {"instance_type", options.instance_type},
                                      {"region", options.region},
                                      {"vendor", options.vendor}}) {
        if (value.empty()) throw InvalidArgumentError("an Inference Endpoint needs a " + std::string(what));
    }
    json::object payload;
    put(payload, "accountId", options.account_id);
    payload["compute"] = compute_of(options);
    json::object model = model_of(options);
    if (!model.contains("image")) model["image"] = json::object{{"huggingface", json::object()}};
    put_unless_empty(model, "env", options.env);
    put_unless_empty(model, "secrets", options.secrets);
    payload["model"] = std::move(model);
    payload["name"] = name;
    payload["provider"] = json::object{{"region", options.region}, {"vendor", options.vendor}};
    payload["type"] = options.type;
    put_rest(payload, options);
    return payload;
}

json::object update_payload(const UpdateInferenceEndpointOptions& options) {
    json::object payload;
    put(payload, "compute", compute_of(options));
    json::object model = model_of(options);
    put(model, "env", options.env);
    put(model, "secrets", options.secrets);
    const ParallelSizes sizes{options.tensor_parallel_size, options.data_parallel_size};
    if (sizes.given() && options.custom_image)
        model["image"] = with_parallel_sizes(image_of(options.custom_image), sizes);
    put(payload, "model", std::move(model));
    put_rest(payload, options);
    return payload;
}

json::object with_parallel_sizes(json::object image, const ParallelSizes& sizes) {
    if (image.empty() || !image.begin()->value().is_object()) {
        throw InvalidArgumentError("parallel sizes cannot be set: the image names no engine");
    }
    warn_of_ignored(image.begin()->key(), sizes);
    json::object& engine = image.begin()->value().get_object();
    put(engine, "tensorParallelSize", sizes.tensor);
    put(engine, "dataParallelSize", sizes.data);
    return image;
}

json::object present_image(const InferenceEndpoint& endpoint) {
    const json::value* model = endpoint.raw.if_contains("model");
    const json::value* image = model ? find_member(*model, "image") : nullptr;
    if (!image || !image->is_object()) return {};
    for (const auto& [engine, settings] : image->get_object()) {
        if (!find_member(settings, "credentials")) continue;
        throw InvalidArgumentError(
            "the image of the Inference Endpoint '" + endpoint.name +
            "' has credentials that the server does not tell: give the whole custom_image to set "
            "parallel sizes");
    }
    return image->get_object();
}

InferenceEndpoint endpoint_of(const json::value& answer, std::string_view owner) {
    const json::value *model = find_member(answer, "model"), *status = find_member(answer, "status");
    InferenceEndpoint endpoint;
    endpoint.name = text_member(answer, "name");
    endpoint.namespace_ = owner;
    endpoint.status = text_or_empty(status, "state");
    if (endpoint.name.empty() || endpoint.status.empty()) {
        throw JsonError("an Inference Endpoint should have a name and a status");
    }
    endpoint.repository = text_or_empty(model, "repository");
    endpoint.health_route = text_member(answer, "healthRoute");
    endpoint.url = text_of(status, "url");
    endpoint.framework = text_of(model, "framework");
    endpoint.revision = text_of(model, "revision");
    endpoint.task = text_of(model, "task");
    endpoint.created_at = time_of(status, "createdAt");
    endpoint.updated_at = time_of(status, "updatedAt");
    endpoint.type = text_of(&answer, "type");
    endpoint.raw = answer.as_object();
    return endpoint;
}

std::vector<InferenceEndpointHardware> hardware_of(const json::value& answer) {
    std::vector<InferenceEndpointHardware> found;
    for (const json::value& vendor : list_of(answer, "vendors")) {
        for (const json::value& region : list_of(vendor, "regions")) {
            for (const json::value& compute : list_of(region, "computes")) {
                json::object flat = compute.as_object();
                flat["vendor"] = text_member(vendor, "name");
                flat["region"] = text_member(region, "name");
                const json::value* quota = find_member(compute, "quota");
                if (quota && quota->is_object()) {
                    for (const auto& [name, value] : quota->get_object()) flat[name] = value;
                }
                found.push_back(from_json<InferenceEndpointHardware>(flat, "hardware"));
            }
        }
    }
    return found;
}

bool is_endpoint_host(std::string_view url) {
    const Url parsed = Url::parse(url);
    return parsed.is_https() && parsed.port == 443 && std::string_view(parsed.host).ends_with(endpoint_hosts);
}

}  // namespace hfhub::hub
