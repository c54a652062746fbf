#include "hub.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

struct Wanted {
    std::string oid;
    std::uint64_t size = 0;
};

Wanted wanted_object(const json::object& object) {
    Wanted wanted;
    wanted.oid = string_member(object, "oid");
    bool hexadecimal = wanted.oid.find_first_not_of("0123456789abcdef") == wanted.oid.npos;
    if (wanted.oid.size() != 64 || !hexadecimal) throw bad_request("oid is no sha256: " + wanted.oid);
    const json::value* size = object.if_contains("size");
    if (size == nullptr || !size->is_number()) throw bad_request("\"size\" is required");
    wanted.size = size->to_number<std::uint64_t>();
    return wanted;
}

json::object upload_action(const Call& call, const Wanted& wanted, bool multipart) {
    Hub& hub = call.hub;
    if (!multipart || wanted.size <= hub.settings.multipart_threshold) {
        return {{"href", hub.signed_url(call.request, "PUT", "/objects/" + wanted.oid)}};
    }
    std::string id = hub.contents.begin_parts(wanted.oid, wanted.size, hub.settings.chunk_size);
    unsigned count = hub.contents.find_upload(id)->part_count();
    json::object header{{"chunk_size", std::to_string(hub.settings.chunk_size)}};
    for (unsigned number = 1; number <= count; ++number) {
        std::string digits = std::to_string(number);
        std::string key = std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
        header[key] = hub.signed_url(call.request, "PUT", "/uploads/" + id + '/' + digits);
    }
    return {{"href", hub.signed_hub_url(call.request, "POST", "/api/complete_multipart/" + id)},
            {"header", std::move(header)}};
}

json::object upload_instructions(const Call& call, const Wanted& wanted, bool multipart) {
    json::object answer{{"oid", wanted.oid}, {"size", wanted.size}, {"authenticated", true}};
    if (call.hub.contents.has(wanted.oid, wanted.size)) return answer;
    std::string verify = call.repo_url() + ".git/info/lfs/objects/verify";
    answer["actions"] = {{"upload", upload_action(call, wanted, multipart)}, {"verify", {{"href", verify}}}};
    return answer;
}

json::object download_instructions(const Call& call, const Wanted& wanted) {
    json::object answer{{"oid", wanted.oid}, {"size", wanted.size}, {"authenticated", true}};
    if (call.hub.contents.has(wanted.oid, wanted.size)) {
        std::string href = call.hub.signed_url(call.request, "GET", "/objects/" + wanted.oid);
        answer["actions"] = {{"download", {{"href", href}}}};
    } else {
        answer["error"] = {{"code", 404}, {"message", "Object does not exist"}};
    }
    return answer;
}

bool offers_multipart(const json::object& body) {
    const json::value* transfers = body.if_contains("transfers");
    if (transfers == nullptr || !transfers->is_array()) return false;
    const json::array& list = transfers->as_array();
    return std::find(list.begin(), list.end(), json::value("multipart")) != list.end();
}

Response batch(Call& call) {
    json::object body = call.json();
    bool upload = string_member(body, "operation") == "upload";
    if (upload) {
        const Account& account = call.signed_in();
        if (!account.can_write) call.require_write();
    } else {
        require_access(call);
    }
    const json::value* objects = body.if_contains("objects");
    if (objects == nullptr || !objects->is_array()) throw bad_request("\"objects\" is required");
    bool multipart = offers_multipart(body);
    json::array answers;
    bool parts = false;
    for (const json::value& item : objects->as_array()) {
        if (!item.is_object()) throw bad_request("\"objects\" holds something else than objects");
        Wanted wanted = wanted_object(item.as_object());
        parts = parts || (multipart && wanted.size > call.hub.settings.multipart_threshold);
        answers.emplace_back(upload ? upload_instructions(call, wanted, multipart)
                                    : download_instructions(call, wanted));
    }
    Response response =
        json_of(json::object{{"transfer", upload && parts ? "multipart" : "basic"}, {"objects", std::move(answers)}});
    response.headers = {{"content-type", "application/vnd.git-lfs+json"}};
    return response;
}

Response verify(Call& call) {
    call.signed_in();
    Wanted wanted = wanted_object(call.json());
    if (!call.hub.contents.has(wanted.oid, wanted.size))
        throw HubError(404, "", "Object does not exist: " + wanted.oid);
    return json_response("{}");
}

}  // namespace

Response lfs_route(Call& call, std::string_view action) {
    if (action == "batch") return batch(call);
    if (action == "verify") return verify(call);
    throw HubError(404, "", "Unknown LFS action " + std::string(action));
}

Response complete_multipart(Call& call) {
    call.hub.check_signature(call.request);
    std::string id = path_segments(call.request.path).back();
    auto upload = call.hub.contents.find_upload(id);
    if (!upload) throw HubError(404, "", "NoSuchUpload: " + id);
    json::object body = call.json();
    if (string_member(body, "oid") != upload->oid) throw bad_request("oid is another than the upload's");
    const json::value* parts = body.if_contains("parts");
    if (parts == nullptr || !parts->is_array()) throw bad_request("\"parts\" is required");
    std::vector<std::string> etags;
    for (const json::value& part : parts->as_array()) {
        etags.push_back(string_member(part.as_object(), "etag"));
        if (part.as_object().at("partNumber").to_number<std::size_t>() != etags.size()) {
            throw bad_request("InvalidPartOrder: part " + std::to_string(etags.size()));
        }
    }
    call.hub.contents.complete(id, etags);
    return json_response("{}");
}

Response lfs_files_route(Call& call) {
    if (call.rest.size() > 1 && call.rest[1] == "duplicate") {
        call.signed_in();
        return json_response("{\"failed\":[]}");
    }
    auto head = call.repository->revision("main");
    json::array list;
    for (const auto& [path, file] : *head->files) {
        if (!file->is_lfs()) continue;
        list.push_back({{"fileOid", file->sha256},
                        {"filename", path},
                        {"oid", file->sha256},
                        {"pushedAt", head->date},
                        {"ref", "main"},
                        {"size", file->size}});
    }
    return page_of(call, std::move(list), 1000);
}

}  // namespace hfhub::local_hub
