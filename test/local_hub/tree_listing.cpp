#include "digest.hpp"
#include "hub.hpp"

#include <boost/json/parse.hpp>

#include <set>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

constexpr std::size_t entries_per_page = 1000;
constexpr std::size_t expanded_entries_per_page = 50;

class TreeListing {
  public:
    TreeListing(const Repository& repository, const Commit& commit, bool expand)
        : repository_(repository), commit_(commit), expand_(expand) {}

    json::object file(const std::string& path, const File& file) const {
        json::object entry{{"type", "file"}, {"oid", file.oid}, {"size", file.size}, {"path", path}};
        if (file.is_lfs()) {
            entry["lfs"] = {
                {"oid", file.sha256}, {"size", file.size}, {"pointerSize", lfs_pointer(file.sha256, file.size).size()}};
        }
        if (expand_) {
            add_last_commit(entry, file.last_commit);
            entry["securityFileStatus"] = {
                {"status", "safe"}, {"avScan", {{"status", "safe"}}}, {"pickleImportScan", nullptr}};
        }
        return entry;
    }

    json::object directory(const std::string& path) const {
        json::object entry{{"type", "directory"}, {"oid", commit_.trees().at(path)}, {"size", 0}, {"path", path}};
        if (expand_) add_last_commit(entry, last_commit_below(path));
        return entry;
    }

    bool has_directory(const std::string& path) const { return commit_.trees().contains(path); }

  private:
    void add_last_commit(json::object& entry, const std::string& id) const {
        auto found = repository_.commits.find(id);
        if (found == repository_.commits.end()) return;
        const Commit& commit = *found->second;
        entry["lastCommit"] = {{"id", commit.id}, {"title", commit.title}, {"date", commit.date}};
    }

    std::string last_commit_below(const std::string& directory) const {
        std::string prefix = directory + '/';
        std::shared_ptr<const Commit> last;
        for (auto it = commit_.files->lower_bound(prefix); it != commit_.files->end() && it->first.starts_with(prefix);
             ++it) {
            auto found = repository_.commits.find(it->second->last_commit);
            if (found == repository_.commits.end()) continue;
            if (!last || found->second->number > last->number) last = found->second;
        }
        return last ? last->id : "";
    }

    const Repository& repository_;
    const Commit& commit_;
    bool expand_;
};

// Directories first, then files, each by path.
json::array entries_below(const TreeListing& listing, const Files& files, const std::string& prefix, bool recursive) {
    std::set<std::string> directories;
    json::array below;
    for (auto it = files.lower_bound(prefix); it != files.end() && it->first.starts_with(prefix); ++it) {
        std::size_t slash = it->first.find('/', prefix.size());
        if (slash == std::string::npos || recursive) below.emplace_back(listing.file(it->first, *it->second));
        for (; slash != std::string::npos; slash = it->first.find('/', slash + 1)) {
            directories.insert(it->first.substr(0, slash));
            if (!recursive) break;
        }
    }
    json::array entries;
    for (const std::string& path : directories) entries.emplace_back(listing.directory(path));
    for (json::value& entry : below) entries.emplace_back(std::move(entry));
    return entries;
}

struct PathsQuery {
    std::vector<std::string> paths;
    bool expand = false;
};

PathsQuery paths_query(const Call& call) {
    PathsQuery query;
    if (call.request.header("content-type").starts_with("application/json")) {
        json::object body = call.json();
        if (const auto* paths = body.if_contains("paths"); paths != nullptr && paths->is_array()) {
            for (const json::value& path : paths->as_array()) {
                if (path.is_string()) query.paths.emplace_back(path.as_string());
            }
        }
        const json::value* expand = body.if_contains("expand");
        query.expand = expand != nullptr && expand->is_bool() && expand->as_bool();
        return query;
    }
    for (auto& [name, value] : parse_form(call.request.body)) {
        if (name == "paths") query.paths.push_back(std::move(value));
        if (name == "expand") query.expand = value == "true" || value == "True" || value == "1";
    }
    return query;
}

}  // namespace

Response tree(Call& call) {
    std::string revision = call.rest.size() > 1 ? call.rest[1] : "main";
    auto commit = call.repository->revision(revision);
    std::string path = call.rest_path(2);
    while (path.ends_with('/')) path.pop_back();
    bool expand = call.request.flag("expand");
    TreeListing listing(*call.repository, *commit, expand);
    if (!path.empty() && !listing.has_directory(path)) {
        throw HubError(404, "EntryNotFound", path + " does not exist on \"" + revision + '"');
    }
    std::string prefix = path.empty() ? "" : path + '/';
    json::array entries = entries_below(listing, *commit->files, prefix, call.request.flag("recursive"));
    return page_of(call, std::move(entries), expand ? expanded_entries_per_page : entries_per_page);
}

Response paths_info(Call& call) {
    auto commit = call.repository->revision(call.rest_path(1));
    PathsQuery query = paths_query(call);
    TreeListing listing(*call.repository, *commit, query.expand);
    json::array entries;
    for (std::string& path : query.paths) {
        while (path.ends_with('/')) path.pop_back();
        if (auto file = commit->files->find(path); file != commit->files->end()) {
            entries.emplace_back(listing.file(path, *file->second));
        } else if (!path.empty() && listing.has_directory(path)) {
            entries.emplace_back(listing.directory(path));
        }
    }
    return json_of(entries);
}

}  // namespace hfhub::local_hub
