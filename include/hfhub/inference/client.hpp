#pragma once

#include <hfhub/inference/chat.hpp>

#include <concepts>
#include <stop_token>
#include <utility>

namespace hfhub {

/// Inference on Hugging Face's providers, on Inference Endpoints and on any OpenAI-compatible server
/// (https://huggingface.co/docs/huggingface_hub/guides/inference). Cheap to copy, safe to use from any thread.
template <class Mode>
class BasicInferenceClient : public BasicChat<Mode> {
  public:
    BasicInferenceClient();
    /// On the process-wide session. Throws InvalidArgumentError where two members contradict.
    explicit BasicInferenceClient(const InferenceClientOptions& options);
    BasicInferenceClient(Session session, const InferenceClientOptions& options);

    /// A copy whose calls, and the streams that they give, end with CancelledError when a stop is requested.
    BasicInferenceClient with_stop(std::stop_token stop) const
        requires std::same_as<Mode, Blocking>
    {
        BasicInferenceClient copy = *this;
        copy.set_stop(std::move(stop));
        return copy;
    }
};

using InferenceClient = BasicInferenceClient<Blocking>;
using AsyncInferenceClient = BasicInferenceClient<Awaiting>;

extern template class BasicInferenceClient<Blocking>;
extern template class BasicInferenceClient<Awaiting>;

}  // namespace hfhub
