#include "hub/mapping.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub {

namespace {

/// The wire knows the provider as a name in an object, or as a field of a list's item; the model is known to us.
std::vector<InferenceProviderMapping> read_providers(const json::value& value, const std::string& model,
                                                     const JsonPlace& place) {
    std::vector<InferenceProviderMapping> providers;
    const auto add = [&](const json::value& item, std::string_view provider) {
        json::value named = item;
        if (named.is_object() && !provider.empty()) named.get_object()["provider"] = provider;
        if (named.is_object()) named.get_object()["hf_model_id"] = model;
        read_members(named, providers.emplace_back(), place);
    };
    if (const json::object* object = value.if_object()) {
        for (const auto& [provider, item] : *object) add(item, provider);
    } else if (const json::array* array = value.if_array()) {
        for (const json::value& item : *array) add(item, {});
    } else {
        place.expected("an object or an array", value);
    }
    return providers;
}

/// The entries that are valid; the Hub marks the others with an error.
std::vector<EvalResultEntry> read_eval_results(const json::value& value, const JsonPlace& place) {
    std::vector<EvalResultEntry> entries;
    if (!value.is_array()) place.expected("an array", value);
    for (const json::value& item : value.get_array()) {
        if (!find_member(item, "error")) read_json(item, entries.emplace_back(), place);
    }
    return entries;
}

/// Cards repeat tags now and then.
void drop_repeated_tags(std::optional<json::object>& card) {
    json::value* tags = card ? card->if_contains("tags") : nullptr;
    if (!tags || !tags->is_array()) return;
    json::array unique;
    for (const json::value& tag : tags->get_array()) {
        if (std::find(unique.begin(), unique.end(), tag) == unique.end()) unique.push_back(tag);
    }
    *tags = std::move(unique);
}

}  // namespace

void read_json(const json::value& value, SpaceInfo& out, const JsonPlace& place) {
    read_members(value, out, place);
    drop_repeated_tags(out.card_data);
}

void read_json(const json::value& value, ModelInfo& out, const JsonPlace& place) {
    read_members(value, out, place);
    drop_repeated_tags(out.card_data);
    const json::value* providers = find_member(value, "inferenceProviderMapping");
    if (providers && !providers->is_null()) {
        out.inference_provider_mapping =
            read_providers(*providers, out.id, JsonPlace(place, "inferenceProviderMapping"));
        out.raw.erase("inferenceProviderMapping");
    }
    const json::value* results = find_member(value, "evalResults");
    if (results && !results->is_null()) out.eval_results = read_eval_results(*results, JsonPlace(place, "evalResults"));
}

void read_json(const json::value& value, EvalResultEntry& out, const JsonPlace& place) {
    const json::value* wrapped = find_member(value, "data");
    const json::value& entry = wrapped ? *wrapped : value;
    json::value flat = entry;
    const auto lift = [&](std::string_view from,
                          std::initializer_list<std::pair<std::string_view, std::string_view>> names) {
        const json::value* inner = find_member(entry, from);
        for (const auto& [name, as] : names) {
            const json::value* member = inner ? find_member(*inner, name) : nullptr;
            if (member && flat.is_object()) flat.get_object()[as] = *member;
        }
    };
    lift("dataset", {{"id", "dataset_id"}, {"task_id", "task_id"}, {"revision", "dataset_revision"}});
    lift("source", {{"url", "source_url"}, {"name", "source_name"}, {"user", "source_user"}, {"org", "source_org"}});
    read_members(flat, out, place);
}

void read_json(const json::value& value, SpaceRuntime& out, const JsonPlace& place) {
    read_members(value, out, place);
    const json::value* hardware = find_member(value, "hardware");
    if (!hardware || !hardware->is_object()) return;
    if (const auto current = text_member(*hardware, "current"); !current.empty()) out.hardware = current;
    if (const auto requested = text_member(*hardware, "requested"); !requested.empty())
        out.requested_hardware = requested;
}

}  // namespace hfhub
