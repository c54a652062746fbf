#include "hub/part_file.hpp"

#include "core/log.hpp"
#include "hub/cache_layout.hpp"
#include "hub/part_name.hpp"
#include "hub/part_search.hpp"

#include <algorithm>
#include <vector>

namespace hfhub::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds abandoned_after{600};
constexpr int most_makings = 100;
constexpr std::uint64_t sync_step = std::uint64_t{16} << 20;
constexpr std::size_t hash_block = std::size_t{1} << 20;

/// The lock on a part that is there; nothing where another has it.
std::unique_ptr<FileLock> lock_existing(const PathBeneath& part, const PartLocks& locks) {
    auto lock = std::make_unique<FileLock>(part, locks.flock, FileLock::File::existing);
    if (!lock->try_lock()) return nullptr;
    return lock;
}

/// While its lock is held; nothing where it has gone meanwhile.
std::optional<FoundPart> examine(const LeftPart& left, std::chrono::system_clock::time_point now) {
    const auto identity = identity_of(left.place.path());
    if (!identity || !identity->plain()) return std::nullopt;
    FoundPart part;
    part.bytes = identity->size;
    part.from_this_host = left.from_this_host;
    part.idle = std::chrono::duration_cast<std::chrono::seconds>(now - identity->modified);
    return part;
}

}  // namespace

bool may_take_over(const FoundPart& part, std::optional<std::uint64_t> size) noexcept {
    if (part.bytes == 0 || (size && part.bytes > *size)) return false;
    return part.from_this_host || part.idle >= abandoned_after;
}

bool may_delete(const FoundPart& part) noexcept { return part.from_this_host || part.idle >= abandoned_after; }

