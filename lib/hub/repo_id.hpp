#pragma once

// Names of repositories, and the paths under which the Hub knows them. No I/O.

#include <hfhub/hub/repo_url.hpp>

#include <string>
#include <string_view>

namespace hfhub::hub {

/// Throws HfValidationError where it is neither "name" nor "namespace/name" of letters, digits, '-', '_' and '.'.
void validate_repo_id(std::string_view repo_id);

/// "model", "dataset", "space" or "kernel"; empty means "model". Throws InvalidArgumentError for anything else.
std::string_view checked_repo_type(std::string_view repo_type);

/// "/api/models/namespace/name", percent-encoded. Throws as the two above.
std::string repo_api_path(std::string_view repo_type, std::string_view repo_id);
/// The same with "/revision/…" where a revision is given.
std::string repo_api_path(std::string_view repo_type, std::string_view repo_id, std::string_view revision);

/// "/namespace/name/resolve/revision/file", below datasets/, spaces/ or kernels/ where it is one; revision "main" where
/// empty. Throws as repo_api_path.
std::string resolve_path(std::string_view repo_type, std::string_view repo_id, std::string_view revision,
                         std::string_view filename);

/// What a repository's web address says. An address at the Hub's default host is turned to the endpoint; one at the
/// endpoint's host is taken also where the server names itself by the other scheme or without its port. Throws
/// JsonError where it is not a repository's below the endpoint.
RepoUrl parse_repo_url(std::string_view url, std::string_view endpoint);
/// The web address of a repository at the endpoint.
RepoUrl make_repo_url(std::string_view endpoint, std::string_view repo_type, std::string_view repo_id);

}  // namespace hfhub::hub
