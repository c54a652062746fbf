#include "digest.hpp"
#include "hub.hpp"

#include <algorithm>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

constexpr std::size_t repositories_per_page = 1000;
constexpr std::size_t commits_per_page = 50;

void add_tags(json::array& tags, const json::object& card, std::string_view key, std::string_view prefix) {
    const json::value* value = card.if_contains(key);
    if (value == nullptr) return;
    auto add = [&](const json::value& item) {
        if (item.is_string()) tags.emplace_back(std::string(prefix) + std::string(item.as_string()));
    };
    if (!value->is_array()) return add(*value);
    for (const json::value& item : value->as_array()) add(item);
}

json::array tags_of(const Repository& repository) {
    json::array tags;
    const json::object& card = repository.card;
    add_tags(tags, card, "library_name", "");
    add_tags(tags, card, "pipeline_tag", "");
    add_tags(tags, card, "tags", "");
    if (!repository.sdk.empty()) tags.emplace_back(repository.sdk);
    bool model = repository.type == RepoType::model;
    add_tags(tags, card, "language", model ? "" : "language:");
    add_tags(tags, card, "datasets", "dataset:");
    add_tags(tags, card, "license", "license:");
    add_tags(tags, card, "task_categories", "task_categories:");
    add_tags(tags, card, "size_categories", "size_categories:");
    tags.emplace_back("region:us");
    return tags;
}

json::array siblings_of(const Files& files, bool blobs) {
    json::array siblings;
    for (const auto& [path, file] : files) {
        json::object sibling{{"rfilename", path}};
        if (blobs) {
            sibling["size"] = file->size;
            sibling["blobId"] = file->oid;
            if (file->is_lfs()) {
                sibling["lfs"] = {{"sha256", file->sha256},
                                  {"size", file->size},
                                  {"pointerSize", lfs_pointer(file->sha256, file->size).size()}};
            }
        }
        siblings.emplace_back(std::move(sibling));
    }
    return siblings;
}

std::uint64_t storage_of(const Files& files) {
    std::uint64_t total = 0;
    for (const auto& entry : files) total += entry.second->size;
    return total;
}

void add_type_fields(json::object& info, const Repository& repository) {
    if (repository.type == RepoType::model) {
        info["modelId"] = repository.id();
        for (const char* key : {"pipeline_tag", "library_name"}) {
            if (repository.card.contains(key)) info[key] = repository.card.at(key);
        }
    }
    if (repository.type == RepoType::space) {
        info["sdk"] = repository.sdk;
        info["subdomain"] = repository.owner + '-' + repository.name;
        info["runtime"] = {{"stage", "RUNNING"}, {"hardware", {{"current", "cpu-basic"}, {"requested", "cpu-basic"}}}};
    }
}

json::object summary(const Repository& repository) {
    json::object info{{"_id", sha1_hex(repository.created_at + std::to_string(repository.number)).substr(0, 24)},
                      {"id", repository.id()},
                      {"author", repository.owner},
                      {"sha", repository.head()},
                      {"lastModified", repository.last_modified},
                      {"createdAt", repository.created_at},
                      {"private", repository.is_private},
                      {"disabled", false},
                      {"downloads", repository.downloads},
                      {"downloadsAllTime", repository.downloads},
                      {"likes", 0},
                      {"trendingScore", 0},
                      {"tags", tags_of(repository)}};
    if (repository.gated.empty()) {
        info["gated"] = false;
    } else {
        info["gated"] = repository.gated;
    }
    add_type_fields(info, repository);
    return info;
}

void add_details(json::object& info, const Repository& repository, const Commit& commit, bool blobs) {
    info["sha"] = commit.id;
    info["lastModified"] = commit.date;
    info["siblings"] = siblings_of(*commit.files, blobs);
    info["usedStorage"] = storage_of(*commit.files);
    if (!repository.card.empty()) info["cardData"] = repository.card;
    if (repository.type == RepoType::model) {
        std::string_view task = "conversational";
        info["inferenceProviderMapping"] = {
            {"hf-inference", {{"status", "live"}, {"providerId", repository.id()}, {"task", task}}}};
        info["inference"] = "warm";
    }
}

// ?expand= names the only members that are wanted besides the ids.
json::object expanded(const json::object& info, const std::vector<std::string_view>& names) {
    json::object chosen{{"_id", info.at("_id")}, {"id", info.at("id")}};
    for (std::string_view name : names) {
        if (const json::value* value = info.if_contains(name)) chosen[name] = *value;
    }
    return chosen;
}

