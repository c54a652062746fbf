#pragma once

// The beginning of a file on the Hub, or any range of it, without the cache.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// A revision of a repository whose files are looked into.
struct RemoteFiles {
    Client client;
    std::string repo_type, repo_id, revision;
    OwnedToken token;

    http::Request request(http::Method method, std::string_view filename) const;
    /// "'model.safetensors' of org/model at main", for people.
    std::string name(std::string_view filename) const;
};
using SharedRemoteFiles = std::shared_ptr<const RemoteFiles>;

/// `length` bytes from `from` on, or as many as there are, also from a server that knows no ranges. What breaks off is
/// asked for again. Throws as send_checked.
awaitable<std::string> fetch_range(SharedRemoteFiles files, std::string filename, std::uint64_t from,
                                   std::uint64_t length);

}  // namespace hfhub::hub
