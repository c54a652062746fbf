#pragma once

#include <hfhub/http_headers.hpp>

namespace hfhub::http {

using Headers = HttpHeaders;
using hfhub::iequals;

}  // namespace hfhub::http
