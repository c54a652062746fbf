#include "hub.hpp"

#include <cstdlib>

namespace hfhub::local_hub {

namespace {

HubError no_such_key() { return {404, "", "NoSuchKey: there is no such object"}; }

struct StorageTarget {
    enum class Kind { object, part } kind;
    std::string id;
    unsigned part = 0;
};

StorageTarget target_of(const Request& request) {
    auto path = path_segments(request.path);
    if (path.size() == 2 && path[0] == "objects") return {StorageTarget::Kind::object, path[1], 0};
    if (path.size() == 3 && path[0] == "uploads") {
        return {StorageTarget::Kind::part, path[1], static_cast<unsigned>(std::strtoul(path[2].c_str(), nullptr, 10))};
    }
    throw no_such_key();
}

void check(const Hub& hub, const Request& request) {
    if (request.has_header("authorization")) {
        ++hub.statistics.authorization_at_storage;
        throw HubError(400, "", "InvalidArgument: Only one auth mechanism allowed; the request carries Authorization");
    }
    hub.check_signature(request);
}

Response get_object(Hub& hub, const Request& request) {
    ++hub.statistics.storage_reads;
    StorageTarget target = target_of(request);
    auto object = hub.contents.find(target.id);
    if (target.kind != StorageTarget::Kind::object || !object) throw no_such_key();
    // Its own validator, as storage hosts have: neither the sha256 nor git's id.
    std::string etag = '"' + target.id.substr(0, 32) + '"';
    Response response = serve_range(request, etag, object->size, object->file, nullptr);
    response.with("content-type", "binary/octet-stream");
    response.with("cache-control", "max-age=31536000");
    return response;
}

Response object_written(Hub& hub, const std::string& oid, ObjectSink& sink) {
    std::string digest = sink.sha256();
    if (digest != oid) throw bad_request("BadDigest: the bytes have the sha256 " + digest);
    hub.contents.adopt(sink.path(), oid, sink.size());
    Response response;
    response.with("etag", '"' + oid.substr(0, 32) + '"');
    return response;
}

Response part_written(Hub& hub, const StorageTarget& target, const PartSink& sink) {
    auto upload = hub.contents.find_upload(target.id);
    if (!upload) throw HubError(404, "", "NoSuchUpload: " + target.id);
    if (!sink.has_right_size()) throw bad_request("EntityTooSmall: the part has not the size it must have");
    Response response;
    response.with("etag", hub.contents.part_written(*upload, target.id, target.part));
    return response;
}

}  // namespace

std::unique_ptr<BodySink> storage_sink(Hub& hub, const Request& request) {
    check(hub, request);
    StorageTarget target = target_of(request);
    if (target.kind == StorageTarget::Kind::object) {
        return std::make_unique<ObjectSink>(hub.contents.new_temporary_file());
    }
    auto upload = hub.contents.find_upload(target.id);
    if (!upload || upload->size_of_part(target.part) == 0) throw HubError(404, "", "NoSuchUpload: " + target.id);
    return std::make_unique<PartSink>(std::move(upload), target.part);
}

Response storage_route(Hub& hub, Request& request, std::unique_ptr<BodySink> sink) {
    check(hub, request);
    if (request.method == "GET" || request.method == "HEAD") return get_object(hub, request);
    if (request.method != "PUT") throw HubError(405, "", "MethodNotAllowed");
    ++hub.statistics.storage_writes;
    StorageTarget target = target_of(request);
    if (!sink) sink = storage_sink(hub, request);  // an empty body; or the error that sink_for kept back
    if (target.kind == StorageTarget::Kind::object)
        return object_written(hub, target.id, static_cast<ObjectSink&>(*sink));
    return part_written(hub, target, static_cast<PartSink&>(*sink));
}

}  // namespace hfhub::local_hub
