#pragma once

#include <hfhub/hub/api_handle.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hfhub {

/// What an inference client is made with; every member may be left out.
struct InferenceClientOptions {
    std::string model{};     ///< A model's id on the Hub, or the URL of a server that serves one.
    std::string provider{};  ///< "auto" (the default) or "hf-inference".
    Token token{};
    std::string api_key{};                 ///< The same as token, under OpenAI's name.
    std::string base_url{};                ///< The same as a URL in model, under OpenAI's name.
    std::string bill_to{};                 ///< Organisation that pays.
    std::chrono::milliseconds timeout{0};  ///< For each whole call, streams included; 0: none.
    std::chrono::milliseconds first_event_timeout{
        120'000};  ///< Until the answer begins, and then its first event (cold models).
    std::chrono::milliseconds idle_timeout{60'000};              ///< Between later arrivals of a stream's bytes.
    std::vector<std::pair<std::string, std::string>> headers{};  ///< Sent with every request.
    std::vector<std::pair<std::string, std::string>> cookies{};
    std::string endpoint{};  ///< The Hub that knows the models; empty: that of the session's environment.
};

/// What all tasks of an inference client share. Cheap to copy, safe to use from any thread.
class InferenceHandle : public ApiHandle {
  protected:
    InferenceHandle() = default;
    InferenceHandle(Session session, const InferenceClientOptions& options);
    ~InferenceHandle() = default;
    InferenceHandle(const InferenceHandle&) = default;
    InferenceHandle& operator=(const InferenceHandle&) = default;

    std::shared_ptr<const InferenceClientOptions> options_;
};

}  // namespace hfhub
