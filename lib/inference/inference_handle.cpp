#include "http/headers.hpp"

#include <hfhub/error.hpp>
#include <hfhub/inference/inference_handle.hpp>

namespace hfhub {

namespace {

HfApiOptions api_options(const InferenceClientOptions& options) {
    if (!options.model.empty() && !options.base_url.empty()) {
        throw InvalidArgumentError("give model or base_url, not both: base_url is another name for a URL in model");
    }
    if (options.token.kind() == Token::Kind::given && !options.api_key.empty()) {
        throw InvalidArgumentError("give token or api_key, not both: api_key is another name for token");
    }
    HfApiOptions api;
    api.endpoint = options.endpoint;
    api.token = options.api_key.empty() ? options.token : Token(options.api_key);
    api.headers = options.headers;
    if (!options.bill_to.empty()) api.headers.emplace_back("x-hf-bill-to", options.bill_to);
    std::string cookies;
    for (const auto& [name, value] : options.cookies) cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
    if (!cookies.empty()) api.headers.emplace_back("cookie", cookies);
    return api;
}

}  // namespace

InferenceHandle::InferenceHandle(Session session, const InferenceClientOptions& options)
    : ApiHandle(std::move(session), api_options(options)) {
    auto own = std::make_shared<InferenceClientOptions>(options);
    if (own->model.empty()) own->model = own->base_url;
    own->token = Token();  // a view that ends here; the client has its text
    options_ = std::move(own);
    if (options.timeout.count() > 0) set_timeout(options.timeout);
}

}  // namespace hfhub
