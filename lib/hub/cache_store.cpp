#include "hub/cache_store.hpp"

#include "core/atomic_file.hpp"
#include "core/folded_name.hpp"
#include "core/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_ref = 4096;

constexpr std::string_view cachedir_tag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by hfhub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

fs::path resolved_folder(std::string_view text) {
    fs::path path(text);
    const char* home = std::getenv("HOME");
    if (home && (text == "~" || text.starts_with("~/"))) path = fs::path(home) / text.substr(text == "~" ? 1 : 2);
    std::error_code error;
    fs::path resolved = fs::absolute(path, error);
    if (!error) resolved = fs::weakly_canonical(resolved, error);
    if (error) throw FileError("use the folder", path, error);
    return resolved;
}

void require_own_name(const fs::path& root, const fs::path& relative) {
    const auto other = folded_name(root, relative);
    if (!other) return;
    throw IoError("cannot store " + relative.string() + " in " + root.string() +
                  ": this file system takes its name for " + *other +
                  ", which is there; use a folder on a file system that tells upper from lower case");
}

bool file_exists_at(const fs::path& path) noexcept {
    std::error_code error;
    return fs::exists(path, error);
}

std::optional<std::uint64_t> file_size_at(const fs::path& path) noexcept {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return std::nullopt;
    const auto size = fs::file_size(path, error);
    if (error) return std::nullopt;
    return size;
}

bool lost_its_content(const fs::path& path) noexcept {
    std::error_code error;
    if (!fs::is_symlink(path, error) || fs::file_size(path, error) != 0 || error) return false;
    const std::string etag = fs::read_symlink(path, error).filename().string();
    return (is_git_sha1(etag) && etag != git_sha1_of_nothing) || (is_sha256(etag) && etag != sha256_of_nothing);
}

std::optional<std::string> read_ref(const RepoCache& cache, std::string_view revision) {
    const fs::path path = cache.ref(revision);
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return std::nullopt;
    const auto content = read_file_if_exists(path, max_ref);
    if (!content) return std::nullopt;
    const std::string_view commit = trimmed(*content);
    if (!is_path_token(commit)) return std::nullopt;
    return std::string(commit);
}

void write_ref(const RepoCache& cache, std::string_view revision, std::string_view commit) noexcept {
    try {
        if (revision == commit || read_ref(cache, revision) == commit) return;
        const PathBeneath path = cache.inside(cache.ref(revision));
        make_directories(path.parent_path());
        // A name below refs/ is a ref for whoever lists them, so an interruption may leave none that is temporary.
        write_file_atomically(path, commit, {.sync = true, .temporary_folder = cache.inside(cache.folder())});
    } catch (const std::exception& error) {
        log(LogLevel::info, std::string("could not remember the commit of a revision: ") + error.what());
    }
}

void write_no_exist(const RepoCache& cache, std::string_view commit, std::string_view filename) noexcept {
    try {
        const PathBeneath path = cache.inside(cache.no_exist(commit, filename));
        if (file_exists_at(path.path())) return;
        make_directories(path.parent_path());
        write_file_atomically(path, "", {.temporary_folder = cache.inside(cache.folder())});
    } catch (const std::exception& error) {
        log(LogLevel::warning, std::string("could not remember that a file does not exist: ") + error.what());
    }
}

void write_cachedir_tag(const PathBeneath& folder) noexcept {
    try {
        const PathBeneath path = folder / "CACHEDIR.TAG";
        if (!file_exists_at(path.path())) write_file_atomically(path, cachedir_tag);
    } catch (const std::exception&) {
        // Only backups become larger.
    }
}

bool link_pointer(const fs::path& blob, const PathBeneath& pointer, bool links) {
    make_directories(pointer.parent_path());
    return links && try_symlink(blob, pointer);
}

CachedFile find_cached(const RepoCache& cache, std::string_view revision, std::string_view filename) {
    CachedFile found;
    const std::string commit = read_ref(cache, revision).value_or(std::string(revision));
    std::error_code error;
    if (fs::is_regular_file(cache.no_exist(commit, filename), error)) {
        found.known_missing = true;
        return found;
    }
    fs::path pointer = cache.pointer(commit, filename);
    if (fs::is_regular_file(pointer, error) && !lost_its_content(pointer)) found.path = std::move(pointer);
    return found;
}

}  // namespace hfhub::hub
