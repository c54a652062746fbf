#include "http/user_agent.hpp"

namespace hfhub::http {

std::string_view version() noexcept { return HFHUB_VERSION; }

std::string user_agent(std::string_view application, std::string_view origin) {
    std::string text = application.empty() ? "unknown/None" : std::string(application);
    text += "; hf_hub/" + std::string(version()) + "; cpp/20";
    if (!origin.empty()) text += "; origin/" + std::string(origin);
    return text;
}

}  // namespace hfhub::http
