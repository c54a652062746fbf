#include "hub/part_file.hpp"

#include "core/log.hpp"
#include "hub/cache_layout.hpp"
#include "hub/part_name.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds abandoned_after{600};
constexpr std::size_t hash_block = std::size_t{1} << 20;

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

bool may_take_over(const FoundPart& part, std::optional<std::uint64_t> size) noexcept {
    if (part.bytes == 0 || (size && part.bytes > *size)) return false;
    return (part.lock_excludes && part.from_this_host) || part.idle >= abandoned_after;
}

bool may_delete(const FoundPart& part) noexcept {
    // An empty one may have been made this moment, and not be locked yet.
    const bool unused = part.bytes > 0 && part.from_this_host;
    return part.lock_excludes && (unused || part.idle >= abandoned_after);
}

std::optional<std::uint64_t> free_space(const struct statvfs& status) noexcept {
    if (status.f_blocks == 0) return std::nullopt;
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

PartFile::PartFile(const fs::path& folder, std::string_view stem, PartContent content, bool resume, PartLocks locks)
    : content_(std::move(content)), locks_(locks) {
    try {
        make(folder, stem);
        left_ = find_left(folder, stem);
        if (resume && is_hashable()) take_over();
        check_space(folder);
        start_hash();
    } catch (...) {
        leave();
        throw;
    }
}

PartFile::~PartFile() { leave(); }

void PartFile::leave() noexcept {
    if (published_ || lost_ || path().empty()) return;
    if (!keep_ || position_ == 0 || !is_hashable()) ::unlink(path().c_str());
}

bool PartFile::is_hashable() const noexcept {
    return content_.verify_hash && (is_sha256(content_.etag) || is_git_sha1(content_.etag));
}

void PartFile::make(const fs::path& folder, std::string_view stem) {
    file_ = OutputFile(folder / new_part_name(stem), OutputFile::Open::create_new);
    made_at_ = file_.identity().modified;
    try {
        lock_ = lock_existing(path());
    } catch (const FileError&) {
        // No locks here: others wait until the part looks abandoned.
    }
}

/// Other parts of the same content that hold anything, largest first, and those that were left empty.
std::vector<PartFile::Left> PartFile::find_left(const fs::path& folder, std::string_view stem) const {
    std::vector<Left> found;
    const std::unique_ptr<DIR, CloseFolder> entries(::opendir(folder.c_str()));
    if (!entries) return found;
    // A cache folder may hold many files; fs::directory_iterator would make a path of each.
    while (const dirent* entry = ::readdir(entries.get())) {
        const PartName name = read_part_name(entry->d_name, stem);
        if (!name.matches) continue;
        fs::path part = folder / entry->d_name;
        const auto identity = identity_of(part);
        if (part == path() || !identity || !identity->plain()) continue;
        found.push_back({std::move(part), name.from_this_host, identity->size});
    }
    std::sort(found.begin(), found.end(), [](const Left& a, const Left& b) { return a.bytes > b.bytes; });
    return found;
}

/// The lock on a part that is there; nothing where another has it.
std::unique_ptr<FileLock> PartFile::lock_existing(const fs::path& part) const {
    auto lock = std::make_unique<FileLock>(part, locks_.flock, FileLock::File::existing);
    if (!lock->try_lock()) return nullptr;
    return lock;
}

/// What the lock that is held shows of it; nothing where it has gone meanwhile.
std::optional<FoundPart> PartFile::examine(const Left& left, const FileLock& lock) const {
    const auto identity = identity_of(left.path);
    if (!identity || !identity->plain()) return std::nullopt;
    FoundPart part;
    part.bytes = identity->size;
    part.from_this_host = left.from_this_host;
    part.lock_excludes = lock.is_soft() || !lock_existing(left.path);
    part.idle = std::chrono::duration_cast<std::chrono::seconds>(file_system_time() - identity->modified);
    return part;
}

void PartFile::take_over() {
    for (auto left = left_.begin(); left != left_.end() && left->bytes > 0; ++left) {
        try {
            if (!try_take_over(*left)) continue;
        } catch (const FileError&) {
            continue;  // another user's, or gone
        }
        left_.erase(left);
        return;
    }
}

/// Moves the other part over this one, which has a name that nobody else uses.
bool PartFile::try_take_over(const Left& left) {
    auto lock = lock_existing(left.path);
    if (!lock) return false;
    const std::optional<FoundPart> part = examine(left, *lock);
    if (!part || !may_take_over(*part, content_.size)) return false;
    // A soft lock belongs to the name, flock to the file.
    if (lock->is_soft() && !lock_) return false;
    OutputFile file(left.path, OutputFile::Open::existing);
    file.move_to(path());
    file_ = std::move(file);
    if (!lock->is_soft()) lock_ = std::move(lock);
    position_ = part->bytes;
    if (log_enabled(LogLevel::info)) {
        log(LogLevel::info,
            "going on with " + std::to_string(position_) + " bytes of an earlier transfer in " + path().string());
    }
    return true;
}

/// Parts of which this content has no more use, as far as nobody is writing to them.
void PartFile::delete_left() const noexcept {
    for (const Left& left : left_) {
        try {
            const auto lock = lock_existing(left.path);
            if (!lock) continue;
            const auto part = examine(left, *lock);
            if (part && may_delete(*part)) ::unlink(left.path.c_str());
        } catch (const std::exception&) {
            // They take room, no more.
        }
    }
}

/// "Now" by the clock that stamps the files.
std::chrono::system_clock::time_point PartFile::file_system_time() const {
    const auto since = std::chrono::steady_clock::now() - made_;
    return made_at_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(since);
}

void PartFile::check_space(const fs::path& folder) const {
    struct statvfs status{};
    if (!content_.check_disk_space || !content_.size || ::statvfs(folder.c_str(), &status) != 0) return;
    const std::uint64_t wanted = *content_.size - std::min(position_, *content_.size);
    const auto free = free_space(status);
    if (!free || *free >= wanted) return;
    throw FileError("store " + std::to_string(wanted) + " more bytes (" + std::to_string(*free) + " are free) in",
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
    keep_alive();
    file_.write_at(position_, bytes);
    hasher_.update(bytes);
    position_ += bytes.size();
    hashed_ = position_;
}

void PartFile::restart() {
    require_ownership();
    file_.truncate(0);
    position_ = 0;
    start_hash();
}

void PartFile::verify() {
    if (content_.size && *content_.size != position_) {
        throw IntegrityError(path().string() + " has " + std::to_string(position_) + " bytes instead of " +
                             std::to_string(*content_.size) + ": the server sent something else");
    }
    if (file_.size() != position_) {
        throw IntegrityError(path().string() + " was changed while it was written; try again");
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
    require_ownership();
    const fs::path from = path();
    file_.close();
    move_file(from, target);
    published_ = true;
    if (lock_) lock_->unlock();
    delete_left();
}

void PartFile::keep_alive() {
    const auto now = std::chrono::steady_clock::now();
    if (now - alive_ < locks_.look_interval) return;
    alive_ = now;
    // Without the guard others fetch the same again, but not into this part.
    if (guard_) guard_->refresh();
    require_ownership();
}

void PartFile::require_ownership() {
    const bool locked = !lock_ || lock_->refresh();
    if (locked && file_.is_named()) return;
    lost_ = true;
    throw IoError("the unfinished file " + path().string() +
                  " was deleted, or taken over by another process that saw no sign of life of this one for a while; "
                  "start the download again");
}

}  // namespace hfhub::hub
