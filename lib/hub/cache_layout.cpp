#include "hub/cache_layout.hpp"

#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>

namespace hfhub::hub {

namespace {

bool is_lower_hex(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

constexpr std::size_t longest_path = 4096;  // of Linux
constexpr std::size_t longest_part = 255;

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
    throw HfValidationError("the " + std::string(kind) + " '" + printable(name) + "' is refused: it " +
                            std::string(reason));
}

/// What some systems leave away at the end of a name.
std::string_view without_dots_and_blanks(std::string_view part) {
    return part.substr(0, part.find_last_not_of(". ") + 1);
}

bool equals_nocase(std::string_view a, std::string_view lower) {
    return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                      [](char x, char y) { return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y; });
}

void validate_characters(std::string_view kind, std::string_view path) {
    for (std::string_view rest = path; !rest.empty();) {
        const std::size_t size = utf8_character(rest);
        if (size == 0) refuse(kind, path, "is not UTF-8");
        if (begins_with_control(rest)) refuse(kind, path, "holds a control character");
        rest.remove_prefix(size);
    }
}

void validate_path(std::string_view kind, std::string_view path) {
    if (path.empty()) refuse(kind, path, "is empty");
    if (path.size() >= longest_path) refuse(kind, path, "is longer than a path can be");
    if (path.front() == '/' || path.front() == '\\') refuse(kind, path, "is an absolute path or names a network share");
    validate_characters(kind, path);
    for_each_part(path, "/\\", [&](std::string_view part) {
        if (part.empty()) refuse(kind, path, "has an empty part");
        if (part == "..") refuse(kind, path, "leads upwards with '..'");
        if (part == ".") refuse(kind, path, "has a part '.'");
        if (without_dots_and_blanks(part).empty()) refuse(kind, path, "has a part of nothing but dots and blanks");
    });
    for_each_part(path, "/", [&](std::string_view part) {
        if (part.size() > longest_part) refuse(kind, path, "has a part of more than 255 bytes");
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
        const std::string_view meant = without_dots_and_blanks(part);
        if (equals_nocase(meant, ".git") || equals_nocase(meant, "git~1")) {
            refuse(kind, filename, "lies in a folder .git, which no repository holds and git takes orders from");
        }
    });
    if (filename.find(':') != filename.npos) refuse(kind, filename, "holds ':', which names a stream on some systems");
}

bool is_own_local_name(std::string_view filename) noexcept {
    std::size_t matched = 0;
    bool own = true;
    for_each_part(filename, "/\\", [&](std::string_view part) {
        if (matched < 2)
            own = own && equals_nocase(without_dots_and_blanks(part), matched == 0 ? ".cache" : "huggingface");
        ++matched;
    });
    return own && matched >= 2;
}

void validate_local_filename(std::string_view filename) {
    validate_filename(filename);
    if (is_own_local_name(filename)) {
        refuse("file name", filename, "lies where a folder's own notes are kept (.cache/huggingface)");
    }
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

PathBeneath RepoCache::lock(std::string_view etag) const {
    const std::filesystem::path locks = cache_dir_ / ".locks";
    return {locks, locks / folder_.filename() / (std::string(etag) + ".lock")};
}

}  // namespace hfhub::hub
