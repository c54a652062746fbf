#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace hfhub::local_hub {

/// The front matter of a README.md, in the part of YAML that repository cards use: `key: value`, `key: [a, b]`, and
/// lists of `- value` lines. Deeper structures are skipped.
struct RepoCard {
    boost::json::object fields;
    std::string error;  ///< Not empty where the front matter is not even that.
};
RepoCard parse_card(std::string_view readme);

}  // namespace hfhub::local_hub
