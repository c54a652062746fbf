#pragma once

#include "hub_error.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

enum class RepoType { model, dataset, space, kernel };
/// "model"; the plural with an s stands in paths.
std::string_view name_of(RepoType type);
/// "", "datasets/", "spaces/", "kernels/".
std::string_view url_prefix(RepoType type);
/// Understands singular names; throws HubError.
RepoType repo_type_of(std::string_view name);

struct File {
    std::string oid;  ///< Git's blob id; of the pointer where the file is large.
    std::uint64_t size = 0;
    std::string sha256;                          ///< Only of a large (LFS) file.
    std::shared_ptr<const std::string> content;  ///< Only of a regular one.
    std::string last_commit;

    bool is_lfs() const { return !sha256.empty(); }
};
using Files = std::map<std::string, std::shared_ptr<const File>, std::less<>>;

struct Commit {
    std::string id, parent, title, message, author;
    std::string date;  ///< ISO 8601 with milliseconds.
    std::uint64_t number = 0;
    std::shared_ptr<const Files> files;
    /// Git's tree id of each directory ("" is the root), computed on first use.
    const std::map<std::string, std::string>& trees() const;

  private:
    mutable std::map<std::string, std::string> trees_;
};

struct Discussion {
    unsigned number = 0;
    std::string title, author, status, created_at;
    bool is_pull_request = false;
    boost::json::array events;
};

struct Repository {
    RepoType type = RepoType::model;
    std::string owner, name;
    bool is_private = false;
    std::string gated;  ///< Empty, auto or manual.
    std::string sdk;
    std::string created_at, last_modified;
    std::uint64_t downloads = 0, number = 0;
    std::map<std::string, std::string> branches, tags, tag_messages;
    std::map<unsigned, std::string> pull_requests;  ///< Heads of refs/pr/N.
    std::map<unsigned, Discussion> discussions;
    std::map<std::string, std::shared_ptr<const Commit>> commits;
    boost::json::object card;  ///< Front matter of README.md on main.

    std::string id() const { return owner + '/' + name; }
    /// A branch, tag, refs/heads/…, refs/tags/…, refs/pr/N, or a commit id of at least 7 digits.
    std::shared_ptr<const Commit> find_revision(std::string_view revision) const;
    /// As find_revision; throws HubError RevisionNotFound.
    std::shared_ptr<const Commit> revision(const std::string& revision) const;
    const std::string& head() const { return branches.at("main"); }
    /// The head that a commit to that revision moves; null for tags, ids and unknown names.
    std::string* writable_head(std::string_view revision);
    /// Commits of a revision, newest first.
    std::vector<std::shared_ptr<const Commit>> history(const std::string& revision) const;
    /// Adds a commit (its id is made here, from what it holds and never from the time) and returns it.
    std::shared_ptr<const Commit> add_commit(Commit commit);
    unsigned next_discussion() const { return discussions.empty() ? 1 : discussions.rbegin()->first + 1; }
};

/// All repositories. The caller holds the Hub's lock.
class Repositories {
  public:
    Repository* find(RepoType type, std::string_view id);
    /// With an initial commit that holds .gitattributes. The id must be free.
    Repository& create(RepoType type, std::string_view id, std::string_view author);
    void remove(RepoType type, std::string_view id);
    /// Afterwards the old id redirects to the new one.
    void move(RepoType type, std::string_view from, std::string_view to);
    /// Where a moved repository is now; null where nothing moved from there.
    const std::string* moved_to(RepoType type, std::string_view id) const;
    std::vector<Repository*> all(RepoType type);
    void clear();

  private:
    std::map<std::string, Repository, std::less<>> repositories_;
    std::map<std::string, std::string, std::less<>> moves_;
    std::uint64_t next_number_ = 0;
};

std::string timestamp();

}  // namespace hfhub::local_hub
