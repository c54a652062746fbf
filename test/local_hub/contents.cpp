#include "contents.hpp"

#include "hub_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hfhub::local_hub {

namespace fs = std::filesystem;

OpenFile::OpenFile(const fs::path& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path.string());
}
OpenFile::~OpenFile() { ::close(descriptor_); }

void OpenFile::write_at(std::string_view bytes, std::uint64_t offset) const {
    while (!bytes.empty()) {
        auto n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0) throw std::system_error(errno, std::generic_category(), "cannot write an upload");
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
}

std::size_t OpenFile::read_at(std::span<char> room, std::uint64_t offset) const {
    auto n = ::pread(descriptor_, room.data(), room.size(), static_cast<off_t>(offset));
    if (n < 0) throw std::system_error(errno, std::generic_category(), "cannot read an object");
    return static_cast<std::size_t>(n);
}

std::uint64_t Upload::size_of_part(unsigned number) const {
    std::uint64_t begin = (number - 1) * part_size;
    return number == 0 || begin >= size ? 0 : std::min(part_size, size - begin);
}

Contents::Contents(const fs::path& directory)
    : objects_(directory / "objects"), uploads_directory_(directory / "uploads") {
    fs::create_directories(objects_);
    fs::create_directories(uploads_directory_);
}

std::optional<Object> Contents::find(std::string_view sha256) const {
    std::lock_guard lock(mutex_);
    auto found = objects_by_sha256_.find(sha256);
    if (found == objects_by_sha256_.end()) return std::nullopt;
    return found->second;
}

bool Contents::has(std::string_view sha256, std::uint64_t size) const {
    auto object = find(sha256);
    return object && object->size == size;
}

fs::path Contents::new_temporary_file() {
    std::lock_guard lock(mutex_);
    return uploads_directory_ / ("put-" + std::to_string(++next_id_));
}

void Contents::adopt(const fs::path& file, const std::string& sha256, std::uint64_t size) {
    std::lock_guard lock(mutex_);
    fs::path home = objects_ / sha256.substr(0, 2) / sha256;
    fs::create_directories(home.parent_path());
    fs::rename(file, home);
    objects_by_sha256_[sha256] = Object{size, std::make_shared<OpenFile>(home, O_RDONLY)};
}

std::string Contents::begin_parts(std::string_view oid, std::uint64_t size, std::uint64_t part_size) {
    auto upload = std::make_shared<Upload>();
    upload->oid = oid;
    upload->size = size;
    upload->part_size = part_size;
    std::lock_guard lock(mutex_);
    std::string id = "upload-" + std::to_string(++next_id_);
    upload->path = uploads_directory_ / id;
    upload->file = std::make_shared<OpenFile>(upload->path, O_RDWR | O_CREAT | O_TRUNC);
    uploads_.emplace(id, upload);
    return id;
}

std::shared_ptr<Upload> Contents::find_upload(const std::string& id) const {
    std::lock_guard lock(mutex_);
    auto found = uploads_.find(id);
    return found == uploads_.end() ? nullptr : found->second;
}

std::string Contents::part_written(Upload& upload, const std::string& id, unsigned number) {
    std::lock_guard lock(mutex_);
    std::string etag = '"' + sha1_hex(id + ':' + std::to_string(number)).substr(0, 32) + '"';
    upload.etags[number] = etag;
    std::vector<char> piece(256 * 1024);
    while (upload.etags.contains(upload.hashed_parts + 1)) {
        ++upload.hashed_parts;
        std::uint64_t position = (upload.hashed_parts - 1) * upload.part_size;
        std::uint64_t end = position + upload.size_of_part(upload.hashed_parts);
        while (position < end) {
            std::size_t wanted = std::min<std::uint64_t>(piece.size(), end - position);
            std::size_t n = upload.file->read_at(std::span(piece.data(), wanted), position);
            if (n == 0) break;
            upload.digest.update({piece.data(), n});
            position += n;
        }
    }
    return etag;
}

void Contents::complete(const std::string& id, const std::vector<std::string>& etags) {
    std::shared_ptr<Upload> upload = find_upload(id);
    if (!upload) throw HubError(404, "", "NoSuchUpload: " + id);
    {
        std::lock_guard lock(mutex_);
        if (etags.size() != upload->part_count()) throw bad_request("InvalidPart: not as many parts as the upload has");
        for (unsigned number = 1; number <= etags.size(); ++number) {
            auto known = upload->etags.find(number);
            if (known == upload->etags.end() || known->second != etags[number - 1]) {
                throw bad_request("InvalidPart: part " + std::to_string(number));
            }
        }
        uploads_.erase(id);
        if (upload->digest.hex() != upload->oid) throw bad_request("BadDigest: the sha256 of the parts is not the oid");
    }
    adopt(upload->path, upload->oid, upload->size);
}

void Contents::clear() {
    std::lock_guard lock(mutex_);
    objects_by_sha256_.clear();
    uploads_.clear();
    for (const fs::path& directory : {objects_, uploads_directory_}) {
        fs::remove_all(directory);
        fs::create_directories(directory);
    }
}

BodySource::Read FileSource::read(std::span<char> room) {
    std::size_t wanted = std::min<std::uint64_t>(room.size(), end_ - position_);
    std::size_t n = wanted > 0 ? file_->read_at(room.first(wanted), position_) : 0;
    position_ += n;
    return {n, position_ == end_ ? State::end : State::more};
}

BodySource::Read StringSource::read(std::span<char> room) {
    std::size_t n = std::min<std::uint64_t>(room.size(), end_ - position_);
    std::memcpy(room.data(), text_->data() + position_, n);
    position_ += n;
    return {n, position_ == end_ ? State::end : State::more};
}

ObjectSink::ObjectSink(fs::path path) : path_(std::move(path)), file_(path_, O_WRONLY | O_CREAT | O_TRUNC) {}

ObjectSink::~ObjectSink() {
    std::error_code adopted_already;
    fs::remove(path_, adopted_already);
}

void ObjectSink::write(std::string_view bytes) {
    file_.write_at(bytes, size_);
    digest_.update(bytes);
    size_ += bytes.size();
}

void PartSink::write(std::string_view bytes) {
    // What exceeds the part is counted and not written: it would overwrite the next part.
    std::uint64_t limit = upload_->size_of_part(number_);
    std::uint64_t room = size_ < limit ? limit - size_ : 0;
    upload_->file->write_at(bytes.substr(0, room), (number_ - 1) * upload_->part_size + size_);
    size_ += bytes.size();
}

}  // namespace hfhub::local_hub
