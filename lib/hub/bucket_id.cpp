#include "hub/bucket_id.hpp"

#include "core/json.hpp"
#include "core/url.hpp"
#include "core/utf8.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

constexpr std::string_view uri_prefix = "hf://", bucket_uri_prefix = "hf://buckets/", web_prefix = "/buckets/";
constexpr std::string_view default_endpoint = "https://huggingface.co";
constexpr std::size_t most_changes = 1000;

[[noreturn]] void refuse(std::string_view text) {
    throw HfValidationError("a bucket is named 'namespace/name' or 'hf://buckets/namespace/name', but this is '" +
                            printable(text) + "'");
}

/// The name without what says that it is one of a bucket.
std::string_view bare(std::string_view text, std::string_view endpoint) {
    if (text.starts_with(bucket_uri_prefix)) return text.substr(bucket_uri_prefix.size());
    if (text.starts_with(uri_prefix)) refuse(text);
    for (const std::string_view host : {endpoint, default_endpoint}) {
        const std::string prefix = std::string(host) + std::string(web_prefix);
        if (text.starts_with(prefix)) return text.substr(prefix.size());
    }
    return text;
}

BucketUrl url_of(std::string url, std::string_view id, std::string_view endpoint) {
    BucketUrl out;
    out.url = std::move(url);
    out.endpoint = endpoint;
    out.namespace_ = id.substr(0, id.find('/'));
    out.bucket_id = id;
    out.uri = {"bucket", std::string(id), std::nullopt, ""};
    return out;
}

void add(std::vector<std::string>& bodies, std::size_t& count, const json::object& change) {
    if (count++ % most_changes == 0) bodies.emplace_back();
    bodies.back() += json::serialize(change) + "\n";
}

}  // namespace

std::string bucket_id(std::string_view text, std::string_view endpoint) {
    const std::string_view id = bare(text, endpoint);
    if (std::count(id.begin(), id.end(), '/') != 1) refuse(text);
    validate_repo_id(id);
    return std::string(id);
}

std::string new_bucket_id(std::string_view text, std::string_view endpoint) {
    const std::string_view name = bare(text, endpoint);
    return bucket_id(name.find('/') == name.npos ? "me/" + std::string(name) : std::string(name), endpoint);
}

std::string bucket_api_path(std::string_view id) { return "/api/buckets/" + percent_encode(id, "/"); }

BucketUrl parse_bucket_url(std::string_view url, std::string_view endpoint) {
    const std::size_t at = url.find(web_prefix);
    const std::string id = at == url.npos ? "" : percent_decode(url.substr(at + web_prefix.size()));
    if (std::count(id.begin(), id.end(), '/') != 1 || id.front() == '/' || id.back() == '/') {
        throw JsonError("'" + printable(url) + "' is not the address of a bucket");
    }
    return url_of(std::string(url), id, endpoint);
}

BucketUrl make_bucket_url(std::string_view id, std::string_view endpoint) {
    return url_of(std::string(endpoint) + std::string(web_prefix) + percent_encode(id, "/"), id, endpoint);
}

std::vector<std::string> batch_bodies(const BatchBucketFilesOptions& options) {
    std::vector<std::string> bodies;
    std::size_t count = 0;
    for (const BucketCopy& copy : options.copy) {
        add(bodies, count,
            {{"type", "copyFile"},
             {"path", copy.destination},
             {"xetHash", copy.xet_hash},
             {"sourceRepoType", copy.source_repo_type},
             {"sourceRepoId", copy.source_repo_id}});
    }
    for (const std::string_view path : options.delete_) add(bodies, count, {{"type", "deleteFile"}, {"path", path}});
    return bodies;
}

void require_all_done(const json::value& answer) {
    const json::value* failed = find_member(answer, "failed");
    if (!failed || !failed->is_array() || failed->get_array().empty()) return;
    const json::value& first = failed->get_array().front();
    throw InvalidArgumentError("the Hub has not made " + std::to_string(failed->get_array().size()) +
                               " of the changes to the bucket, such as that of '" +
                               printable(text_member(first, "path")) + "': " + printable(text_member(first, "error")));
}

}  // namespace hfhub::hub
