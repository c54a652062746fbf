#pragma once

// What an answer with an error status means: the exception, and a message for people. No I/O.

#include "http/request.hpp"

#include <hfhub/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace hfhub::http {

/// What the message says beyond the answer itself.
struct RequestFacts {
    bool authenticated = true;  ///< The request carried a token; where not, the message says when one would help.
    std::string_view range{};   ///< The request's Range field.
    std::chrono::milliseconds waited{0};  ///< Between the attempts.
    std::uint64_t bytes_done = 0;         ///< Of the file that was being downloaded.
};

/// Collects what an answer tells about its error: ids, codes and texts of its fields and body, and the repository that
/// the URL names.
HttpErrorContext error_context(int status, Method method, const Url& url, const Headers& headers, std::string_view body,
                               int attempts = 1);

/// Throws the exception for an answer of status 400 or more. The first rule that fits decides:
///  1-3. X-Error-Code RevisionNotFound, EntryNotFound, GatedRepo: RevisionNotFoundError, RemoteEntryNotFoundError,
///       GatedRepoError
///  4. X-Error-Message "Access to this resource is disabled.": DisabledRepoError
///  5. X-Error-Code RepoNotFound below /api/buckets/: BucketNotFoundError
///  6. 404 for one job: JobNotFoundError
///  7. X-Error-Code RepoNotFound, or 401 for a repository's URL unless the token itself is said to be bad:
///     RepositoryNotFoundError (the Hub does not tell strangers which private repositories exist)
///  8. 400: BadRequestError
///  9-12. 403, 429, 416 and all others: HfHubHttpError, with a text of their own
[[noreturn]] void throw_status_error(HttpErrorContext context, const Url& url, const Headers& headers,
                                     const RequestFacts& facts = {});

/// Throws as throw_status_error for a status of 400 or more, and returns otherwise.
void raise_for_status(int status, Method method, const Url& url, const Headers& headers, std::string_view body,
                      int attempts = 1, const RequestFacts& facts = {});

/// The standard's words for a status, empty for an unknown one.
std::string_view reason_phrase(int status) noexcept;

}  // namespace hfhub::http
