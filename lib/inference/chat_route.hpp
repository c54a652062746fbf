#pragma once

#include "hub/client.hpp"

#include <hfhub/inference/inference_handle.hpp>

#include <string>
#include <string_view>

namespace hfhub::inference {

/// Where a chat completion goes, and how its payload differs.
struct ChatRoute {
    std::string url;
    bool named_by_user = false;    ///< The URL is the user's own choice, not a place of the Hub.
    std::string model;             ///< What the payload names.
    bool model_wins = false;       ///< Over extra_body's own.
    bool schema_as_value = false;  ///< json_schema is sent in the form of text-generation-inference.
};

/// Chooses by the client's options and the call's model: the URL of a server, the Hub's router ("auto"), or a provider.
/// hf-inference is asked about the model first. Throws InvalidArgumentError, HfHubHttpError.
awaitable<ChatRoute> chat_route(hub::Client client, InferenceClientOptions options, std::string call_model);

/// The chat completions URL of a server whose base, /v1 or full URL is given; its query is kept.
std::string chat_completions_url(std::string_view base);

/// Whether a model is named by the URL of its server.
bool is_url(std::string_view model) noexcept;

}  // namespace hfhub::inference
