#include "inference/chat_route.hpp"

#include "core/url.hpp"

#include <hfhub/error.hpp>
#include <hfhub/json.hpp>

namespace hfhub::inference {

namespace {

constexpr std::string_view router = "https://router.huggingface.co";

std::string join(std::string_view base, std::string_view path) { return std::string(base) + std::string(path); }

// The Hub says what a model is for; the route is open only to models that hold conversations.
awaitable<void> check_conversational(hub::Client client, std::string model) {
    http::Request request = client.request(http::Method::get, "/api/models/" + percent_encode(model, "/"));
    const json::value info = co_await client.json(std::move(request));
    const json::object* object = info.if_object();
    const auto text = [&](std::string_view name) {
        const json::value* value = object == nullptr ? nullptr : object->if_contains(name);
        return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
    };
    const std::string task = text("pipeline_tag");
    bool tagged = false;
    const json::value* tags = object == nullptr ? nullptr : object->if_contains("tags");
    if (tags != nullptr && tags->is_array()) {
        for (const json::value& tag : tags->get_array())
            tagged |= tag.is_string() && tag.get_string() == "conversational";
    }
    const bool chats =
        task == "conversational" || (tagged && (task == "text-generation" || task == "image-text-to-text"));
    if (!chats) {
        throw InvalidArgumentError("the model " + model + " is not conversational (its task is " +
                                   (task.empty() ? "unknown" : task) +
                                   "): choose a chat model, or give the URL of a server");
    }
}

}  // namespace

bool is_url(std::string_view model) noexcept { return model.starts_with("http://") || model.starts_with("https://"); }

std::string chat_completions_url(std::string_view base) {
    const auto mark = base.find('?');
    std::string path(base.substr(0, mark));
    const std::string query = mark == std::string_view::npos ? std::string() : std::string(base.substr(mark));
    std::string_view stem = path;
    while (stem.ends_with('/')) stem.remove_suffix(1);
    if (stem.ends_with("/chat/completions")) return path + query;
    if (stem.ends_with("/v1")) return std::string(stem) + "/chat/completions" + query;
    return std::string(stem) + "/v1/chat/completions" + query;
}

awaitable<ChatRoute> chat_route(hub::Client client, InferenceClientOptions options, std::string call_model) {
    const std::string& model = options.model.empty() ? call_model : options.model;
    const std::string& named = call_model.empty() ? options.model : call_model;
    const std::string& provider = options.provider;
    if (is_url(model)) {
        ChatRoute route;
        route.url = chat_completions_url(model);
        route.named_by_user = true;
        route.model = is_url(named) ? "dummy" : named;
        route.schema_as_value = true;
        co_return route;
    }
    if (model.empty()) {
        throw InvalidArgumentError("a model is needed: its id on the Hub, or the URL of a server that serves it");
    }
    const auto token = client.token({});
    if (provider.empty() || provider == "auto") {
        if (!token) {
            throw InvalidArgumentError(
                "the Hub's router needs a token: set HF_TOKEN, save one in the token file (HF_TOKEN_PATH), or give "
                "token");
        }
        if (!token->starts_with("hf_")) {
            throw InvalidArgumentError(
                "the provider \"auto\" works with Hugging Face tokens (hf_…) only: name the provider or server that "
                "the key is for");
        }
        ChatRoute route;
        route.url = join(router, "/v1/chat/completions");
        route.model = model;
        route.model_wins = true;
        co_return route;
    }
    if (provider != "hf-inference") {
        throw InvalidArgumentError("unknown provider \"" + provider + "\": \"auto\" and \"hf-inference\" are known");
    }
    co_await check_conversational(client, model);
    ChatRoute route;
    route.url = join(router, "/hf-inference/models/" + percent_encode(model, "/") + "/v1/chat/completions");
    route.model = named;
    route.schema_as_value = true;
    co_return route;
}

}  // namespace hfhub::inference
