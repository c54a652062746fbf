#pragma once

#include "message.hpp"

#include <stdexcept>
#include <string>

namespace hfhub::local_hub {

/// An answer in the Hub's error form: X-Error-Code, X-Error-Message and {"error": message}.
struct HubError : std::runtime_error {
    HubError(int a_status, std::string a_code, const std::string& message)
        : std::runtime_error(message), status(a_status), code(std::move(a_code)) {}
    int status;
    std::string code;      ///< Empty: no X-Error-Code.
    std::string url;       ///< Empty: no "url" in the body.
    Fields extra_headers;  ///< For example X-Repo-Commit of an EntryNotFound.
};

inline HubError repo_not_found(bool anonymous) {
    return {anonymous ? 401 : 404, "RepoNotFound", "Repository not found"};
}
inline HubError revision_not_found(const std::string& revision) {
    return {404, "RevisionNotFound", "Invalid rev id: " + revision};
}
inline HubError bad_request(const std::string& message) { return {400, "", message}; }

Response error_response(const HubError& error);

}  // namespace hfhub::local_hub
