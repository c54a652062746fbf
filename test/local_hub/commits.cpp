#include "digest.hpp"
#include "gitignore.hpp"
#include "hub.hpp"
#include "repo_card.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

constexpr std::uint64_t max_regular_size = 10 * 1024 * 1024;
constexpr std::array<std::string_view, 20> large_file_endings = {
    ".safetensors", ".bin", ".parquet", ".onnx", ".pt",  ".pth", ".h5",  ".gguf", ".zip", ".gz",
    ".tar",         ".pkl", ".arrow",   ".npy",  ".npz", ".7z",  ".mp4", ".wav",  ".jpg", ".png"};

HubError entry_missing() { return {404, "EntryNotFound", "A file with this name doesn't exist"}; }

bool may_propose(const Call& call) { return call.request.flag("create_pr") && call.signed_in().can_write; }

bool is_large(const Hub& hub, std::string_view path, std::uint64_t size, std::string_view sample) {
    if (size == 0) return false;
    bool ending = std::any_of(large_file_endings.begin(), large_file_endings.end(),
                              [&](std::string_view end) { return path.ends_with(end); });
    return ending || size > hub.settings.lfs_threshold || sample.find('\0') != sample.npos;
}

Gitignore gitignore_for(const json::object& body, const Files& files) {
    if (const auto* text = body.if_contains("gitIgnore"); text != nullptr && text->is_string()) {
        return Gitignore(text->as_string());
    }
    auto file = files.find(".gitignore");
    return Gitignore(file != files.end() && file->second->content ? *file->second->content : "");
}

std::string checked_path(const json::object& value) {
    std::string path = string_member(value, "path");
    for (const std::string& part : path_segments(path)) {
        if (part == ".." || part == "." || part == ".git") throw bad_request("Invalid path in repo: " + path);
    }
    if (path.empty() || path.front() == '/') throw bad_request("Invalid path in repo: " + path);
    return path;
}

/// Applies the operations of a commit to a copy of the files of its parent.
class Change {
  public:
    Change(const Call& call, const Files& before) : call_(call), files_(before) {}

    void apply(const std::string& key, const json::object& value) {
        if (key == "file") return add_file(value);
        if (key == "lfsFile") return add_large_file(value);
        if (key == "deletedFile") return remove_file(value);
        if (key == "deletedFolder" || key == "deletedEntry") return remove_folder(value);
        if (key == "copyFile") return copy_file(value);
        throw bad_request("Unknown operation in the commit: " + key);
    }

    std::shared_ptr<const Files> files() const { return std::make_shared<const Files>(files_); }
    void stamp(const std::string& commit_id) {
        for (auto& file : added_) file->last_commit = commit_id;
    }
    const std::string* readme() const {
        auto found = files_.find("README.md");
        return found == files_.end() ? nullptr : found->second->content.get();
    }

  private:
    void put(const std::string& path, File file) {
        if (std::string below = path + '/'; has_entries(below)) throw bad_request(path + " is a folder");
        added_.push_back(std::make_shared<File>(std::move(file)));
        files_[path] = added_.back();
    }

    bool has_entries(const std::string& prefix) const {
        auto it = files_.lower_bound(prefix);
        return it != files_.end() && it->first.starts_with(prefix);
    }

    void add_file(const json::object& value) {
        std::string content = string_member(value, "content");
        std::string path = checked_path(value);
        if (string_member_or(value, "encoding", "utf-8") == "base64") {
            try {
                content = base64_decode(content);
            } catch (const std::invalid_argument& error) {
                throw bad_request(path + ": " + error.what());
            }
        }
        if (content.size() > max_regular_size) {
            throw bad_request("Your push was rejected because it contains files larger than 10 MiB: " + path);
        }
        File file;
        file.oid = git_blob_oid(content);
        file.size = content.size();
        file.content = std::make_shared<const std::string>(std::move(content));
        put(path, std::move(file));
    }

    void add_large_file(const json::object& value) {
        File file;
        file.sha256 = string_member(value, "oid");
        if (string_member_or(value, "algo", "sha256") != "sha256") throw bad_request("algo must be sha256");
        auto object = call_.hub.contents.find(file.sha256);
        const json::value* size = value.if_contains("size");
        if (!object || (size != nullptr && size->is_number() && size->to_number<std::uint64_t>() != object->size)) {
            throw bad_request("Your push was rejected because an LFS pointer pointed to a file that does not exist: " +
                              file.sha256);
        }
        file.size = object->size;
        file.oid = git_blob_oid(lfs_pointer(file.sha256, file.size));
        put(checked_path(value), std::move(file));
    }

    void remove_file(const json::object& value) {
        if (files_.erase(checked_path(value)) == 0) throw entry_missing();
    }

    void remove_folder(const json::object& value) {
        std::string path = checked_path(value);
        while (path.ends_with('/')) path.pop_back();
        std::size_t before = files_.size();
        std::erase_if(files_, [&](const auto& entry) { return entry.first.starts_with(path + '/'); });
        files_.erase(path);
        if (files_.size() == before) throw entry_missing();
    }

