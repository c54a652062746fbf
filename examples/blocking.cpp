// Blocking calls: look at a model, download a file, stream a chat.
#include <hfhub/hfhub.hpp>

#include <iostream>

int main() {
    const hfhub::HfApi api;
    const hfhub::ModelInfo info = api.model_info("openai-community/gpt2");
    std::cout << info.id << " has " << info.likes.value_or(0) << " likes\n";

    const auto path = api.hf_hub_download("openai-community/gpt2", "config.json");
    std::cout << "verified and cached at " << path.string() << "\n";

    const hfhub::InferenceClient client({.model = "meta-llama/Llama-3.1-8B-Instruct"});
    for (const auto& part : client.chat_completion_stream("Why is the sky blue?", {.max_tokens = 100})) {
        std::cout << part.text() << std::flush;
    }
    std::cout << "\n";
}
