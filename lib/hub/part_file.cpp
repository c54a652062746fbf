#include "hub/part_file.hpp"

#include "core/log.hpp"
#include "hub/cache_layout.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <vector>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view suffix = ".incomplete";
constexpr std::chrono::seconds abandoned_after{600};
constexpr std::chrono::seconds keep_alive_interval{15};
constexpr std::size_t hash_block = std::size_t{1} << 20;

std::string host_tag() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return sha256_hex(std::string_view(name)).substr(0, 4);
}

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool excludes(const fs::path& path) {
    FileLock second(path);
    return !second.try_lock();
}

std::chrono::seconds since_written(const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::chrono::seconds(0);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now) - std::chrono::seconds(status.st_mtim.tv_sec);
}

}  // namespace

bool may_take_over(const FoundPart& part, std::optional<std::uint64_t> size) noexcept {
    if (part.bytes == 0 || (size && part.bytes > *size)) return false;
    return (part.lock_excludes && part.from_this_host) || part.idle >= abandoned_after;
}

std::string new_part_name(std::string_view stem) {
    char digits[8];
    std::snprintf(digits, sizeof digits, "%04x", static_cast<unsigned>(std::random_device()()) & 0xffffu);
    return std::string(stem) + "." + host_tag() + digits + std::string(suffix);
}

PartName read_part_name(std::string_view name, std::string_view stem) {
    PartName read;
    if (!name.starts_with(stem) || !name.ends_with(suffix) || name.size() < stem.size() + suffix.size()) return read;
    const std::string_view digits = name.substr(stem.size(), name.size() - stem.size() - suffix.size());
    read.matches = digits.empty() || (digits.size() == 9 && digits.front() == '.' && is_hex(digits.substr(1)));
    read.from_this_host = read.matches && !digits.empty() && digits.substr(1, 4) == host_tag();
    return read;
}

PartFile::PartFile(const fs::path& folder, std::string_view stem, PartContent content, bool resume)
    : content_(std::move(content)) {
    const bool taken_over = resume && is_hashable() && take_over(folder, stem);
    check_space(folder);
    if (!taken_over) make(folder, stem);
    start_hash();
}

PartFile::~PartFile() {
    if (published_ || !file_.is_open()) return;
    if (!keep_ || position_ == 0 || !is_hashable()) ::unlink(path().c_str());
}

bool PartFile::is_hashable() const noexcept {
    return content_.verify_hash && (is_sha256(content_.etag) || is_git_sha1(content_.etag));
}

bool PartFile::take_over(const fs::path& folder, std::string_view stem) {
    struct Candidate {
        fs::path path;
        bool from_this_host;
        std::uintmax_t bytes;
    };
    std::vector<Candidate> candidates;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const PartName name = read_part_name(entry->path().filename().string(), stem);
        if (!name.matches) continue;
        std::error_code gone;
        const auto bytes = entry->file_size(gone);
        if (!gone) candidates.push_back({entry->path(), name.from_this_host, bytes});
    }
    std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    return std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        try {
            return try_take_over(candidate.path, candidate.from_this_host, stem);
        } catch (const FileError&) {
            return false;  // another user's, or gone
        }
    });
}

bool PartFile::try_take_over(const fs::path& path, bool from_this_host, std::string_view stem) {
    auto lock = std::make_unique<FileLock>(path);
    if (!lock->try_lock()) return false;
    std::error_code error;
    FoundPart part;
    part.bytes = fs::file_size(path, error);
    if (error) return false;
    part.from_this_host = from_this_host;
    part.lock_excludes = lock->is_soft() || excludes(path);
    part.idle = since_written(path);
    // Somebody else has renamed it after we saw it: the lock has made this one.
    if (part.bytes == 0) ::unlink(path.c_str());
    if (!may_take_over(part, content_.size)) return false;
    fs::path own = path;
    if (!lock->is_soft()) {
        own = path.parent_path() / new_part_name(stem);
        if (::rename(path.c_str(), own.c_str()) != 0) return false;
    }
    file_ = OutputFile(own, OutputFile::Open::existing);
    lock_ = std::move(lock);
    position_ = part.bytes;
    if (log_enabled(LogLevel::info)) {
        log(LogLevel::info,
            "going on with " + std::to_string(position_) + " bytes of an earlier transfer in " + this->path().string());
    }
    return true;
}

