#pragma once

#include <boost/describe/class.hpp>

#include <string>

namespace hfhub {

/// The web address of a repository, and what it says.
struct RepoUrl {
    std::string url;
    std::string endpoint;
    std::string repo_type;  ///< "model", "dataset", "space" or "kernel".
    std::string repo_id;
    std::string namespace_;  ///< Empty for the few repositories without one.
    std::string repo_name;

    /// The address itself.
    operator const std::string&() const noexcept { return url; }
};
BOOST_DESCRIBE_STRUCT(RepoUrl, (), (url, endpoint, repo_type, repo_id, namespace_, repo_name))

}  // namespace hfhub
