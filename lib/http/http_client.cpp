#include "http/pipeline.hpp"
#include "http/session.hpp"

#include <hfhub/http_client.hpp>

namespace hfhub {

namespace {

http::Method method_of(std::string_view name) {
    for (const auto method : {http::Method::get, http::Method::head, http::Method::post, http::Method::put,
                              http::Method::patch, http::Method::delete_, http::Method::options}) {
        if (name == http::to_string(method)) return method;
    }
    throw InvalidArgumentError("the HTTP method \"" + std::string(name) +
                               "\" is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS (in capitals)");
}

http::Request request_of(const SessionOptions& session, std::string_view method, std::string_view url,
                         const HttpRequestOptions& options) {
    http::Request request;
    request.method = method_of(method);
    request.url = Url::parse(url);
    request.timeouts = {session.connect_timeout, session.write_timeout, session.headers_timeout, session.idle_timeout,
                        session.pool_timeout};
    for (const HttpHeaders::Field field : options.headers) request.headers.add(field.name, field.value);
    if (!options.content_type.empty()) request.headers.set("content-type", options.content_type);
    if (!options.body.empty()) request.body = std::string(options.body);
    if (options.timeout.count() > 0) request.deadline = http::Clock::now() + options.timeout;
    request.max_redirects = options.max_redirects;
    request.max_attempts = options.max_attempts;
    return request;
}

awaitable<HttpResponse> exchange(std::shared_ptr<http::SessionState> state, http::Request request,
                                 std::uint64_t max_body) {
    request.buffered = max_body;
    http::Response answer = co_await state->pipeline().send(std::move(request));
    HttpResponse response;
    response.status = answer.status;
    response.protocol = to_string(answer.protocol);
    response.url = answer.url.str();
    response.attempts = answer.attempts;
    response.body = std::move(answer.text);
    try {
        while (answer.body && !http::read_arrived(*answer.body, max_body, response.body)) {
            co_await answer.body->wait({});
        }
    } catch (TransportError& error) {
        http::complete(error, http::facts_of(answer));
        error.bytes_done = response.body.size();
        throw;
    }
    response.headers = std::move(answer.headers);
    co_return response;
}

}  // namespace

template <class Mode>
BasicHttpClient<Mode>::BasicHttpClient()
    : session_(std::is_same_v<Mode, Awaiting> ? default_async_session() : Session()) {}

template <class Mode>
typename Mode::template result<HttpResponse> BasicHttpClient<Mode>::request(std::string_view method,
                                                                            std::string_view url,
                                                                            HttpRequestOptions options) const {
    http::Request request = request_of(session_.options(), method, url, options);
    return Mode::template run<HttpResponse>(session_, exchange(session_.state(), std::move(request), options.max_body));
}

template class BasicHttpClient<Blocking>;
template class BasicHttpClient<Awaiting>;

}  // namespace hfhub
