#pragma once

// What a 3xx answer means for the request (RFC 9110 15.4, with the limits of a client that carries tokens). No I/O.

#include "http/request.hpp"

#include <span>
#include <string>
#include <string_view>

namespace hfhub::http {

/// What to do with an answer: hand it to the caller, or ask again elsewhere.
struct RedirectDecision {
    bool follow = false;
    Url url;                        ///< Where to go, if `follow`.
    Method method = Method::get;    ///< How to ask there.
    bool drop_body = false;         ///< The body and the fields that describe it are not sent again.
    bool drop_credentials = false;  ///< The next server must not see tokens and cookies. They are not put back later.
};

/// Names one request of a chain of redirects, to see circles.
std::string redirect_key(const Request& request);

/// Decides about the answer to `request`. `visited` holds the keys of the requests before it in this chain, so its size
/// is the number of redirects followed so far.
///
/// Followed are 301, 302, 303, 307 and 308 with a Location. 303 turns all but HEAD into GET, 301 and 302 turn POST into
/// GET, other methods and 307 and 308 keep method and body. With `relative_redirects_only` a Location that names a
/// scheme or a host is an answer, and a followed one changes the path only: the query stays, as the Hub expects where a
/// repository was renamed.
///
/// Throws TooManyRedirectsError beyond `max_redirects` and for a circle, ProtocolError for a Location that is
/// malformed, leads away from http and https, or from https to http.
RedirectDecision redirect_of(const Request& request, int status, const Headers& answer,
                             std::span<const std::string> visited);

/// Turns the request into the next one. The caller rewinds a body that stays.
void apply_redirect(Request& request, const RedirectDecision& decision);

/// Whether what was meant for `from` may be sent to `to`: the same origin, or the same host's step from http to https
/// on the default ports.
bool may_send_credentials(const Url& from, const Url& to) noexcept;

/// Whether a header field carries a secret: Authorization, Cookie and what is named after tokens, keys or signatures.
bool is_credential_field(std::string_view name) noexcept;

}  // namespace hfhub::http
