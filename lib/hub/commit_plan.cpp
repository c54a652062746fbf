#include "hub/commit_plan.hpp"

#include "core/base64.hpp"
#include "core/json.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace hfhub::hub {

namespace {

constexpr std::array<std::string_view, 2> forbidden_folders = {".git", ".cache"};
constexpr std::array<std::string_view, 2> default_endpoints = {"https://huggingface.co",
                                                               "https://hub-ci.huggingface.co"};

/// Calls `visit` with each part between slashes.
template <class Visit>
void for_each_part(std::string_view path, Visit&& visit) {
    for (;;) {
        const std::size_t slash = path.find('/');
        visit(path.substr(0, slash));
        if (slash == path.npos) return;
        path.remove_prefix(slash + 1);
    }
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_commit_id(std::string_view text) {
    return text.size() >= 5 && text.size() <= 40 &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

struct Owner {
    Operation operator()(const CommitOperationAdd& add) const {
        const UploadSource& source = add.path_or_fileobj;
        if (!source.is_uploaded()) return Addition{.path = std::string(add.path_in_repo), .content = Content(source)};
        return Addition{.path = std::string(add.path_in_repo),
                        .content = Content(),
                        .info = ContentInfo{.size = source.uploaded_size()},
                        .mode = UploadMode::lfs,
                        .uploaded = true,
                        .oid = std::string(source.view())};
    }
    Operation operator()(const CommitOperationDelete& remove) const {
        return Deletion{.path = std::string(remove.path_in_repo),
                        .is_folder = remove.is_folder.value_or(remove.path_in_repo.ends_with('/'))};
    }
    Operation operator()(const CommitOperationCopy& copy) const {
        return Copying{.source_path = std::string(copy.src_path_in_repo),
                       .path = std::string(copy.path_in_repo),
                       .source_revision = std::string(copy.src_revision),
                       .source_repo_id = std::string(copy.src_repo_id),
                       .source_repo_type = std::string(copy.src_repo_type)};
    }
};

struct Checker {
    void operator()(Addition& addition) const {
        addition.path = checked_path_in_repo(addition.path);
        if (!addition.uploaded || is_sha256(addition.oid)) return;
        throw InvalidArgumentError("'" + addition.oid + "' is not the SHA-256 of what was uploaded as '" +
                                   addition.path + "'");
    }
    void operator()(Deletion& deletion) const { deletion.path = checked_path_in_repo(deletion.path); }
    void operator()(Copying& copy) const {
        copy.source_path = checked_path_in_repo(copy.source_path);
        copy.path = checked_path_in_repo(copy.path);
        if (copy.source_repo_id.empty() != copy.source_repo_type.empty()) {
            throw InvalidArgumentError("a copy from another repository needs both src_repo_id and src_repo_type");
        }
    }
};

/// Finds paths that one commit writes and writes again or deletes.
class OverwriteCheck {
  public:
    std::optional<std::string> operator()(const Addition& addition) {
        const bool again = !written_.insert(addition.path).second;
        for (std::size_t slash = addition.path.find('/'); slash != std::string::npos;
             slash = addition.path.find('/', slash + 1)) {
            written_.insert(addition.path.substr(0, slash));
        }
        if (!again) return std::nullopt;
        return "the commit writes '" + addition.path + "' more than once; the last content stays";
    }
    std::optional<std::string> operator()(const Deletion& deletion) const {
        std::string path = deletion.path;
        while (path.ends_with('/')) path.pop_back();
        if (!written_.contains(path)) return std::nullopt;
        return "the commit deletes '" + deletion.path + "' after it has written " +
               (deletion.is_folder ? "files in it" : "it");
    }
    std::optional<std::string> operator()(const Copying&) const { return std::nullopt; }

  private:
    std::set<std::string> written_;
};

std::string line(std::string_view key, json::object value) {
    return json::serialize(json::object{{"key", key}, {"value", std::move(value)}}) + "\n";
}

[[noreturn]] void malformed(std::string_view why) {
    throw InvalidArgumentError("the Hub's answer about how to upload cannot be used: " + std::string(why));
}

struct Decision {
    UploadMode mode = UploadMode::regular;
    bool ignored = false;
    std::optional<std::string> oid;
};

Decision read_decision(const json::value& file) {
    Decision decision;
    const std::string_view mode = text_member(file, "uploadMode");
    if (mode != "lfs" && mode != "regular") malformed("uploadMode is '" + std::string(mode) + "'");
    if (mode == "lfs") decision.mode = UploadMode::lfs;
    const json::value* ignored = find_member(file, "shouldIgnore");
    decision.ignored = ignored && ignored->is_bool() && ignored->get_bool();
    if (const std::string_view oid = text_member(file, "oid"); !oid.empty()) decision.oid = oid;
    return decision;
}

}  // namespace

Operations::Operations(const CommitOperations& operations) {
    list.reserve(operations.size());
    for (const CommitOperation& operation : operations) list.push_back(std::visit(Owner{}, operation));
}

void Operations::check() {
    for (Operation& operation : list) std::visit(Checker{}, operation);
}

std::vector<Addition*> Operations::additions() {
    std::vector<Addition*> found;
    for (Operation& operation : list) {
        if (auto* addition = std::get_if<Addition>(&operation)) found.push_back(addition);
    }
    return found;
}

std::vector<Copying*> Operations::copies() {
    std::vector<Copying*> found;
    for (Operation& operation : list) {
        if (auto* copy = std::get_if<Copying>(&operation)) found.push_back(copy);
    }
    return found;
}

std::size_t Operations::deletions() const {
    return static_cast<std::size_t>(std::count_if(list.begin(), list.end(), [](const Operation& operation) {
        return std::holds_alternative<Deletion>(operation);
    }));
}

std::string checked_path_in_repo(std::string_view path) {
    const std::string quoted = "'" + std::string(path) + "'";
    if (path.starts_with('/')) path.remove_prefix(1);
    if (path.starts_with("./")) path.remove_prefix(2);
    if (path.empty() || path == ".") throw InvalidArgumentError("path_in_repo " + quoted + " names no file or folder");
    if (path.find('\0') != path.npos) throw InvalidArgumentError("path_in_repo " + quoted + " holds a NUL byte");
    for_each_part(path, [&](std::string_view part) {
        if (part == "..")
            throw InvalidArgumentError("path_in_repo " + quoted + " leads out of its folder: '..' is refused");
        for (const std::string_view folder : forbidden_folders) {
            if (part != folder) continue;
            throw InvalidArgumentError("path_in_repo " + quoted + " lies in a folder " + std::string(folder) +
                                       ", which cannot be committed");
        }
    });
    return std::string(path);
}

void check_commit(std::string_view repo_id, const CreateCommitOptions& options) {
    validate_repo_id(repo_id);
    if (checked_repo_type(options.repo_type) == "kernel") {
        throw InvalidArgumentError("repo_type of a commit is model, dataset or space, but this is 'kernel'");
    }
    if (!options.parent_commit.empty() && !is_commit_id(options.parent_commit)) {
        throw InvalidArgumentError("parent_commit is 5 to 40 hexadecimal digits, but this is '" +
                                   std::string(options.parent_commit) + "'");
    }
    if (options.commit_message.empty()) throw InvalidArgumentError("commit_message must not be empty");
}

std::vector<std::string> commit_warnings(const Operations& operations, std::string_view repo_type) {
    std::vector<std::string> warnings;
    OverwriteCheck overwritten;
    for (const Operation& operation : operations.list) {
        const auto* addition = std::get_if<Addition>(&operation);
        if (addition && repo_type != "dataset" &&
            (addition->path.ends_with(".arrow") || addition->path.ends_with(".parquet"))) {
            warnings.push_back("'" + addition->path + "' looks like data, but the repository is a " +
                               std::string(repo_type) + "; for a dataset set repo_type to dataset");
        }
        if (auto warning = std::visit(overwritten, operation)) warnings.push_back(std::move(*warning));
    }
    return warnings;
}

json::value preupload_request(std::span<Addition* const> additions, const std::optional<std::string>& gitignore) {
    json::array files;
    for (const Addition* addition : additions) {
        files.push_back(json::object{
            {"path", addition->path}, {"sample", base64_encode(addition->info.sample)}, {"size", addition->info.size}});
    }
    json::object request{{"files", std::move(files)}};
    if (gitignore) request["gitIgnore"] = *gitignore;
    return request;
}

void take_preupload_answer(const json::value& answer, std::span<Addition* const> additions) {
    const json::value* files = find_member(answer, "files");
    if (!files || !files->is_array()) malformed("it has no list of files");
    std::map<std::string, Decision, std::less<>> decisions;
    for (const json::value& file : files->get_array()) {
        decisions[std::string(text_member(file, "path"))] = read_decision(file);
    }
    for (Addition* addition : additions) {
        const auto found = decisions.find(addition->path);
        if (found == decisions.end()) malformed("it does not mention '" + addition->path + "'");
        if (!addition->uploaded) addition->mode = found->second.mode;
        addition->ignored = found->second.ignored;
        addition->remote_oid = found->second.oid;
        // Object storage refuses an upload of no bytes.
        if (addition->info.size == 0 && !addition->uploaded) addition->mode = UploadMode::regular;
    }
}

bool is_unchanged(const Addition& addition) {
    return addition.remote_oid && !addition.oid.empty() && *addition.remote_oid == addition.oid;
}

bool is_unchanged(const Operation& operation) {
    if (const auto* addition = std::get_if<Addition>(&operation)) return is_unchanged(*addition);
    const auto* copy = std::get_if<Copying>(&operation);
    return copy && copy->present_oid && copy->present_oid == copy->source_oid;
}

std::string header_line(const CreateCommitOptions& options) {
    json::object header{{"summary", options.commit_message}, {"description", options.commit_description}};
    if (!options.parent_commit.empty()) header["parentCommit"] = options.parent_commit;
    return line("header", std::move(header));
}

std::string lfs_line(std::string_view path, std::string_view sha256, std::optional<std::uint64_t> size) {
    json::object file{{"path", path}, {"algo", "sha256"}, {"oid", sha256}};
    if (size) file["size"] = *size;
    return line("lfsFile", std::move(file));
}

std::string deletion_line(const Deletion& deletion) {
    return line(deletion.is_folder ? "deletedFolder" : "deletedFile", {{"path", deletion.path}});
}

std::string pull_request_revision(std::string_view url) {
    constexpr std::string_view marker = "/discussions/";
    const std::size_t at = url.rfind(marker);
    const std::string_view number = at == url.npos ? std::string_view() : url.substr(at + marker.size());
    if (number.empty() || number.find_first_not_of("0123456789") != number.npos) {
        throw JsonError("the Hub's answer does not name a pull request: '" + std::string(url) + "'");
    }
    return "refs/pr/" + std::string(number);
}

CommitInfo read_commit_info(const json::value& answer, const CreateCommitOptions& options, RepoUrl repository) {
    CommitInfo info;
    info.commit_url = text_member(answer, "commitUrl");
    info.oid = text_member(answer, "commitOid");
    if (info.commit_url.empty() || info.oid.empty())
        throw JsonError("the Hub's answer to a commit does not name the commit");
    info.commit_message = options.commit_message;
    info.commit_description = options.commit_description;
    info.repo_url = std::move(repository);
    try {
        const auto address = std::string_view(info.commit_url).substr(0, info.commit_url.find("/commit/"));
        info.repo_url = parse_repo_url(address, info.repo_url.endpoint);
    } catch (const JsonError&) {
        // The commit is made: that the server calls itself by another name must not look like a failure.
    }
    if (!options.create_pr) return info;
    info.pr_url = text_member(answer, "pullRequestUrl");
    info.pr_revision = pull_request_revision(*info.pr_url);
    std::int64_t number = 0;
    const char* const digits = info.pr_revision->data() + info.pr_revision->rfind('/') + 1;
    std::from_chars(digits, info.pr_revision->data() + info.pr_revision->size(), number);
    info.pr_num = number;
    return info;
}

std::string at_endpoint(std::string_view url, std::string_view endpoint) {
    for (const std::string_view standard : default_endpoints) {
        if (endpoint == standard) return std::string(url);
    }
    for (const std::string_view standard : default_endpoints) {
        if (!url.starts_with(standard)) continue;
        const std::string_view rest = url.substr(standard.size());
        // Nothing else that merely begins like it: https://huggingface.co.example.org.
        if (rest.empty() || rest.front() == '/' || rest.front() == '?') return std::string(endpoint).append(rest);
    }
    return std::string(url);
}

}  // namespace hfhub::hub
