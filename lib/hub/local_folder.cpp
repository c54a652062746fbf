#include "hub/local_folder.hpp"

#include "core/atomic_file.hpp"
#include "core/base64.hpp"
#include "core/digest.hpp"
#include "core/log.hpp"
#include "hub/cache_layout.hpp"
#include "hub/cache_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_metadata = 4096;
constexpr std::size_t max_name = 255;
constexpr double latest_time = 253402300800;  // the year 10000

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    constexpr std::string_view blanks = " \t\r";
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    line.remove_suffix(line.size() - (line.find_last_not_of(blanks) + 1));
    return line;
}

/// A name too long for the suffix is replaced as a whole, since two long names may differ only at their ends.
fs::path with_suffix(const fs::path& path, std::string_view suffix) {
    const std::string name = path.filename().string();
    const bool fits = name.size() + suffix.size() <= max_name;
    return path.parent_path() / ((fits ? name : sha256_hex(name)) + std::string(suffix));
}

double now_in_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Modification time in seconds since 1970; nothing where there is no such file.
std::optional<double> modified(const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
}

}  // namespace

std::optional<LocalMetadata> parse_local_metadata(std::string_view text) {
    LocalMetadata metadata;
    metadata.commit_hash = take_line(text);
    metadata.etag = take_line(text);
    const std::string_view time = take_line(text);
    const auto end = time.data() + time.size();
    const auto [stop, error] = std::from_chars(time.data(), end, metadata.timestamp);
    if (error != std::errc() || stop != end) return std::nullopt;
    // Nor NaN, after which no comparison would find the file changed.
    if (!(metadata.timestamp >= 0 && metadata.timestamp < latest_time)) return std::nullopt;
    return metadata;
}

std::string format_local_metadata(const LocalMetadata& metadata) {
    char time[48];
    std::snprintf(time, sizeof time, "%.6f", metadata.timestamp);
    return metadata.commit_hash + "\n" + metadata.etag + "\n" + time + "\n";
}

LocalPaths::LocalPaths(const fs::path& local_dir, std::string_view filename)
    : root(local_dir), file(root, root / filename) {
    const fs::path kept = root / ".cache" / "huggingface" / "download" / filename;
    metadata = PathBeneath(root, with_suffix(kept, ".metadata"));
    lock = PathBeneath(root, with_suffix(kept, ".lock"));
}

std::string LocalPaths::part_stem(std::string_view etag) const {
    Sha1 hash;
    hash.update(metadata.path().filename().string());
    return base64url_encode(hash.raw()) + "." + std::string(etag);
}

void prepare_local_folder(const LocalPaths& paths) {
    make_directories(paths.file.parent_path());
    make_directories(paths.metadata.parent_path());
    const PathBeneath own(paths.root, paths.root / ".cache" / "huggingface");
    write_cachedir_tag(own);
    const PathBeneath ignore = own / ".gitignore";
    if (!file_exists_at(ignore.path())) write_file_atomically(ignore, "*");
}

bool local_file_exists(const LocalPaths& paths) noexcept {
    std::error_code error;
    return fs::is_regular_file(paths.file.path(), error);
}

std::optional<LocalMetadata> read_local_metadata(const LocalPaths& paths) noexcept {
    try {
        const auto text = read_file_if_exists(paths.metadata.path(), max_metadata);
        if (!text) return std::nullopt;
        auto metadata = parse_local_metadata(*text);
        if (!metadata) throw IoError(paths.metadata.path().string() + " is damaged");
        // Some file systems stamp files with whole seconds only.
        const auto changed = modified(paths.file.path());
        if (!changed || *changed - 1 > metadata->timestamp) return std::nullopt;
        return metadata;
    } catch (const std::exception& error) {
        log(LogLevel::warning, std::string("what is remembered of a file is ignored: ") + error.what());
        return std::nullopt;
    }
}

void forget_local_metadata(const LocalPaths& paths) noexcept { remove_file(paths.metadata); }

void write_local_metadata(const LocalPaths& paths, std::string_view commit_hash, std::string_view etag) {
    const LocalMetadata metadata{std::string(commit_hash), std::string(etag), now_in_seconds()};
    write_file_atomically(paths.metadata, format_local_metadata(metadata));
}

}  // namespace hfhub::hub
