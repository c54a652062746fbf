#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

/// The rules of one .gitignore at the root of a repository.
class Gitignore {
  public:
    explicit Gitignore(std::string_view text);
    bool ignores(std::string_view path) const;

  private:
    struct Rule {
        std::string pattern;  ///< Without leading and trailing slashes.
        bool negated = false, anchored = false, directory_only = false;
        bool matches(std::string_view path, bool is_directory) const;
    };
    bool decide(std::string_view path, bool is_directory) const;
    std::vector<Rule> rules_;
};

}  // namespace hfhub::local_hub
