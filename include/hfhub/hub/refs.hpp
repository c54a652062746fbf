#pragma once

// Branches, tags and other references of a repository.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// A name for a commit.
struct GitRefInfo {
    std::string name;           ///< Such as "main".
    std::string ref;            ///< Such as "refs/heads/main".
    std::string target_commit;  ///< 40 hexadecimal digits.
    json::object raw;           ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(GitRefInfo, (), (name, ref, target_commit))

struct GitRefs {
    std::vector<GitRefInfo> branches;
    std::vector<GitRefInfo> converts;  ///< What the Hub made of a dataset, such as its form as Parquet files.
    std::vector<GitRefInfo> tags;
    std::optional<std::vector<GitRefInfo>> pull_requests;  ///< Where they were asked for.
    json::object raw;                                      ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(GitRefs, (), (branches, converts, tags, pull_requests))

struct ListRepoRefsOptions {
    std::string_view repo_type{};        ///< "model" (also where empty), "dataset", "space" or "kernel".
    bool include_pull_requests = false;  ///< Asks for pull_requests.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListRepoRefsOptions>);
BOOST_DESCRIBE_STRUCT(ListRepoRefsOptions, (), (repo_type, include_pull_requests, token))

template <class Mode>
class BasicRefs : public virtual ApiHandle {
  public:
    /// The references of a repository. Throws HfValidationError for a malformed repo_id, RepositoryNotFoundError.
    typename Mode::template result<GitRefs> list_repo_refs(std::string_view repo_id,
                                                           ListRepoRefsOptions options = {}) const;
};

extern template class BasicRefs<Blocking>;
extern template class BasicRefs<Awaiting>;

}  // namespace hfhub
