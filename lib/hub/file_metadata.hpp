#pragma once

// What a HEAD request tells about a file.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/download.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// The opaque part of an ETag, without W/ and quotes (RFC 9110 8.8.3).
std::string_view opaque_etag(std::string_view etag) noexcept;
/// Whether it is a strong validator in its full form, which If-Range may carry.
bool is_strong_etag(std::string_view etag) noexcept;

/// Reads an answer to HEAD. `url` is what was asked last. No I/O.
HfFileMetadata read_metadata(int status, const http::Headers& headers, const Url& url, std::string_view endpoint);

struct MetadataRequest {
    std::string url;
    OwnedToken token{};
    std::chrono::milliseconds timeout{0};  ///< Of each step, and of a request that is not retried as a whole.
    bool retry = false;
};

/// Throws as get_hf_file_metadata.
awaitable<HfFileMetadata> file_metadata(Client client, MetadataRequest request);

}  // namespace hfhub::hub
