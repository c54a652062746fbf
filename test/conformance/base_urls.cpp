#include "conformance/base_urls.hpp"

namespace hfhub::conformance {

namespace {

/// Reset times become 0; the numbers of the message are not judged.
void shorten_waits(http::Headers& headers) {
    if (headers.contains("retry-after")) headers.set("retry-after", "0");
    std::string limit(headers.value("ratelimit"));
    const std::size_t reset = limit.find(";t=");
    if (reset == std::string::npos) return;
    const std::size_t digits = reset + 3;
    const std::size_t end = limit.find_first_not_of("0123456789", digits);
    limit.replace(digits, (end == std::string::npos ? limit.size() : end) - digits, "0");
    headers.set("ratelimit", limit);
}

}  // namespace

awaitable<http::Response> ScriptedTransport::send(const http::Request& request, bool fresh) {
    const std::string url = request.url.str();
    http::Request sent = request;
    for (const Place& place : places_) {
        if (url.starts_with(place.real + "/")) sent.url = Url::parse(place.played + url.substr(place.real.size()));
    }
    http::Response response = co_await wire_.send(sent, fresh);
    response.url = request.url;
    shorten_waits(response.headers);
    co_return response;
}

}  // namespace hfhub::conformance
