#pragma once

// Git LFS: how large files come to the Hub's object storage. The batch API is that of git-lfs
// (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md), with the transfers "basic" (one PUT) and
// "multipart" (one PUT for each part, then a POST that names them).

#include "core/owned.hpp"
#include "hub/client.hpp"
#include "hub/content.hpp"

#include <hfhub/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// A large file that is to be uploaded.
struct LfsObject {
    std::string oid;   ///< SHA-256 in hexadecimal digits.
    std::string path;  ///< In the repository, for messages.
    Content content;
    ContentInfo info;
};

/// A request that the server asks for.
struct LfsAction {
    std::string href;
    std::map<std::string, std::string> header;
};

/// What the server says about one object; without `upload` it has it already.
struct LfsInstructions {
    std::string oid;
    std::uint64_t size = 0;
    std::optional<LfsAction> upload, verify;
};

/// Where parts of a file go.
struct LfsParts {
    std::uint64_t chunk_size = 0;   ///< Of all parts but the last.
    std::vector<std::string> urls;  ///< In their order.
};

/// Body of the batch request. `ref` is a branch, as it is; none where write access to it is not needed.
json::value lfs_batch_request(std::span<const LfsObject> objects, const std::optional<std::string>& ref);
/// Throws InvalidArgumentError where the answer is malformed, or refuses objects.
std::vector<LfsInstructions> read_lfs_batch(const json::value& answer);
/// The parts, where the upload is to be made in parts. Throws InvalidArgumentError where they do not make up the size.
std::optional<LfsParts> lfs_parts(const LfsAction& upload, std::uint64_t size);
/// Body of the request that ends an upload in parts.
json::value lfs_completion(std::string_view oid, std::span<const std::string> etags);
/// Whether a storage server refused a URL because its time is over.
bool is_expired(int status, std::string_view body);

/// The repository that objects belong to.
struct LfsTarget {
    std::string repo_type, repo_id;
    std::optional<std::string> ref;  ///< As for lfs_batch_request.
    OwnedToken token{};
};

/// Uploads what the server does not have yet, up to `at_a_time` files at once; parts of a file are sent again one by
/// one where that is needed. Throws InvalidArgumentError, IoError, HfHubHttpError, TransportError.
awaitable<void> lfs_upload(Client client, LfsTarget target, std::vector<LfsObject> objects, std::size_t at_a_time);

/// For requests after whose body the server may work long before it answers.
void wait_longer_for_answer(http::Request& request, http::Milliseconds length);

}  // namespace hfhub::hub
