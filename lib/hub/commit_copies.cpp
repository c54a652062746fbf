#include "hub/commit_copies.hpp"

#include "core/json.hpp"
#include "core/url.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>

namespace hfhub::hub {

namespace {

constexpr std::size_t paths_per_request = 500;
constexpr std::size_t duplicates_per_request = 500;

Entry read_entry(const json::value& value) {
    Entry entry;
    entry.path = text_member(value, "path");
    entry.oid = text_member(value, "oid");
    entry.is_folder = text_member(value, "type") == "directory";
    if (const json::value* lfs = find_member(value, "lfs")) {
        const std::string_view sha256 = text_member(*lfs, "oid");
        if (!sha256.empty()) entry.sha256 = sha256;
    }
    if (const std::string_view hash = text_member(value, "xetHash"); !hash.empty()) entry.xet_hash = hash;
    return entry;
}

}  // namespace

awaitable<std::map<std::string, Entry>> look_up(Client client, Place place, std::vector<std::string> paths,
                                                OwnedToken token) {
    std::map<std::string, Entry> found;
    const std::string url =
        repo_api_path(place.repo_type, place.repo_id) + "/paths-info/" + percent_encode(place.revision);
    for (std::size_t at = 0; at < paths.size(); at += paths_per_request) {
        std::string form;
        const std::size_t end = std::min(paths.size(), at + paths_per_request);
        for (std::size_t i = at; i < end; ++i) form += "paths=" + percent_encode(paths[i]) + "&";
        http::Request request = client.request(http::Method::post, url, token);
        request.body = form + "expand=false";
        request.headers.set("content-type", "application/x-www-form-urlencoded");
        request.idempotent = true;
        const json::value answer = co_await client.json(std::move(request));
        if (!answer.is_array()) throw JsonError("the Hub's answer about files of " + place.text() + " is not a list");
        for (const json::value& value : answer.get_array()) {
            Entry entry = read_entry(value);
            found.insert_or_assign(entry.path, std::move(entry));
        }
    }
    co_return found;
}

namespace {

/// Copies with one source repository and revision.
using Group = std::vector<Copying*>;

std::vector<Group> grouped(const std::vector<Copying*>& copies) {
    std::map<std::tuple<std::string, std::string, std::string>, Group> by_source;
    for (Copying* copy : copies) {
        by_source[{copy->source_repo_id, copy->source_repo_type, copy->source_revision}].push_back(copy);
    }
    std::vector<Group> groups;
    for (auto& [source, group] : by_source) groups.push_back(std::move(group));
    return groups;
}

Place source_of(const Copying& copy, const CopyTarget& target) {
    if (copy.source_repo_id.empty()) {
        return {target.repo_type, target.repo_id,
                copy.source_revision.empty() ? target.revision : copy.source_revision};
    }
    return {copy.source_repo_type, copy.source_repo_id, copy.source_revision.empty() ? "main" : copy.source_revision};
}

awaitable<std::string> fetch(Client client, const Place& place, const std::string& path, OwnedToken token) {
    const std::string url = resolve_path(place.repo_type, place.repo_id, place.revision, path);
    http::Request request = client.request(http::Method::get, url, token);
    co_return co_await client.text(std::move(request));
}

void take_entry(Copying& copy, const Entry& entry) {
    copy.sha256 = entry.sha256.value_or(std::string());
    copy.xet_hash = entry.xet_hash;
    if (copy.source_repo_id.empty()) copy.source_oid = entry.oid;
}

awaitable<void> resolve_group(Client client, const CopyTarget& target, const Group& group) {
    const Place place = source_of(*group.front(), target);
    std::vector<std::string> paths;
    for (const Copying* copy : group) paths.push_back(copy->source_path);
    const std::map<std::string, Entry> entries = co_await look_up(client, place, std::move(paths), target.token);
    std::map<std::string, std::string> contents;
    for (Copying* copy : group) {
        const auto entry = entries.find(copy->source_path);
        if (entry == entries.end())
            throw MissingSourceError("cannot copy " + copy->source_path + ": it is not in " + place.text());
        if (entry->second.is_folder) {
            throw InvalidArgumentError("cannot copy " + copy->source_path + " of " + place.text() + ": it is a folder");
        }
        take_entry(*copy, entry->second);
        if (entry->second.sha256) continue;
        const auto known = contents.find(copy->source_path);
        if (known == contents.end()) {
            std::string content = co_await fetch(client, place, copy->source_path, target.token);
            contents.emplace(copy->source_path, content);
            copy->content = std::move(content);
        } else {
            copy->content = known->second;
        }
    }
}

/// The large files of one foreign repository, each content once.
json::array duplicates_of(const Group& group, const Place& place) {
    json::array files;
    std::set<std::string> known;
    for (const Copying* copy : group) {
        if (copy->sha256.empty()) continue;
        if (!copy->xet_hash) {
            throw InvalidArgumentError("cannot copy the large file " + copy->source_path + " of " + place.text() +
                                       " into another repository: it is not in Xet storage");
        }
        if (!known.insert(copy->sha256).second) continue;
        files.push_back(
            json::object{{"xetHash", *copy->xet_hash}, {"sha256", copy->sha256}, {"filename", copy->source_path}});
    }
    return files;
}

void check_duplicates(const json::value& answer, const Place& place) {
    const json::value* failed = find_member(answer, "failed");
    if (!failed || !failed->is_array() || failed->get_array().empty()) return;
    std::string text = "the Hub could not copy these files of " + place.text() + ":";
    for (const json::value& one : failed->get_array()) {
        text.append("\n").append(text_member(one, "sha256")).append(": ").append(text_member(one, "error"));
    }
    throw Error(text);
}

awaitable<void> duplicate(Client client, const CopyTarget& target, const Group& group) {
    const Place place = source_of(*group.front(), target);
    const json::array files = duplicates_of(group, place);
    for (std::size_t at = 0; at < files.size(); at += duplicates_per_request) {
        json::array batch;
        for (std::size_t i = at; i < std::min(files.size(), at + duplicates_per_request); ++i)
            batch.push_back(files[i]);
        json::object body;
        body["target"] = json::object{{"type", target.repo_type}, {"name", target.repo_id}};
        body["files"] = std::move(batch);
        http::Request request = client.request(
            http::Method::post, repo_api_path(place.repo_type, place.repo_id) + "/lfs-files/duplicate", target.token);
        set_json(request, std::move(body));
        const json::value answer = co_await client.json(std::move(request));
        check_duplicates(answer, place);
    }
}

}  // namespace

awaitable<void> resolve_copies(Client client, CopyTarget target, std::vector<Copying*> copies) {
    if (copies.empty()) co_return;
    std::vector<std::string> paths;
    for (const Copying* copy : copies) paths.push_back(copy->path);
    Place place{target.repo_type, target.repo_id, target.revision};
    const std::map<std::string, Entry> present =
        co_await look_up(client, std::move(place), std::move(paths), target.token);
    for (Copying* copy : copies) {
        const auto entry = present.find(copy->path);
        if (entry != present.end() && !entry->second.is_folder) copy->present_oid = entry->second.oid;
    }
    const std::vector<Group> groups = grouped(copies);
    for (const Group& group : groups) co_await resolve_group(client, target, group);
    for (const Group& group : groups) {
        if (!group.front()->source_repo_id.empty()) co_await duplicate(client, target, group);
    }
}

}  // namespace hfhub::hub
