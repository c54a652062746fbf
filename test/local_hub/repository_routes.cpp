#include "digest.hpp"
#include "hub.hpp"

#include <algorithm>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

bool is_valid_name(std::string_view name) {
    bool characters = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    });
    bool edges =
        !name.empty() && name.front() != '-' && name.front() != '.' && name.back() != '-' && name.back() != '.';
    return characters && edges && name.size() <= 96 && name.find("--") == name.npos && name.find("..") == name.npos &&
           !name.ends_with(".git");
}

// The id that {"name", "organization"} of a body means; the account's own namespace where none is given.
std::string id_in(const Call& call, const json::object& body) {
    std::string name = string_member(body, "name");
    std::string owner = string_member_or(body, "organization", "");
    if (owner.empty() && name.find('/') != name.npos) return name;
    return (owner.empty() ? call.signed_in().name : owner) + '/' + name;
}

void require_namespace(const Call& call, std::string_view id, std::string_view verb) {
    std::string owner(id.substr(0, id.find('/')));
    const Account& account = call.signed_in();
    if (account.can_write && account.is_member(owner)) return;
    throw HubError(403, "",
                   "You don't have the rights to " + std::string(verb) + " a " + std::string(name_of(call.type)) +
                       " under the namespace \"" + owner + "\"");
}

Response created(const Call& call) {
    return json_of(json::object{
        {"url", call.repo_url()}, {"name", call.repo_id}, {"id", sha1_hex(call.repo_url()).substr(0, 24)}});
}

void require_free(const Call& call) {
    if (call.hub.repositories.find(call.type, call.repo_id) == nullptr) return;
    HubError taken(409, "", "You already created this " + std::string(name_of(call.type)) + " repo");
    taken.url = call.repo_url();
    throw taken;
}

void apply_visibility(Repository& repository, const json::object& body) {
    if (const auto* flag = body.if_contains("private"); flag != nullptr && flag->is_bool()) {
        repository.is_private = flag->as_bool();
    }
    std::string visibility = string_member_or(body, "visibility", "");
    if (!visibility.empty()) repository.is_private = visibility == "private";
}

Response create_repository(Call& call) {
    json::object body = call.json();
    call.type = repo_type_of(string_member_or(body, "type", "model"));
    set_repository(call, id_in(call, body));
    std::string_view name = std::string_view(call.repo_id).substr(call.repo_id.find('/') + 1);
    if (!is_valid_name(name)) throw bad_request("Invalid repo name: " + std::string(name));
    require_namespace(call, call.repo_id, "create");
    require_free(call);
    std::string sdk = string_member_or(body, "sdk", "");
    if (call.type == RepoType::space && sdk.empty()) throw bad_request("\"sdk\" is required to create a Space");
    Repository& repository = call.hub.repositories.create(call.type, call.repo_id, call.signed_in().name);
    repository.sdk = sdk;
    apply_visibility(repository, body);
    return created(call);
}

Response delete_repository(Call& call) {
    json::object body = call.json();
    call.type = repo_type_of(string_member_or(body, "type", "model"));
    set_repository(call, id_in(call, body));
    find_repository(call);
    call.require_write();
    call.hub.repositories.remove(call.type, call.repo_id);
    return text_response("OK");
}

Response move_repository(Call& call) {
    json::object body = call.json();
    call.type = repo_type_of(string_member_or(body, "type", "model"));
    std::string target = string_member(body, "toRepo");
    set_repository(call, string_member(body, "fromRepo"));
    find_repository(call);
    call.require_write();
    require_namespace(call, target, "create");
    if (target.find('/') == target.npos) throw bad_request("Invalid repo name: " + target);
    std::string source = std::exchange(call.repo_id, target);
    require_free(call);
    call.hub.repositories.move(call.type, source, target);
    return text_response("OK");
}

HubError reference_exists(const std::string& name) { return {409, "", "Reference already exists: " + name}; }

}  // namespace

Response repos_route(Call& call, const std::vector<std::string>& path) {
    const std::string action = path.size() > 2 ? path[2] : "";
    call.signed_in();
    if (action == "create" && call.request.method == "POST") return create_repository(call);
    if (action == "delete" && call.request.method == "DELETE") return delete_repository(call);
    if (action == "move" && call.request.method == "POST") return move_repository(call);
    throw HubError(404, "", "Sorry, we can't find the page you are looking for.");
}

Response settings_route(Call& call) {
    call.require_write();
    json::object body = call.json();
    if (const auto* gated = body.if_contains("gated")) {
        call.repository->gated = gated->is_string() ? std::string(gated->as_string()) : "";
    }
    apply_visibility(*call.repository, body);
    return json_of(body);
}

Response branch_route(Call& call) {
    call.require_write();
    Repository& repository = *call.repository;
    std::string name = call.rest_path(1);
    if (call.request.method == "DELETE") {
        if (name == "main") throw HubError(403, "", "Cannot delete protected branch main");
        if (repository.branches.erase(name) == 0) throw revision_not_found(name);
        return text_response("OK");
    }
    json::object body = call.request.body.empty() ? json::object() : call.json();
    auto start = repository.revision(string_member_or(body, "startingPoint", "main"));
    bool overwrite = body.contains("overwrite") && body.at("overwrite") == true;
    if (repository.branches.contains(name) && !overwrite) throw reference_exists(name);
    repository.branches[name] = start->id;
    return text_response("OK", 201);
}

Response tag_route(Call& call) {
    call.require_write();
    Repository& repository = *call.repository;
    std::string name = call.rest_path(1);
    if (call.request.method == "DELETE") {
        if (repository.tags.erase(name) == 0) throw revision_not_found(name);
        repository.tag_messages.erase(name);
        return text_response("OK");
    }
    json::object body = call.json();
    std::string tag = string_member(body, "tag");
    auto target = repository.revision(name);
    if (repository.tags.contains(tag)) throw HubError(409, "", "Tag " + tag + " already exists");
    repository.tags[tag] = target->id;
    repository.tag_messages[tag] = string_member_or(body, "message", "");
    return text_response("OK", 201);
}

Response super_squash(Call& call) {
    call.require_write();
    std::string branch = call.rest_path(1);
    std::string* head = call.repository->writable_head(branch);
    if (head == nullptr) throw revision_not_found(branch);
    Commit squashed;
    squashed.title = string_member_or(call.json(), "message", "Super-squash branch '" + branch + "'");
    squashed.author = call.signed_in().name;
    squashed.files = call.repository->commits.at(*head)->files;
    *head = call.repository->add_commit(std::move(squashed))->id;
    return text_response("OK");
}

Response duplicate(Call& call) {
    json::object body = call.json();
    Repository source = *call.repository;
    set_repository(call, string_member(body, "repository"));
    require_namespace(call, call.repo_id, "create");
    require_free(call);
    Repository& copy = call.hub.repositories.create(call.type, call.repo_id, call.signed_in().name);
    copy.sdk = source.sdk;
    copy.card = source.card;
    copy.branches["main"] = source.head();
    copy.commits = source.commits;
    apply_visibility(copy, body);
    return created(call);
}

}  // namespace hfhub::local_hub
