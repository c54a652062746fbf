#pragma once

// A Hub in memory with one repository, and the cache that its snapshots go to.

#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "core/mapping.hpp"
#include "file_server.hpp"
#include "hub/cache_layout.hpp"
#include "hub/cache_store.hpp"
#include "hub/repo_tree.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace hfhub::test {

namespace fs = std::filesystem;

class SnapshotServer {
  public:
    /// Answers in place of the repository.
    using Instead = std::function<std::optional<FileAnswer>(const FileRequestSeen&)>;

    explicit SnapshotServer(std::map<std::string, std::string> content, FileServer::Variables environment = {})
        : files(std::move(content)),
          server([this](const FileRequestSeen& seen) { return answer(seen); }, home.path().string(),
                 std::move(environment)) {}

    HfApi api() const { return HfApi(server.session()); }
    fs::path download(SnapshotDownloadOptions options = {}) const { return api().snapshot_download("a/m", options); }
    std::size_t requests() const { return server.seen().size(); }
    /// How many of the requests are for paths that hold the text.
    long asked(std::string_view method, std::string_view part) const {
        return std::count_if(server.seen().begin(), server.seen().end(), [&](const FileRequestSeen& seen) {
            return seen.method == method && seen.url.find(part) != std::string::npos;
        });
    }
    fs::path tree() const { return hub::tree_file(cache.folder(), commit); }
    /// The folder of the commit, with those files in it.
    fs::path leave(const std::vector<std::string>& names) const {
        for (const std::string& name : names) {
            const fs::path path = cache.pointer(commit, name);
            make_directories(path.parent_path());
            write_file_atomically(path, files.at(name));
        }
        hub::write_ref(cache, "main", commit);
        return cache.snapshot(commit);
    }
    void leave_tree() const {
        hub::RepoTree listed;
        for (const auto& [name, text] : files) listed.push_back({name, text.size(), git_sha1_of(text), {}, {}, {}});
        hub::write_tree(tree(), listed);
    }

    std::map<std::string, std::string> files;
    Instead instead;
    TemporaryFolder home;
    FileServer server;
    hub::RepoCache cache{home / "hub", "model", "a/m"};

  private:
    FileAnswer answer(const FileRequestSeen& seen) const {
        if (instead) {
            if (auto other = instead(seen)) return std::move(*other);
        }
        const std::string path = seen.url.substr(FileServer::endpoint.size());
        if (path.starts_with("/api/models/a/m/revision/")) {
            return {.body = R"({"id":"a/m","sha":")" + std::string(commit) + "\"}"};
        }
        if (path.starts_with("/api/models/a/m/tree/")) return {.body = listing()};
        const std::string prefix = "/a/m/resolve/" + std::string(commit) + "/";
        const auto file = path.starts_with(prefix) ? files.find(path.substr(prefix.size())) : files.end();
        if (file == files.end()) return {.status = 404, .headers = {{"x-error-code", "EntryNotFound"}}};
        return seen.method == "HEAD" ? head_of(file->second, false) : rest_of(file->second, seen);
    }

    std::string listing() const {
        json::array items;
        for (const auto& [name, text] : files) {
            items.push_back({{"type", "file"}, {"path", name}, {"size", text.size()}, {"oid", git_sha1_of(text)}});
        }
        return json::serialize(items);
    }
};

inline std::map<std::string, std::string> numbered_files(std::size_t count) {
    std::map<std::string, std::string> files;
    for (std::size_t i = 0; i < count; ++i) files["f" + std::to_string(i)] = "content " + std::to_string(i);
    return files;
}

}  // namespace hfhub::test
