#include "hub/cache_layout.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

bool is_lower_hex(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Calls `check` with each part between separators.
template <class Check>
void for_each_part(std::string_view path, std::string_view separators, Check check) {
    for (;;) {
        const std::size_t end = path.find_first_of(separators);
        check(path.substr(0, end));
        if (end == std::string_view::npos) return;
        path.remove_prefix(end + 1);
    }
}

[[noreturn]] void refuse(std::string_view kind, std::string_view name, std::string_view reason) {
    std::string shown;
    for (const char c : name) shown += is_control(c) ? '?' : c;
    throw HfValidationError("the " + std::string(kind) + " '" + shown + "' is refused: it " + std::string(reason));
}

void validate_path(std::string_view kind, std::string_view path) {
    if (path.empty()) refuse(kind, path, "is empty");
    if (path.front() == '/' || path.front() == '\\') refuse(kind, path, "is an absolute path or names a network share");
    if (std::any_of(path.begin(), path.end(), is_control)) refuse(kind, path, "holds a control character");
    for_each_part(path, "/\\", [&](std::string_view part) {
        if (part.empty()) refuse(kind, path, "has an empty part");
        if (part == "..") refuse(kind, path, "leads upwards with '..'");
        if (part == ".") refuse(kind, path, "has a part '.'");
    });
}

}  // namespace

bool is_git_sha1(std::string_view text) noexcept { return text.size() == 40 && is_lower_hex(text); }

bool is_sha256(std::string_view text) noexcept { return text.size() == 64 && is_lower_hex(text); }

void validate_filename(std::string_view filename) {
    constexpr std::string_view kind = "file name";
    validate_path(kind, filename);
    for_each_part(filename, "/\\", [&](std::string_view part) {
        if (part.size() > 1 && is_letter(part[0]) && part[1] == ':') refuse(kind, filename, "names a drive");
    });
    if (filename.find(':') != filename.npos) refuse(kind, filename, "holds ':', which names a stream on some systems");
}

void validate_revision(std::string_view revision) { validate_path("revision", revision); }

bool is_path_token(std::string_view text) noexcept {
    constexpr std::size_t longest = 128;
    return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
    });
}

std::string repo_folder_name(std::string_view repo_type, std::string_view repo_id) {
    std::string name = std::string(repo_type) + "s--";
    for (const char c : repo_id) {
        if (c == '/') {
            name += "--";
        } else {
            name += c;
        }
    }
    return name;
}

RepoCache::RepoCache(std::filesystem::path cache_dir, std::string_view repo_type, std::string_view repo_id)
    : cache_dir_(std::move(cache_dir)), folder_(cache_dir_ / repo_folder_name(repo_type, repo_id)) {}

std::filesystem::path RepoCache::lock(std::string_view etag) const {
    return cache_dir_ / ".locks" / folder_.filename() / (std::string(etag) + ".lock");
}

}  // namespace hfhub::hub
