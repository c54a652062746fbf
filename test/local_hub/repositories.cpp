#include "repositories.hpp"

#include "digest.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace hfhub::local_hub {

namespace {

constexpr std::string_view initial_gitattributes =
    "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
    "*.parquet filter=lfs diff=lfs merge=lfs -text\n";

std::string key_of(RepoType type, std::string_view id) {
    std::string key(name_of(type));
    return key.append("/").append(id);
}

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

std::string tree_oid(const Files& files, std::string_view directory, std::map<std::string, std::string>& trees) {
    // Keyed as git sorts: a directory compares as if its name ended with a slash.
    std::map<std::string, std::string> entries;
    std::string prefix(directory);
    if (!prefix.empty()) prefix += '/';
    for (auto it = files.lower_bound(prefix); it != files.end() && it->first.starts_with(prefix);) {
        std::string_view rest = std::string_view(it->first).substr(prefix.size());
        std::size_t slash = rest.find('/');
        std::string name(rest.substr(0, slash));
        if (slash == rest.npos) {
            entries[name] = "100644 " + name + '\0' + from_hex(it->second->oid);
            ++it;
            continue;
        }
        std::string child = prefix + name;
        entries[name + '/'] = "40000 " + name + '\0' + from_hex(tree_oid(files, child, trees));
        it = files.lower_bound(child + '0');  // the character after the slash: past all that is below
    }
    std::string body;
    for (const auto& entry : entries) body += entry.second;
    std::string oid = sha1_hex("tree " + std::to_string(body.size()) + '\0' + body);
    trees[std::string(directory)] = oid;
    return oid;
}

}  // namespace

std::string timestamp() {
    auto now = std::chrono::system_clock::now();
    std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(milliseconds));
    return text;
}

std::string_view name_of(RepoType type) {
    static constexpr std::string_view names[] = {"model", "dataset", "space", "kernel"};
    return names[static_cast<int>(type)];
}

std::string_view url_prefix(RepoType type) {
    static constexpr std::string_view prefixes[] = {"", "datasets/", "spaces/", "kernels/"};
    return prefixes[static_cast<int>(type)];
}

RepoType repo_type_of(std::string_view name) {
    for (RepoType type : {RepoType::model, RepoType::dataset, RepoType::space, RepoType::kernel}) {
        if (name_of(type) == name) return type;
    }
    throw bad_request("Unknown repo type: " + std::string(name));
}

const std::map<std::string, std::string>& Commit::trees() const {
    if (trees_.empty()) tree_oid(*files, "", trees_);
    return trees_;
}

std::shared_ptr<const Commit> Repository::find_revision(std::string_view revision) const {
    auto lookup = [&](const auto& names, std::string_view name) -> const std::string* {
        auto found = names.find(std::string(name));
        return found == names.end() ? nullptr : &found->second;
    };
    const std::string* commit = lookup(branches, revision);
    if (!commit) commit = lookup(tags, revision);
    if (!commit && revision.starts_with("refs/heads/")) commit = lookup(branches, revision.substr(11));
    if (!commit && revision.starts_with("refs/tags/")) commit = lookup(tags, revision.substr(10));
    if (!commit && revision.starts_with("refs/pr/")) {
        unsigned long number = std::strtoul(std::string(revision.substr(8)).c_str(), nullptr, 10);
        auto found = pull_requests.find(static_cast<unsigned>(number));
        if (found != pull_requests.end()) commit = &found->second;
    }
    if (commit) return commits.at(*commit);
    if (revision.size() < 7 || revision.size() > 40) return nullptr;
    auto found = commits.lower_bound(std::string(revision));
    return found != commits.end() && found->first.starts_with(revision) ? found->second : nullptr;
}

std::shared_ptr<const Commit> Repository::revision(const std::string& revision) const {
    auto commit = find_revision(revision);
    if (!commit) throw revision_not_found(revision);
    return commit;
}

std::string* Repository::writable_head(std::string_view revision) {
    if (revision.starts_with("refs/heads/")) revision.remove_prefix(11);
    if (auto branch = branches.find(std::string(revision)); branch != branches.end()) return &branch->second;
    if (!revision.starts_with("refs/pr/")) return nullptr;
    unsigned long number = std::strtoul(std::string(revision.substr(8)).c_str(), nullptr, 10);
    auto found = pull_requests.find(static_cast<unsigned>(number));
    return found == pull_requests.end() ? nullptr : &found->second;
}

std::vector<std::shared_ptr<const Commit>> Repository::history(const std::string& name) const {
    std::vector<std::shared_ptr<const Commit>> list{revision(name)};
    while (!list.back()->parent.empty()) list.push_back(commits.at(list.back()->parent));
    return list;
}

std::shared_ptr<const Commit> Repository::add_commit(Commit commit) {
    commit.number = commits.size() + 1;
    commit.date = timestamp();
    std::string text = "tree " + commit.trees().at("") + "\nparent " + commit.parent + "\nauthor " + commit.author +
                       "\nnumber " + std::to_string(commit.number) + "\n\n" + commit.title + "\n\n" + commit.message;
    commit.id = sha1_hex("commit " + std::to_string(text.size()) + '\0' + text);
    last_modified = commit.date;
    auto stored = std::make_shared<const Commit>(std::move(commit));
    commits[stored->id] = stored;
    return stored;
}

Repository* Repositories::find(RepoType type, std::string_view id) {
    auto found = repositories_.find(key_of(type, id));
    return found == repositories_.end() ? nullptr : &found->second;
}

Repository& Repositories::create(RepoType type, std::string_view id, std::string_view author) {
    moves_.erase(key_of(type, id));
    Repository& repository = repositories_[key_of(type, id)];
    repository.type = type;
    repository.owner = id.substr(0, id.find('/'));
    repository.name = id.substr(id.find('/') + 1);
    repository.number = ++next_number_;
    repository.created_at = timestamp();
    auto files = std::make_shared<Files>();
    auto file = std::make_shared<File>();
    file->content = std::make_shared<const std::string>(initial_gitattributes);
    file->oid = git_blob_oid(initial_gitattributes);
    file->size = initial_gitattributes.size();
    (*files)[".gitattributes"] = file;
    Commit first;
    first.title = "initial commit";
    first.author = author;
    first.files = files;
    auto commit = repository.add_commit(std::move(first));
    file->last_commit = commit->id;
    repository.branches["main"] = commit->id;
    return repository;
}

void Repositories::remove(RepoType type, std::string_view id) { repositories_.erase(key_of(type, id)); }

void Repositories::move(RepoType type, std::string_view from, std::string_view to) {
    auto node = repositories_.extract(key_of(type, from));
    node.key() = key_of(type, to);
    node.mapped().owner = to.substr(0, to.find('/'));
    node.mapped().name = to.substr(to.find('/') + 1);
    repositories_.insert(std::move(node));
    moves_.erase(key_of(type, to));
    moves_[key_of(type, from)] = to;
}

const std::string* Repositories::moved_to(RepoType type, std::string_view id) const {
    auto found = moves_.find(key_of(type, id));
    return found == moves_.end() ? nullptr : &found->second;
}

std::vector<Repository*> Repositories::all(RepoType type) {
    std::vector<Repository*> list;
    for (auto& [key, repository] : repositories_) {
        if (repository.type == type) list.push_back(&repository);
    }
    return list;
}

void Repositories::clear() {
    repositories_.clear();
    moves_.clear();
}

}  // namespace hfhub::local_hub
