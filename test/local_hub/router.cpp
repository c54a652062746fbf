#include "hub.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

HubError no_such_page() { return {404, "", "Sorry, we can't find the page you are looking for."}; }

constexpr std::array<std::string_view, 17> repository_parts = {
    "revision",  "tree",         "paths-info", "refs",     "commits",       "branch",
    "tag",       "preupload",    "commit",     "settings", "auth-check",    "discussions",
    "lfs-files", "super-squash", "duplicate",  "likers",   "xet-read-token"};

bool is_repository_part(std::string_view name) {
    return std::find(repository_parts.begin(), repository_parts.end(), name) != repository_parts.end();
}

HubError moved_permanently(const Call& call, const std::string& target) {
    HubError moved(307, "", "Temporary Redirect. Redirecting to " + target);
    std::string path = call.request.path;
    std::size_t at = path.find(call.repo_id);
    if (at != std::string::npos) path.replace(at, call.repo_id.size(), target);
    if (!call.request.raw_query.empty()) path += '?' + call.request.raw_query;
    moved.extra_headers.emplace_back("location", path);
    return moved;
}

Response local_route(Call& call, const std::vector<std::string>& path) {
    ++call.hub.statistics.other_requests;
    const std::string action = path.size() > 1 ? path[1] : "";
    if (action == "stats") return json_response(call.hub.statistics.to_json());
    if (action == "reset" && call.request.method == "POST") {
        call.hub.statistics.reset();
        call.hub.faults.clear();
        if (call.request.flag("repositories")) {
            call.hub.repositories.clear();
            call.hub.contents.clear();
        }
        return json_response("{}");
    }
    if (action == "faults" && call.request.method == "POST") {
        json::object rule = call.json();
        call.hub.faults.add_rule(
            {string_member_or(rule, "method", ""), string_member_or(rule, "path", ""), string_member(rule, "fault")});
        return json_response("{}");
    }
    throw no_such_page();
}

Response auth_check(Call& call) {
    require_access(call);
    if (call.rest.size() > 1 && call.rest[1] == "write") call.require_write();
    return json_response("{\"ok\":true}");
}

Response repository_route(Call& call) {
    const std::string part = call.rest.empty() ? "" : call.rest[0];
    if (part.empty() || part == "revision") return repository_info(call);
    if (part == "tree") return tree(call);
    if (part == "paths-info") return paths_info(call);
    if (part == "refs") return refs(call);
    if (part == "commits") return commit_history(call);
    if (part == "branch") return branch_route(call);
    if (part == "tag") return tag_route(call);
    if (part == "preupload") return preupload(call);
    if (part == "commit") return commit(call);
    if (part == "settings") return settings_route(call);
    if (part == "auth-check") return auth_check(call);
    if (part == "discussions") return discussions_route(call);
    if (part == "lfs-files") return lfs_files_route(call);
    if (part == "super-squash") return super_squash(call);
    if (part == "duplicate") return duplicate(call);
    if (part == "likers") return json_response("[]");
    throw no_such_page();
}

std::optional<RepoType> type_of_plural(std::string_view name) {
    for (RepoType type : {RepoType::model, RepoType::dataset, RepoType::space, RepoType::kernel}) {
        if (name.size() == name_of(type).size() + 1 && name.starts_with(name_of(type)) && name.ends_with('s')) {
            return type;
        }
    }
    return std::nullopt;
}

// [type prefix/]owner/name[.git]/… : moves the call behind the id; false where the path is too short for one.
bool take_page_id(Call& call, std::vector<std::string>& path) {
    auto type = type_of_plural(path[0]);
    std::size_t begin = type && *type != RepoType::model ? 1 : 0;
    if (begin == 1) call.type = *type;
    auto marker = std::find_if(path.begin() + static_cast<std::ptrdiff_t>(begin), path.end(),
                               [](const std::string& part) { return part == "resolve" || part == "info"; });
    auto parts = marker - path.begin() - static_cast<std::ptrdiff_t>(begin);
    if (marker == path.end() || parts < 1 || parts > 2) return false;
    std::string id = path[begin];
    if (parts == 2) id += '/' + path[begin + 1];
    if (*marker == "info" && id.ends_with(".git")) id.resize(id.size() - 4);
    set_repository(call, id);
    call.rest.assign(std::make_move_iterator(marker), std::make_move_iterator(path.end()));
    return true;
}

Response page_route(Call& call, std::vector<std::string>& path) {
    if (path.empty() || !take_page_id(call, path)) throw no_such_page();
    auto& rest = call.rest;
    if (rest[0] == "info" && rest.size() == 4 && rest[1] == "lfs" && rest[2] == "objects") {
        ++call.hub.statistics.lfs_requests;
        find_repository(call);
        return lfs_route(call, rest[3]);
    }
    if (rest[0] != "resolve" || rest.size() < 3) throw no_such_page();
    ++call.hub.statistics.resolve_requests;
    find_repository(call);
    // The revision is one encoded segment; refs/pr/1 and refs/convert/parquet are understood as they are, too.
    if (rest[1] == "refs" && rest.size() > 4)
        return resolve(call, "refs/" + rest[2] + '/' + rest[3], call.rest_path(4));
    return resolve(call, rest[1], call.rest_path(2));
}

}  // namespace

void set_repository(Call& call, std::string_view id) { call.repo_id = id; }

void find_repository(Call& call, bool hide_private) {
    call.repository = call.hub.repositories.find(call.type, call.repo_id);
    if (call.repository == nullptr) {
        if (const std::string* target = call.hub.repositories.moved_to(call.type, call.repo_id)) {
            throw moved_permanently(call, *target);
        }
        throw repo_not_found(!call.account);
    }
    bool member = call.account && call.account->is_member(call.repository->owner);
    if (hide_private && call.repository->is_private && !member) throw repo_not_found(true);
}

void require_access(const Call& call) {
    const Repository& repository = *call.repository;
    if (repository.gated.empty() || (call.account && call.account->is_member(repository.owner))) return;
    std::string message =
        "Access to " + std::string(name_of(repository.type)) + ' ' + repository.id() + " is restricted";
    if (!call.account) {
        throw HubError(401, "GatedRepo",
                       message + ". You must have access to it and be authenticated to access it. Please log in.");
    }
    throw HubError(
        403, "GatedRepo",
        message + " and you are not in the authorized list. Visit " + call.repo_url() + " to ask for access.");
}

Response api_route(Call& call, const std::vector<std::string>& path) {
    ++call.hub.statistics.api_requests;
    const std::string first = path.size() > 1 ? path[1] : "";
    if (first == "whoami-v2") return whoami(call);
    if (first == "repos") return repos_route(call, path);
    if (first == "validate-yaml") return validate_yaml(call);
    if (first == "complete_multipart") return complete_multipart(call);
    auto type = type_of_plural(first);
    if (!type) throw no_such_page();
    call.type = *type;
    if (path.size() == 2) return list_repositories(call);
    bool short_id = path.size() == 3 || is_repository_part(path[3]);
    set_repository(call, short_id ? path[2] : path[2] + '/' + path[3]);
    call.rest.assign(path.begin() + (short_id ? 3 : 4), path.end());
    find_repository(call);
    return repository_route(call);
}

Response Hub::answer_hub(Request& request) {
    std::vector<std::string> path = path_segments(request.path);
    Call call{*this, request, account_of(request), {}, RepoType::model, {}, nullptr};
    if (!path.empty() && path[0] == "_local") return local_route(call, path);
    if (!path.empty() && path[0] == "api") return api_route(call, path);
    return page_route(call, path);
}

}  // namespace hfhub::local_hub
