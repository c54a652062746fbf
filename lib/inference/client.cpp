#include <hfhub/inference/client.hpp>

namespace hfhub {

namespace {
template <class Mode>
Session session_of() {
    if constexpr (std::same_as<Mode, Awaiting>) {
        return default_async_session();
    } else {
        return Session();
    }
}
}  // namespace

template <class Mode>
BasicInferenceClient<Mode>::BasicInferenceClient() : BasicInferenceClient(InferenceClientOptions{}) {}

template <class Mode>
BasicInferenceClient<Mode>::BasicInferenceClient(const InferenceClientOptions& options)
    : BasicInferenceClient(session_of<Mode>(), options) {}

template <class Mode>
BasicInferenceClient<Mode>::BasicInferenceClient(Session session, const InferenceClientOptions& options)
    : InferenceHandle(std::move(session), options) {}

template class BasicInferenceClient<Blocking>;
template class BasicInferenceClient<Awaiting>;

}  // namespace hfhub
