#pragma once

// Files that a commit copies: what they are, and how they come into another repository.

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/commit_plan.hpp"

#include <hfhub/error.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hfhub::hub {

class MissingSourceError final : public Error, public EntryNotFoundError {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "EntryNotFoundError"; }
};

/// A place in some repository where files are looked up.
struct Place {
    std::string repo_type, repo_id, revision;

    std::string text() const { return repo_type + "s/" + repo_id + " at " + revision; }
};

struct Entry {
    std::string path, oid;
    bool is_folder = false;
    std::optional<std::string> sha256, xet_hash;
};

/// What there is at these paths, in several requests where they are many.
awaitable<std::map<std::string, Entry>> look_up(Client client, Place place, std::vector<std::string> paths,
                                                OwnedToken token);

/// The repository that is committed to.
struct CopyTarget {
    std::string repo_type, repo_id, revision;
    OwnedToken token{};
};

/// Fills in what the copies' sources are, and makes large files of other repositories known to the target's. Throws an
/// EntryNotFoundError where a source is missing, InvalidArgumentError where it cannot be copied.
awaitable<void> resolve_copies(Client client, CopyTarget target, std::vector<Copying*> copies);

}  // namespace hfhub::hub
