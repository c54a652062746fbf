#pragma once

#include "digest.hpp"
#include "message.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

/// An open file, closed with its last user.
class OpenFile {
  public:
    OpenFile(const std::filesystem::path& path, int flags);
    ~OpenFile();
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    int descriptor() const { return descriptor_; }
    void write_at(std::string_view bytes, std::uint64_t offset) const;
    std::size_t read_at(std::span<char> room, std::uint64_t offset) const;

  private:
    int descriptor_;
};

struct Object {
    std::uint64_t size = 0;
    std::shared_ptr<const OpenFile> file;
};

/// A large object on its way in: one PUT, or several parts in any order.
struct Upload {
    std::string oid;
    std::uint64_t size = 0;
    std::uint64_t part_size = 0;  ///< Size of all parts but the last.
    std::filesystem::path path;
    std::shared_ptr<OpenFile> file;
    std::map<unsigned, std::string> etags;  ///< Of the complete parts.
    Sha256 digest;                          ///< Of the first `hashed_parts` parts.
    unsigned hashed_parts = 0;

    unsigned part_count() const { return static_cast<unsigned>((size + part_size - 1) / part_size); }
    std::uint64_t size_of_part(unsigned number) const;
};

/// The large files by sha256, on disk. Safe to call from several threads.
class Contents {
  public:
    explicit Contents(const std::filesystem::path& directory);

    std::optional<Object> find(std::string_view sha256) const;
    /// False also where the size is another.
    bool has(std::string_view sha256, std::uint64_t size) const;

    /// Begins a multipart upload and returns its id.
    std::string begin_parts(std::string_view oid, std::uint64_t size, std::uint64_t part_size);
    std::shared_ptr<Upload> find_upload(const std::string& id) const;
    /// Notes a part that has been written, and hashes what now is contiguous; returns the part's ETag.
    std::string part_written(Upload& upload, const std::string& id, unsigned number);
    /// Ends an upload; throws HubError 400 where a part is missing, its ETag is another, or the sha256 is not the oid.
    void complete(const std::string& id, const std::vector<std::string>& etags);

    std::filesystem::path new_temporary_file();
    void adopt(const std::filesystem::path& file, const std::string& sha256, std::uint64_t size);
    void clear();

  private:
    mutable std::mutex mutex_;
    std::filesystem::path objects_, uploads_directory_;
    std::map<std::string, Object, std::less<>> objects_by_sha256_;
    std::map<std::string, std::shared_ptr<Upload>> uploads_;
    std::uint64_t next_id_ = 0;
};

/// Streams a range of a file.
class FileSource final : public BodySource {
  public:
    FileSource(std::shared_ptr<const OpenFile> file, std::uint64_t begin, std::uint64_t end)
        : file_(std::move(file)), position_(begin), end_(end), size_(end - begin) {}
    Read read(std::span<char> room) override;
    std::optional<std::uint64_t> size() const override { return size_; }

  private:
    std::shared_ptr<const OpenFile> file_;
    std::uint64_t position_, end_, size_;
};

/// Streams a range of a string that others share.
class StringSource final : public BodySource {
  public:
    StringSource(std::shared_ptr<const std::string> text, std::uint64_t begin, std::uint64_t end)
        : text_(std::move(text)), position_(begin), end_(end), size_(end - begin) {}
    Read read(std::span<char> room) override;
    std::optional<std::uint64_t> size() const override { return size_; }

  private:
    std::shared_ptr<const std::string> text_;
    std::uint64_t position_, end_, size_;
};

/// A whole object as the body of one PUT.
class ObjectSink final : public BodySink {
  public:
    explicit ObjectSink(std::filesystem::path path);
    ~ObjectSink() override;
    void write(std::string_view bytes) override;
    std::uint64_t size() const { return size_; }
    std::string sha256() { return digest_.hex(); }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
    OpenFile file_;
    Sha256 digest_;
    std::uint64_t size_ = 0;
};

/// One part of an upload.
class PartSink final : public BodySink {
  public:
    PartSink(std::shared_ptr<Upload> upload, unsigned number) : upload_(std::move(upload)), number_(number) {}
    void write(std::string_view bytes) override;
    bool has_right_size() const { return size_ == upload_->size_of_part(number_); }

  private:
    std::shared_ptr<Upload> upload_;
    unsigned number_;
    std::uint64_t size_ = 0;
};

}  // namespace hfhub::local_hub
