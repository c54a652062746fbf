#include "hub/copy_files.hpp"

#include "hub/commit_copies.hpp"
#include "hub/commits.hpp"
#include "hub/tree_listing.hpp"

#include <hfhub/error.hpp>

namespace hfhub::hub {

namespace {

Place place_of(const HfUri& uri) {
    if (uri.type == "bucket")
        throw InvalidArgumentError(uri.to_uri() + " is a bucket: files are copied between repositories only");
    return {uri.type, uri.id, uri.revision.value_or("main")};
}

TreeAddress tree_below(const Place& place, const std::string& path, const OwnedToken& token) {
    TreeAddress address{place.repo_type, place.repo_id, place.revision};
    address.folder = path;
    address.token = token;
    return address;
}

/// Nothing where there is neither file nor folder.
awaitable<std::optional<Entry>> entry_at(Client client, Place place, std::string path, OwnedToken token) {
    std::vector<std::string> paths(1, path);
    const std::map<std::string, Entry> found = co_await look_up(client, place, std::move(paths), token);
    const auto entry = found.find(path);
    if (entry == found.end()) co_return std::nullopt;
    co_return entry->second;
}

awaitable<Destination> destination_at(Client client, Place place, std::string path, OwnedToken token) {
    if (path.empty()) co_return Destination::folder;
    const std::optional<Entry> entry = co_await entry_at(client, place, path, token);
    if (entry) co_return entry->is_folder ? Destination::folder : Destination::file;
    TreeAddress address = tree_below(place, path, token);
    address.recursive = false;
    try {
        const RepoTree tree = co_await ask_tree(client, std::move(address));
        co_return tree.empty() ? Destination::nothing : Destination::folder;
    } catch (const RemoteEntryNotFoundError&) {
    }
    co_return Destination::nothing;
}

/// The file, or all files of the folder.
awaitable<std::vector<std::string>> sources_at(Client client, Place place, std::string path, OwnedToken token,
                                               bool* is_folder) {
    std::vector<std::string> files;
    *is_folder = true;
    if (!path.empty()) {
        const std::optional<Entry> entry = co_await entry_at(client, place, path, token);
        if (entry && !entry->is_folder) {
            *is_folder = false;
            files.push_back(std::move(path));
            co_return files;
        }
    }
    TreeAddress address = tree_below(place, path, token);
    const RepoTree tree = co_await ask_tree(client, std::move(address));
    for (const TreeEntry& file : tree) files.push_back(file.path);
    co_return files;
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string joined(std::string_view folder, std::string_view name) {
    if (folder.empty() || name.empty()) return std::string(folder) + std::string(name);
    return std::string(folder) + "/" + std::string(name);
}

}  // namespace

std::string copied_to(std::string_view source_path, bool is_folder, bool contents, std::string_view path,
                      Destination there) {
    if (is_folder && there == Destination::file) {
        throw InvalidArgumentError("a folder cannot be copied to '" + std::string(path) +
                                   "': there is a file of that name");
    }
    const bool into = there == Destination::folder && !(is_folder && contents);
    return into ? joined(path, last_part(source_path)) : std::string(path);
}

awaitable<CommitInfo> copy_files(Client client, std::string source, std::string destination,
                                 Owned<CopyFilesOptions> options) {
    const HfUri from = parse_hf_uri(source, client.endpoint()), to = parse_hf_uri(destination, client.endpoint());
    const Place source_place = place_of(from), place = place_of(to);
    const OwnedToken token(options->token);
    Destination there = co_await destination_at(client, place, to.path_in_repo, token);
    if (there == Destination::nothing && destination.ends_with('/')) there = Destination::folder;
    bool is_folder = false;
    const std::vector<std::string> files =
        co_await sources_at(client, source_place, from.path_in_repo, token, &is_folder);
    if (files.empty()) throw MissingSourceError("there are no files at " + source + " to copy");
    const std::string target = copied_to(from.path_in_repo, is_folder, source.ends_with('/'), to.path_in_repo, there);
    const bool same = source_place.repo_type == place.repo_type && source_place.repo_id == place.repo_id;
    std::vector<Operation> copies;
    for (const std::string& file : files) {
        const std::size_t folder = is_folder && !from.path_in_repo.empty() ? from.path_in_repo.size() + 1 : 0;
        Copying copy{.source_path = file, .path = is_folder ? joined(target, file.substr(folder)) : target};
        copy.source_revision = source_place.revision;
        if (!same) copy.source_repo_id = source_place.repo_id;
        if (!same) copy.source_repo_type = source_place.repo_type;
        copies.push_back(std::move(copy));
    }
    const std::string message = "Copy files from " + source_place.repo_type + "s/" + source_place.repo_id;
    Owned<CreateCommitOptions> commit(CreateCommitOptions{
        .commit_message = message, .token = options->token, .repo_type = place.repo_type, .revision = place.revision});
    Operations operations(std::move(copies));
    co_return co_await create_commit(std::move(client), place.repo_id, std::move(operations), std::move(commit));
}

}  // namespace hfhub::hub