    void copy_file(const json::object& value) {
        auto source = call_.repository->revision(string_member_or(value, "srcRevision", "main"));
        auto found = source->files->find(string_member(value, "srcPath"));
        if (found == source->files->end()) throw entry_missing();
        put(checked_path(value), File(*found->second));
    }

    const Call& call_;
    Files files_;
    std::vector<std::shared_ptr<File>> added_;
};

struct Submission {
    json::object header;
    std::vector<std::pair<std::string, json::object>> operations;
};

Submission read_submission(std::string_view body) {
    Submission submission;
    bool has_header = false;
    while (!body.empty()) {
        std::size_t end = std::min(body.find('\n'), body.size());
        std::string_view line = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (line.empty()) continue;
        json::error_code error;
        json::value item = json::parse(line, error);
        if (error || !item.is_object() || !item.as_object().contains("value") ||
            !item.as_object().at("value").is_object()) {
            throw bad_request("A line of the commit is no {\"key\", \"value\"} object");
        }
        std::string key = string_member(item.as_object(), "key");
        json::object value = std::move(item.as_object().at("value").as_object());
        if (key == "header") {
            submission.header = std::move(value);
            has_header = true;
        } else {
            submission.operations.emplace_back(std::move(key), std::move(value));
        }
    }
    if (!has_header) throw bad_request("The commit has no header");
    return submission;
}

json::object commit_answer(const Call& call, const Commit& commit) {
    return {{"success", true},
            {"commitOid", commit.id},
            {"commitUrl", call.repo_url() + "/commit/" + commit.id},
            {"hookOutput", ""}};
}

void require_parent(const json::object& header, const Commit& head) {
    std::string parent = string_member_or(header, "parentCommit", "");
    if (!parent.empty() && !head.id.starts_with(parent)) {
        throw HubError(412, "", "A commit has happened since. Please refresh and try again.");
    }
}

}  // namespace

Response preupload(Call& call) {
    if (!may_propose(call)) call.require_write();
    auto head = call.repository->revision(call.rest_path(1));
    json::object body = call.json();
    Gitignore ignore = gitignore_for(body, *head->files);
    json::array answers;
    const json::value* files = body.if_contains("files");
    if (files == nullptr || !files->is_array()) throw bad_request("\"files\" is required");
    if (files->as_array().size() > 256) throw bad_request("at most 256 files per request");
    for (const json::value& item : files->as_array()) {
        if (!item.is_object()) throw bad_request("\"files\" holds something else than objects");
        const json::object& file = item.as_object();
        std::string path = string_member(file, "path");
        std::string sample = base64_decode(string_member_or(file, "sample", ""));
        const json::value* size = file.if_contains("size");
        std::uint64_t bytes = size != nullptr && size->is_number() ? size->to_number<std::uint64_t>() : 0;
        json::object answer{{"path", path},
                            {"uploadMode", is_large(call.hub, path, bytes, sample) ? "lfs" : "regular"},
                            {"shouldIgnore", ignore.ignores(path)}};
        if (auto known = head->files->find(path); known != head->files->end()) {
            answer["oid"] = known->second->is_lfs() ? known->second->sha256 : known->second->oid;
        }
        answers.emplace_back(std::move(answer));
    }
    return json_of(json::object{{"files", std::move(answers)}, {"commitOid", head->id}});
}

Response commit(Call& call) {
    bool proposal = may_propose(call);
    if (!proposal) call.require_write();
    Repository& repository = *call.repository;
    std::string revision = call.rest_path(1);
    auto parent = repository.revision(revision);
    std::string* head = repository.writable_head(revision);
    if (head == nullptr && !proposal) throw bad_request(revision + " is no branch: nothing can be committed to it");
    Submission submission = read_submission(call.request.body);
    require_parent(submission.header, *parent);
    Change change(call, *parent->files);
    for (const auto& [key, value] : submission.operations) change.apply(key, value);

    Commit next;
    next.parent = parent->id;
    next.title = string_member(submission.header, "summary");
    next.message = string_member_or(submission.header, "description", "");
    next.author = call.signed_in().name;
    next.files = change.files();
    auto made = repository.add_commit(std::move(next));
    change.stamp(made->id);
    json::object answer = commit_answer(call, *made);
    if (proposal) {
        Discussion& discussion = open_discussion(call, made->title, true);
        repository.pull_requests[discussion.number] = made->id;
        answer["pullRequestUrl"] = call.repo_url() + "/discussions/" + std::to_string(discussion.number);
        return json_of(answer);
    }
    *head = made->id;
    if (head == &repository.branches["main"]) {
        const std::string* readme = change.readme();
        repository.card = readme != nullptr ? parse_card(*readme).fields : json::object();
    }
    return json_of(answer);
}

Response validate_yaml(Call& call) {
    RepoCard card = parse_card(string_member(call.json(), "content"));
    if (card.error.empty()) return json_response("{\"errors\":[],\"warnings\":[]}");
    json::array errors{{{"message", card.error}}};
    return json_of(json::object{{"errors", std::move(errors)}, {"warnings", json::array()}}, 400);
}

}  // namespace hfhub::local_hub
