#pragma once

#include "http/request.hpp"
#include "http/response.hpp"

namespace hfhub::http {

/// The seam at the wire: one request, one answer. A status of 400 or more is an answer; what is thrown means that there
/// was none.
class Transport {
  public:
    virtual ~Transport() = default;
    /// The request stays alive until the answer's headers are there. `fresh` forbids kept connections.
    virtual awaitable<Response> send(const Request& request, bool fresh) = 0;
};

}  // namespace hfhub::http
