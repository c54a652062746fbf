#include "core/json.hpp"
#include "hub/bucket_download.hpp"
#include "hub/bucket_id.hpp"
#include "hub/call.hpp"
#include "hub/file_metadata.hpp"
#include "hub/mapping.hpp"
#include "hub/pages.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/buckets.hpp>

namespace hfhub {

namespace hub {

namespace {

constexpr std::size_t most_paths = 1000;

awaitable<BucketInfo> bucket_info(Client client, std::string id, OwnedToken token) {
    http::Request request = client.request(http::Method::get, bucket_api_path(id), token);
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<BucketInfo>(answer, "the bucket");
}

// --- making one ---

json::object create_body(const CreateBucketOptions& options) {
    json::object body;
    if (options.private_) body["private"] = *options.private_;
    if (!options.resource_group_id.empty()) body["resourceGroupId"] = options.resource_group_id;
    if (!options.region.empty()) body["region"] = options.region;
    return body;
}

/// What the refusal of a bucket that exists says about it.
std::optional<BucketUrl> url_in(const HfHubHttpError& refusal, std::string_view endpoint) {
    try {
        const json::value answer = parse_json(refusal.context().body, "the answer to create_bucket");
        return parse_bucket_url(text_member(answer, "url"), endpoint);
    } catch (const JsonError&) {
        return std::nullopt;
    }
}

/// The bucket's address where a refusal may mean that it is there already, or nothing.
awaitable<std::optional<BucketUrl>> existing(Client client, std::string id, OwnedToken token, HfHubHttpError refusal) {
    if (refusal.status() == 409) co_return url_in(refusal, client.endpoint());
    // Without the right to create (no scope, no subscription, no access) what exists may still be used.
    if (refusal.status() != 401 && refusal.status() != 402 && refusal.status() != 403) co_return std::nullopt;
    try {
        auto asking = bucket_info(client, id, token);
        const BucketInfo info = co_await std::move(asking);
    } catch (const HfHubHttpError&) {
        co_return std::nullopt;
    }
    co_return std::optional<BucketUrl>(make_bucket_url(id, client.endpoint()));
}

awaitable<BucketUrl> create_bucket(Client client, std::string id, json::value body, bool exist_ok, OwnedToken token) {
    http::Request request = client.request(http::Method::post, bucket_api_path(id), token);
    set_json(request, body);
    std::exception_ptr refused;
    std::optional<HfHubHttpError> refusal;
    try {
        const json::value answer = co_await client.json(std::move(request));
        co_return parse_bucket_url(text_member(answer, "url"), client.endpoint());
    } catch (const HfHubHttpError& error) {
        if (!exist_ok) throw;
        refused = std::current_exception();
        refusal = error;
    }
    auto looking = existing(client, id, token, std::move(*refusal));
    std::optional<BucketUrl> there = co_await std::move(looking);
    if (!there) std::rethrow_exception(refused);
    co_return std::move(*there);
}

// --- changes ---

awaitable<void> delete_bucket(Client client, std::string id, bool missing_ok, OwnedToken token) {
    http::Request request = client.request(http::Method::delete_, bucket_api_path(id), token);
    try {
        const std::string ignored = co_await client.text(std::move(request));
    } catch (const BucketNotFoundError&) {
        if (!missing_ok) throw;
    }
}

awaitable<void> move_bucket(Client client, std::string from, std::string to, OwnedToken token) {
    http::Request request = client.request(http::Method::post, "/api/repos/move", token);
    set_json(request, {{"fromRepo", from}, {"toRepo", to}, {"type", "bucket"}});
    const std::string ignored = co_await client.text(std::move(request));
}

awaitable<void> send_batches(Client client, std::string id, std::vector<std::string> bodies, OwnedToken token) {
    for (std::string& body : bodies) {
        http::Request request = client.request(http::Method::post, bucket_api_path(id) + "/batch", token);
        request.headers.set("content-type", "application/x-ndjson");
        request.body = std::move(body);
        request.idempotent = true;  // a copy or deletion that was made before is made again in vain
        const std::string text = co_await client.text(std::move(request));
        if (!text.empty()) require_all_done(parse_json(text, "the answer to a batch of changes"));
    }
}

// --- files ---

Listing tree_listing(std::string_view id, const ListBucketTreeOptions& options) {
    Listing listing;
    listing.path = bucket_api_path(id) + "/tree";
    if (!options.prefix.empty()) listing.path += "/" + percent_encode(options.prefix);
    listing.query.add("recursive", options.recursive);
    listing.token = options.token;
    return listing;
}

/// Kinds of entries that this library does not know are left out.
bool is_known(const BucketEntry& entry) {
    if (const auto* file = std::get_if<BucketFile>(&entry)) return file->type == "file";
    return std::get<BucketFolder>(entry).type == "directory";
}

}  // namespace

awaitable<std::vector<BucketFile>> paths_info(Client client, std::string id, std::vector<std::string> paths,
                                              OwnedToken token) {
    std::vector<BucketFile> found;
    for (std::size_t at = 0; at < paths.size(); at += most_paths) {
        json::array some;
        for (std::size_t i = at; i < std::min(paths.size(), at + most_paths); ++i)
            some.push_back(json::string(paths[i]));
        http::Request request = client.request(http::Method::post, bucket_api_path(id) + "/paths-info", token);
        set_json(request, json::object{{"paths", std::move(some)}});
        request.idempotent = true;
        const json::value answer = co_await client.json(std::move(request));
        std::vector<BucketFile> page = from_json<std::vector<BucketFile>>(answer, "paths-info");
        found.insert(found.end(), std::make_move_iterator(page.begin()), std::make_move_iterator(page.end()));
    }
    co_return found;
}

namespace {

awaitable<BucketFileMetadata> bucket_file_metadata(Client client, std::string id, std::string path, OwnedToken token) {
    MetadataRequest asked;
    asked.url = client.endpoint() + "/buckets/" + percent_encode(id, "/") + "/resolve/" + percent_encode(path);
    asked.token = token;
    asked.timeout = client.environment().etag_timeout;
    asked.retry = true;
    auto asking = file_metadata(client, std::move(asked));
    HfFileMetadata metadata = co_await std::move(asking);
    if (!metadata.xet_file_data) {
        throw InvalidArgumentError("the answer about '" + path + "' of the bucket " + id +
                                   " does not say where its Xet chunks are");
    }
    co_return BucketFileMetadata{metadata.size, std::move(*metadata.xet_file_data)};
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicBuckets<Mode>::create_bucket(std::string_view bucket_id, CreateBucketOptions options) const ->
    typename Mode::template result<BucketUrl> {
    return call<Mode>(*this, hub::create_bucket, hub::new_bucket_id(bucket_id, this->endpoint()),
                      hub::create_body(options), options.exist_ok, options.token);
}

template <class Mode>
auto BasicBuckets<Mode>::bucket_info(std::string_view bucket_id, BucketOptions options) const ->
    typename Mode::template result<BucketInfo> {
    return call<Mode>(*this, hub::bucket_info, hub::bucket_id(bucket_id, this->endpoint()), options.token);
}

template <class Mode>
BasicPages<Mode, BucketInfo> BasicBuckets<Mode>::list_buckets(ListBucketsOptions options) const {
    hub::Listing listing;
    listing.path = "/api/buckets/" + percent_encode(options.namespace_.empty() ? "me" : options.namespace_);
    listing.query.add("search", options.search);
    listing.token = options.token;
    return pages<Mode>(*this, std::make_unique<hub::LinkedPages<BucketInfo>>(this->client(), std::move(listing)));
}

template <class Mode>
auto BasicBuckets<Mode>::delete_bucket(std::string_view bucket_id, DeleteBucketOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::delete_bucket, hub::bucket_id(bucket_id, this->endpoint()), options.missing_ok,
                      options.token);
}

template <class Mode>
auto BasicBuckets<Mode>::move_bucket(std::string_view from_id, std::string_view to_id, BucketOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::move_bucket, hub::bucket_id(from_id, this->endpoint()),
                      hub::bucket_id(to_id, this->endpoint()), options.token);
}

template <class Mode>
BasicPages<Mode, BucketEntry> BasicBuckets<Mode>::list_bucket_tree(std::string_view bucket_id,
                                                                   ListBucketTreeOptions options) const {
    const std::string id = hub::bucket_id(bucket_id, this->endpoint());
    return pages<Mode>(*this, std::make_unique<hub::LinkedPages<BucketEntry>>(
                                  this->client(), hub::tree_listing(id, options), hub::is_known));
}

template <class Mode>
auto BasicBuckets<Mode>::get_bucket_paths_info(std::string_view bucket_id, StringList paths,
                                               BucketOptions options) const ->
    typename Mode::template result<std::vector<BucketFile>> {
    std::vector<std::string> asked;
    for (const std::string_view path : paths) asked.emplace_back(path);
    return call<Mode>(*this, hub::paths_info, hub::bucket_id(bucket_id, this->endpoint()), asked, options.token);
}

template <class Mode>
auto BasicBuckets<Mode>::get_bucket_file_metadata(std::string_view bucket_id, std::string_view remote_path,
                                                  BucketOptions options) const ->
    typename Mode::template result<BucketFileMetadata> {
    return call<Mode>(*this, hub::bucket_file_metadata, hub::bucket_id(bucket_id, this->endpoint()), remote_path,
                      options.token);
}

template <class Mode>
auto BasicBuckets<Mode>::batch_bucket_files(std::string_view bucket_id, BatchBucketFilesOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::send_batches, hub::bucket_id(bucket_id, this->endpoint()), hub::batch_bodies(options),
                      options.token);
}

template <class Mode>
auto BasicBuckets<Mode>::download_bucket_files(std::string_view bucket_id, std::span<const BucketDownload> files,
                                               DownloadBucketFilesOptions options) const ->
    typename Mode::template result<void> {
    std::vector<hub::BucketFetch> wanted;
    for (const BucketDownload& file : files) {
        wanted.push_back({std::string(file.remote_path), std::string(file.local_path), file.size});
    }
    return call<Mode>(*this, hub::download_bucket_files, hub::bucket_id(bucket_id, this->endpoint()), wanted,
                      options.raise_on_missing_files, options.token);
}

HFHUB_INSTANTIATE_PAGES(BucketInfo);
HFHUB_INSTANTIATE_PAGES(BucketEntry);
template class BasicBuckets<Blocking>;
template class BasicBuckets<Awaiting>;

}  // namespace hfhub
