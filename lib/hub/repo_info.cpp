#include "hub/repo_info.hpp"

#include "hub/mapping.hpp"
#include "hub/query.hpp"
#include "hub/repo_id.hpp"

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

}  // namespace hfhub