bool matches(const Repository& repository, const json::object& info, const Request& request) {
    std::string id = lower_case(repository.id());
    for (std::string_view term : request.parameters("search")) {
        if (id.find(lower_case(term)) == id.npos) return false;
    }
    if (auto author = request.parameter("author"); author && repository.owner != *author) return false;
    if (auto gated = request.parameter("gated"); gated && request.flag("gated") == repository.gated.empty())
        return false;
    auto wanted = request.parameters("filter");
    if (auto task = request.parameter("pipeline_tag")) wanted.push_back(*task);
    const json::array& tags = info.at("tags").as_array();
    return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view tag) {
        return std::any_of(tags.begin(), tags.end(), [&](const json::value& has) { return has.as_string() == tag; });
    });
}

void sort_by(std::vector<std::pair<const Repository*, json::object>>& found, const Request& request) {
    std::string key(request.parameter("sort").value_or("trendingScore"));
    bool ascending = request.parameter("direction").value_or("-1") == "1";
    auto before = [&](const json::object& a, const json::object& b) {
        const json::value* left = a.if_contains(key);
        const json::value* right = b.if_contains(key);
        if (left == nullptr || right == nullptr) return false;
        if (left->is_string() && right->is_string()) return left->as_string() < right->as_string();
        return left->is_number() && right->is_number() &&
               left->to_number<std::int64_t>() < right->to_number<std::int64_t>();
    };
    std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
        const json::object& left = ascending ? a.second : b.second;
        const json::object& right = ascending ? b.second : a.second;
        if (before(left, right)) return true;
        return !before(right, left) && a.first->number < b.first->number;
    });
}

}  // namespace

Response list_repositories(Call& call) {
    std::vector<std::pair<const Repository*, json::object>> found;
    for (const Repository* repository : call.hub.repositories.all(call.type)) {
        if (repository->is_private && !(call.account && call.account->is_member(repository->owner))) continue;
        json::object info = summary(*repository);
        if (matches(*repository, info, call.request)) found.emplace_back(repository, std::move(info));
    }
    sort_by(found, call.request);
    auto names = call.request.parameters("expand");
    bool full = call.request.flag("full");
    json::array list;
    for (auto& [repository, info] : found) {
        if (full || !names.empty()) add_details(info, *repository, *repository->revision("main"), false);
        if (call.request.flag("cardData") && !repository->card.empty()) info["cardData"] = repository->card;
        list.emplace_back(names.empty() ? std::move(info) : expanded(info, names));
    }
    return page_of(call, std::move(list), repositories_per_page);
}

Response repository_info(Call& call) {
    const Repository& repository = *call.repository;
    auto commit = repository.revision(call.rest.size() > 1 ? call.rest_path(1) : "main");
    json::object info = summary(repository);
    add_details(info, repository, *commit, call.request.flag("blobs"));
    auto names = call.request.parameters("expand");
    return json_of(names.empty() ? info : expanded(info, names));
}

Response refs(Call& call) {
    const Repository& repository = *call.repository;
    auto list = [](const std::map<std::string, std::string>& names, const std::string& prefix) {
        json::array entries;
        for (const auto& [name, commit] : names) {
            entries.push_back({{"name", name}, {"ref", prefix + name}, {"targetCommit", commit}});
        }
        return entries;
    };
    json::object all{{"branches", list(repository.branches, "refs/heads/")},
                     {"converts", json::array()},
                     {"tags", list(repository.tags, "refs/tags/")}};
    if (call.request.flag("include_prs")) {
        json::array requests;
        for (const auto& [number, commit] : repository.pull_requests) {
            std::string name = "refs/pr/" + std::to_string(number);
            requests.push_back({{"name", name}, {"ref", name}, {"targetCommit", commit}});
        }
        all["pullRequests"] = std::move(requests);
    }
    return json_of(all);
}

Response commit_history(Call& call) {
    auto expand = call.request.parameters("expand");
    bool formatted = std::find(expand.begin(), expand.end(), "formatted") != expand.end();
    json::array list;
    for (const auto& commit : call.repository->history(call.rest_path(1))) {
        json::object entry{{"id", commit->id},
                           {"title", commit->title},
                           {"message", commit->message},
                           {"authors", json::array{{{"user", commit->author}, {"avatar", "/avatars/x.svg"}}}},
                           {"date", commit->date}};
        if (formatted) entry["formatted"] = {{"title", commit->title}, {"message", commit->message}};
        list.emplace_back(std::move(entry));
    }
    return page_of(call, std::move(list), commits_per_page);
}

}  // namespace hfhub::local_hub