std::optional<std::uint64_t> free_space(const struct statvfs& status) noexcept {
    if (status.f_blocks == 0) return std::nullopt;
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::vector<LeftPart> find_left_parts(const PathBeneath& folder, std::string_view stem) {
    std::vector<LeftPart> found;
    for (const std::string& text : unfinished_names(folder.path())) {
        const PartName name = read_part_name(text, stem);
        if (!name.matches) continue;
        PathBeneath part = folder / text;
        const auto identity = identity_of(part.path());
        if (!identity || !identity->plain()) continue;
        found.push_back({std::move(part), name.from_this_host, identity->size});
    }
    std::sort(found.begin(), found.end(), [](const LeftPart& a, const LeftPart& b) { return a.bytes > b.bytes; });
    return found;
}

void delete_left_parts(const std::vector<LeftPart>& parts, std::chrono::system_clock::time_point now,
                       PartLocks locks) noexcept {
    for (const LeftPart& left : parts) {
        try {
            const auto lock = lock_existing(left.place, locks);
            if (!lock) continue;
            const auto part = examine(left, now);
            if (part && may_delete(*part)) remove_file(left.place);
        } catch (const std::exception&) {
            // They take room, no more.
        }
    }
}

PartFile::PartFile(const PathBeneath& folder, std::string_view stem, PartContent content, bool resume, PartLocks locks)
    : content_(std::move(content)), locks_(locks) {
    try {
        make(folder, stem);
        left_ = find_left_parts(folder, stem);
        std::erase_if(left_, [this](const LeftPart& left) { return left.place.path() == path(); });
        if (resume && is_checked_by_hash()) take_over();
        check_space(folder.path());
        start_hash();
    } catch (...) {
        leave();
        throw;
    }
}

PartFile::~PartFile() { leave(); }

void PartFile::leave() noexcept {
    if (published_ || lost_ || path().empty() || !made_in_.is_this()) return;
    if (!keep_ || position_ == 0 || !is_checked_by_hash()) {
        remove_file(file_.place());
    } else {
        forget_unfinished_names(path().parent_path());
    }
}

bool PartFile::is_checked_by_hash() const noexcept {
    return content_.verify_hash && (is_sha256(content_.etag) || is_git_sha1(content_.etag));
}

void PartFile::make(const PathBeneath& folder, std::string_view stem) {
    // Before it is locked, another process may look at it, and delete it as one that was left empty.
    for (int tries = 0; tries < most_makings; ++tries) {
        file_ = OutputFile(folder / new_part_name(stem), OutputFile::Open::create_new);
        made_at_ = file_.identity().modified;
        try {
            lock_ = lock_existing(file_.place(), locks_);
        } catch (const FileError& error) {
            // No locks here: others wait until the part looks abandoned. What lacks for the moment only is waited for.
            if (error.code == std::errc::too_many_files_open) throw;
            return;
        }
        if (lock_) return;
        remove_file(file_.place());
    }
    throw FileError("lock", path(), std::make_error_code(std::errc::resource_unavailable_try_again));
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
bool PartFile::try_take_over(const LeftPart& left) {
    auto lock = lock_existing(left.place, locks_);
    if (!lock) return false;
    const std::optional<FoundPart> part = examine(left, file_system_time());
    if (!part || !may_take_over(*part, content_.size)) return false;
    // A soft lock belongs to the name, flock to the file.
    if (lock->is_soft() && !lock_) return false;
    OutputFile file(left.place, OutputFile::Open::existing);
    file.move_to(file_.place());
    file_ = std::move(file);
    if (!lock->is_soft()) lock_ = std::move(lock);
    position_ = part->bytes;
    if (log_enabled(LogLevel::info)) {
        log(LogLevel::info,
            "going on with " + std::to_string(position_) + " bytes of an earlier transfer in " + path().string());
    }
    return true;
}

/// "Now" by the clock that stamps the files.
std::chrono::system_clock::time_point PartFile::file_system_time() const {
    const auto since = std::chrono::steady_clock::now() - made_;
    return made_at_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(since);
}

std::uint64_t PartFile::missing() const noexcept {
    const std::uint64_t size = content_.size.value_or(0);
    return size - std::min(position_, size);
}

void PartFile::check_space(const fs::path& folder) {
    struct statvfs status{};
    if (!content_.check_disk_space || !content_.size || ::statvfs(folder.c_str(), &status) != 0) return;
    const auto free = free_space(status);
    const std::uint64_t device = file_.identity().device;
    if (!free || claim_.try_claim(device, missing(), *free)) return;
    const std::uint64_t by_others = SpaceClaim::claimed(device);
    const std::string others =
        by_others == 0 ? "" : ", " + std::to_string(by_others) + " of them for other files that are being fetched";
    throw FileError(
        "store " + std::to_string(missing()) + " more bytes (" + std::to_string(*free) + " are free" + others + ") in",
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
    claim_.resize(missing());
    if (position_ - sync_begun_ < sync_step) return;
    file_.begin_sync(sync_begun_, position_ - sync_begun_);
    sync_begun_ = position_;
}

void PartFile::restart() {
    require_ownership();
    file_.truncate(0);
    position_ = sync_begun_ = 0;
    claim_.resize(missing());
    start_hash();
}

void PartFile::verify() {
    if (content_.size && *content_.size != position_) {
        const std::string got = std::to_string(position_), expected = std::to_string(*content_.size);
        throw IntegrityError(
            path().string() + " has " + got + " bytes instead of " + expected + ": the server sent something else",
            expected, got, path().string());
    }
    if (file_.size() != position_) {
        throw IntegrityError(path().string() + " was changed while it was written; try again");
    }
    if (!is_checked_by_hash()) return;
    if (!hasher_) {
        // Git's hash begins with the length, which was not known before.
        content_.size = position_;
        start_hash();
    }
    while (unhashed() > 0) hash_more(unhashed());
    const std::string got = hasher_.hex();
    if (got == content_.etag) return;
    throw IntegrityError("the content of " + path().string() + " has the hash " + got + " instead of " + content_.etag +
                             ": it was altered on its way; try again, or check proxies in between",
                         content_.etag, got, path().string());
}

void PartFile::publish(const PathBeneath& target) {
    require_ownership();
    const PathBeneath from = file_.place();
    file_.make_whole(position_);
    file_.close();
    move_file(from, target);
    published_ = true;
    if (lock_) lock_->unlock();
    delete_left_parts(left_, file_system_time(), locks_);
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
