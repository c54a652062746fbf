#include "digest.hpp"
#include "hub.hpp"

#include <cstdlib>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

constexpr std::size_t discussions_per_page = 10;

json::object author_json(const std::string& name) {
    return {{"_id", sha1_hex(name).substr(0, 24)}, {"name", name}, {"fullname", name}, {"type", "user"}};
}

json::object describe(const Call& call, const Discussion& discussion) {
    return {{"num", discussion.number},
            {"title", discussion.title},
            {"status", discussion.status},
            {"author", author_json(discussion.author)},
            {"isPullRequest", discussion.is_pull_request},
            {"createdAt", discussion.created_at},
            {"repo", {{"name", call.repo_id}, {"type", name_of(call.type)}}}};
}

json::object& add_event(Discussion& discussion, const std::string& type, const std::string& author, json::object data) {
    std::string id = sha1_hex(std::to_string(discussion.number) + ':' + std::to_string(discussion.events.size()));
    discussion.events.push_back({{"id", id.substr(0, 24)},
                                 {"type", type},
                                 {"author", author_json(author)},
                                 {"createdAt", timestamp()},
                                 {"data", std::move(data)}});
    return discussion.events.back().as_object();
}

json::object& add_comment(Discussion& discussion, const std::string& author, const std::string& text) {
    json::object latest{{"raw", text}, {"html", text}, {"updatedAt", timestamp()}, {"author", author_json(author)}};
    return add_event(discussion, "comment", author,
                     {{"edited", false}, {"hidden", false}, {"latest", std::move(latest)}});
}

Response create(Call& call) {
    call.signed_in();
    json::object body = call.json();
    const json::value* flag = body.if_contains("pullRequest");
    bool is_pull_request = flag != nullptr && flag->is_bool() && flag->as_bool();
    Discussion& discussion = open_discussion(call, string_member(body, "title"), is_pull_request);
    if (is_pull_request) {
        discussion.status = "draft";
        call.repository->pull_requests[discussion.number] = call.repository->head();
    }
    std::string description = string_member_or(body, "description", "");
    if (!description.empty()) add_comment(discussion, discussion.author, description);
    return json_of(json::object{{"num", discussion.number},
                                {"url", call.repo_url() + "/discussions/" + std::to_string(discussion.number)},
                                {"pullRequest", is_pull_request}});
}

Response list(Call& call) {
    std::string kind(call.request.parameter("type").value_or("all"));
    std::string status(call.request.parameter("status").value_or("all"));
    auto author = call.request.parameter("author");
    json::array all;
    for (auto it = call.repository->discussions.rbegin(); it != call.repository->discussions.rend(); ++it) {
        const Discussion& discussion = it->second;
        if (kind == "discussion" && discussion.is_pull_request) continue;
        if (kind == "pull_request" && !discussion.is_pull_request) continue;
        bool open = discussion.status == "open" || discussion.status == "draft";
        if (status != "all" && (status == "open") != open) continue;
        if (author && discussion.author != *author) continue;
        all.emplace_back(describe(call, discussion));
    }
    std::size_t page = std::strtoul(std::string(call.request.parameter("p").value_or("0")).c_str(), nullptr, 10);
    std::size_t begin = std::min(page * discussions_per_page, all.size());
    std::size_t end = std::min(begin + discussions_per_page, all.size());
    json::array shown(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
    return json_of(json::object{{"discussions", std::move(shown)}, {"count", all.size()}, {"start", begin}});
}

Response details(Call& call, const Discussion& discussion) {
    json::object info = describe(call, discussion);
    info["events"] = discussion.events;
    if (discussion.is_pull_request) {
        info["changes"] = {{"base", "refs/heads/main"}};
        if (discussion.status == "merged") info["changes"].as_object()["mergeCommitId"] = call.repository->head();
        info["filesWithConflicts"] = json::array();
        info["diff"] = "";
    }
    return json_of(info);
}

Response merge(Call& call, Discussion& discussion) {
    call.require_write();
    auto proposed = call.repository->pull_requests.find(discussion.number);
    if (proposed == call.repository->pull_requests.end()) throw bad_request("no pull request");
    Commit merged;
    merged.parent = call.repository->head();
    merged.title = discussion.title + " (#" + std::to_string(discussion.number) + ")";
    merged.author = call.signed_in().name;
    merged.files = call.repository->commits.at(proposed->second)->files;
    call.repository->branches["main"] = call.repository->add_commit(std::move(merged))->id;
    discussion.status = "merged";
    add_event(discussion, "status-change", call.signed_in().name, {{"status", "merged"}});
    return json_response("{}");
}

}  // namespace

Discussion& open_discussion(Call& call, const std::string& title, bool is_pull_request) {
    unsigned number = call.repository->next_discussion();
    Discussion& discussion = call.repository->discussions[number];
    discussion.number = number;
    discussion.title = title;
    discussion.author = call.signed_in().name;
    discussion.status = "open";
    discussion.created_at = timestamp();
    discussion.is_pull_request = is_pull_request;
    return discussion;
}

Response discussions_route(Call& call) {
    bool post = call.request.method == "POST";
    if (call.rest.size() == 1) return post ? create(call) : list(call);
    auto found =
        call.repository->discussions.find(static_cast<unsigned>(std::strtoul(call.rest[1].c_str(), nullptr, 10)));
    if (found == call.repository->discussions.end()) throw HubError(404, "", "Discussion not found");
    Discussion& discussion = found->second;
    if (call.rest.size() == 2) return details(call, discussion);
    const std::string& action = call.rest[2];
    const std::string& who = call.signed_in().name;
    if (action == "merge") return merge(call, discussion);
    json::object body = call.json();
    if (action == "comment" && call.rest.size() == 3) {
        return json_of(json::object{{"newMessage", add_comment(discussion, who, string_member(body, "comment"))}});
    }
    if (action == "status") {
        discussion.status = string_member(body, "status");
        return json_of(
            json::object{{"newStatus", add_event(discussion, "status-change", who, {{"status", discussion.status}})}});
    }
    if (action == "title") {
        std::string old = std::exchange(discussion.title, string_member(body, "title"));
        return json_of(json::object{
            {"newTitle", add_event(discussion, "title-change", who, {{"from", old}, {"to", discussion.title}})}});
    }
    throw HubError(404, "", "Sorry, we can't find the page you are looking for.");
}

}  // namespace hfhub::local_hub