void PartFile::make(const fs::path& folder, std::string_view stem) {
    file_ = OutputFile(folder / new_part_name(stem), OutputFile::Open::create_new);
    auto lock = std::make_unique<FileLock>(file_.path());
    try {
        if (lock->try_lock()) lock_ = std::move(lock);
    } catch (const FileError&) {
        // No locks here: others wait until the part looks abandoned.
    }
}

void PartFile::check_space(const fs::path& folder) const {
    struct statvfs status{};
    if (!content_.check_disk_space || !content_.size || ::statvfs(folder.c_str(), &status) != 0) return;
    const std::uint64_t wanted = *content_.size - std::min(position_, *content_.size);
    const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (free >= wanted) return;
    throw FileError("store " + std::to_string(wanted) + " more bytes (" + std::to_string(free) + " are free) in",
                    folder, std::make_error_code(std::errc::no_space_on_device));
}

void PartFile::start_hash() {
    hashed_ = 0;
    hasher_ = Hasher();
    if (!content_.verify_hash) return;
    if (is_sha256(content_.etag)) hasher_ = Hasher::sha256();
    if (is_git_sha1(content_.etag) && content_.size) hasher_ = Hasher::git_sha1(*content_.size);
    if (!hasher_) hashed_ = position_;
}

void PartFile::hash_more(std::uint64_t bytes) {
    std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(hash_block, unhashed())));
    const std::uint64_t until = hashed_ + std::min(bytes, unhashed());
    while (hashed_ < until) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), until - hashed_));
        const std::size_t got = file_.read_at(hashed_, std::span(block).first(wanted));
        if (got == 0) throw IoError(path().string() + " became shorter while it was read");
        hasher_.update(std::span(block).first(got));
        hashed_ += got;
    }
    keep_alive();
}

void PartFile::set_size(std::uint64_t size) {
    if (content_.size) return;
    content_.size = size;
    check_space(path().parent_path());
    if (position_ == 0) start_hash();
}

void PartFile::append(std::span<const std::byte> bytes) {
    file_.write_at(position_, bytes);
    hasher_.update(bytes);
    position_ += bytes.size();
    hashed_ = position_;
    keep_alive();
}

void PartFile::restart() {
    file_.truncate(0);
    position_ = 0;
    start_hash();
}

void PartFile::verify() {
    if (content_.size && *content_.size != position_) {
        throw IntegrityError(path().string() + " has " + std::to_string(position_) + " bytes instead of " +
                             std::to_string(*content_.size) + ": the server sent something else");
    }
    if (!is_hashable()) return;
    if (!hasher_) {
        // Git's hash begins with the length, which was not known before.
        content_.size = position_;
        start_hash();
    }
    while (unhashed() > 0) hash_more(unhashed());
    const std::string got = hasher_.hex();
    if (got == content_.etag) return;
    throw IntegrityError("the content of " + path().string() + " has the hash " + got + " instead of " + content_.etag +
                         ": it was altered on its way; try again, or check proxies in between");
}

void PartFile::publish(const fs::path& target) {
    const fs::path from = path();
    file_.close();
    move_file(from, target);
    published_ = true;
    if (lock_) lock_->unlock();
}

void PartFile::keep_alive() {
    const auto now = std::chrono::steady_clock::now();
    if (now - alive_ < keep_alive_interval) return;
    alive_ = now;
    if (lock_) lock_->refresh();
    if (guard_) guard_->refresh();
}

}  // namespace hfhub::hub
