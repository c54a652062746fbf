#pragma once

#include <hfhub/http_headers.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/session.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

namespace hfhub {

/// What a request may carry; views of what lives until the call was made.
struct HttpRequestOptions {
    std::span<const HttpHeaders::Field> headers{};
    std::string_view body{};
    std::string_view content_type{};       ///< Of the body.
    std::chrono::milliseconds timeout{0};  ///< For the whole call, all attempts included; 0: none.
    std::uint64_t max_body = 64ull << 20;  ///< A larger answer is a ProtocolError.
    int max_redirects = 20;                ///< 0: redirects are answers.
    int max_attempts = 6;                  ///< 1: never repeated. POST and PATCH are repeated only where unprocessed.
};
static_assert(std::is_trivially_destructible_v<HttpRequestOptions>);

/// A whole answer.
struct HttpResponse {
    int status = 0;
    std::string protocol;  ///< "HTTP/1.1" or "HTTP/2".
    std::string url;       ///< What was asked last, after redirects.
    HttpHeaders headers;
    std::string body;  ///< Decoded.
    int attempts = 1;
};

/// Plain HTTP over a session's pool, with its retries, redirects, proxies, trust and hooks: what the API has no method
/// for, in Python's terms get_session(). Nothing but what is given is sent: no token by itself. Cheap to copy, safe to
/// use from any thread.
template <class Mode>
class BasicHttpClient {
  public:
    BasicHttpClient();
    explicit BasicHttpClient(Session session) : session_(std::move(session)) {}

    /// An answer of any status. Throws TransportError, OfflineModeIsEnabled, CancelledError, InvalidArgumentError.
    typename Mode::template result<HttpResponse> request(std::string_view method, std::string_view url,
                                                         HttpRequestOptions options = {}) const;
    typename Mode::template result<HttpResponse> get(std::string_view url, HttpRequestOptions options = {}) const {
        return request("GET", url, options);
    }
    typename Mode::template result<HttpResponse> post(std::string_view url, HttpRequestOptions options = {}) const {
        return request("POST", url, options);
    }
    const Session& session() const noexcept { return session_; }

  private:
    Session session_;
};

using HttpClient = BasicHttpClient<Blocking>;
using AsyncHttpClient = BasicHttpClient<Awaiting>;

extern template class BasicHttpClient<Blocking>;
extern template class BasicHttpClient<Awaiting>;

}  // namespace hfhub
