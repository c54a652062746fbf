#pragma once

// Web linking (RFC 8288), and the next page of a listing. No I/O.

#include "core/url.hpp"
#include "http/headers.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace hfhub::http {

/// Target of the first link in the Link fields that has this relation, as written; nothing where there is none.
/// Relations compare without case, and a link may have several, separated by blanks.
std::optional<std::string> link_target(const Headers& headers, std::string_view relation);

/// URL of the next page, by the link with rel="next" in the answer to `page`; nothing on the last page. `endpoint` is
/// the Hub that was asked, and the only one that is asked on: a relative link is resolved; a link to
/// https://huggingface.co (mirrors repeat it) or to the endpoint's host without TLS is turned to the endpoint. Throws
/// ProtocolError for a link that leads to another host, or that is no URL.
std::optional<Url> next_page(const Url& page, const Headers& headers, const Url& endpoint);

}  // namespace hfhub::http
