#pragma once

// Names of buckets, and what is sent about them. No I/O.

#include <hfhub/hub/buckets.hpp>

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// "namespace/name" of a bucket that is named in one of its three ways. Throws HfValidationError.
std::string bucket_id(std::string_view text, std::string_view endpoint);
/// The same, with the namespace "me" where none is named.
std::string new_bucket_id(std::string_view text, std::string_view endpoint);

/// "/api/buckets/namespace/name", percent-encoded.
std::string bucket_api_path(std::string_view id);

/// What an address of a bucket says. Throws JsonError where it is none.
BucketUrl parse_bucket_url(std::string_view url, std::string_view endpoint);
BucketUrl make_bucket_url(std::string_view id, std::string_view endpoint);

/// Lines of JSON, each a change; no more than 1000 in one text.
std::vector<std::string> batch_bodies(const BatchBucketFilesOptions& options);
/// Throws InvalidArgumentError where the answer names changes that were not made.
void require_all_done(const json::value& answer);

}  // namespace hfhub::hub
