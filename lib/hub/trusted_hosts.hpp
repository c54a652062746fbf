#pragma once

// Where a token of the Hub may go. No I/O.

#include "core/url.hpp"

namespace hfhub::hub {

/// Who has chosen a URL.
enum class NamedBy : std::uint8_t {
    server,   ///< It came in an answer.
    library,  ///< It is written in this library: the router of Inference Providers.
    user,
};

/// Whether the Hub's token may be sent to `url`, by a client of `endpoint` (which may have a path). Always to the
/// endpoint: same scheme, host and port, or https in place of http at the default ports. Else by https and port 443
/// only:
/// - a URL of the library's own may be at huggingface.co and below it;
/// - one of the user's may also be below huggingface.cloud, where Inference Endpoints are;
/// - one of a server's may be at huggingface.co and below it where the endpoint is there, too. Below huggingface.cloud
///   anybody can run a server, and another endpoint's token is no business of huggingface.co.
bool may_have_hub_token(const Url& endpoint, const Url& url, NamedBy by) noexcept;

/// Whether an address that an answer of `endpoint` names would give up the protection of https.
bool is_downgrade(const Url& endpoint, const Url& url) noexcept;

}  // namespace hfhub::hub
