#include "http/response.hpp"

#include "core/log.hpp"

namespace hfhub::http {

std::string_view to_string(Protocol protocol) noexcept { return protocol == Protocol::http2 ? "HTTP/2" : "HTTP/1.1"; }

std::string_view request_id_of(const Headers& headers) {
    for (const std::string_view name : {"x-request-id", "x-amzn-trace-id", "x-amz-cf-id"}) {
        if (const auto value = headers.get(name); value && !value->empty()) return *value;
    }
    return {};
}

AnswerFacts facts_of(const Response& response) {
    const std::string_view id = request_id_of(response.headers);
    return {response.url.redacted(), redact(id.empty() ? response.sent_id : id), response.status, response.attempts,
            response.waited};
}

void complete(TransportError& error, const AnswerFacts& answer) {
    error.at(answer.url);
    error.tried(answer.attempts, answer.waited);
    error.status = answer.status;
    error.request_id = answer.request_id;
}

}  // namespace hfhub::http
