#include "hub/client.hpp"

#include <hfhub/hub/api_handle.hpp>

namespace hfhub {

ApiHandle::ApiHandle(Session session, const HfApiOptions& options) : session_(std::move(session)) {
    hub::Client::Settings settings;
    settings.endpoint = options.endpoint;
    settings.token_kind = options.token.kind();
    settings.token = options.token.text();
    settings.library_name = options.library_name;
    settings.library_version = options.library_version;
    settings.user_agent = options.user_agent;
    settings.headers = options.headers;
    client_ = std::make_shared<const hub::Client>(session_->state(), std::move(settings));
}

const std::string& ApiHandle::endpoint() const noexcept { return client_->endpoint(); }

void ApiHandle::set_timeout(std::chrono::milliseconds timeout) {
    hub::Client::Settings settings = client_->settings();
    settings.timeout = timeout;
    client_ = std::make_shared<const hub::Client>(session_->state(), std::move(settings));
}

}  // namespace hfhub
