#pragma once

// What is uploaded: a file or bytes in memory, measured, hashed and sent block by block.

#include "core/digest.hpp"
#include "http/body.hpp"
#include "http/workers.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/commits.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// An UploadSource that owns its path or bytes. Cheap to copy.
class Content {
  public:
    Content() : Content(UploadSource()) {}
    explicit Content(UploadSource source);

    bool is_file() const noexcept { return is_file_; }
    /// Of a file.
    std::filesystem::path path() const { return *text_; }
    /// Where it is no file.
    std::string_view bytes() const noexcept { return *text_; }

  private:
    std::shared_ptr<const std::string> text_;
    bool is_file_;
};

/// What is known of content without reading all of it.
struct ContentInfo {
    std::uint64_t size = 0;
    std::string sample;                          ///< The first 512 bytes.
    std::filesystem::file_time_type modified{};  ///< Of a file.
};

/// Looks at several contents. Throws InvalidArgumentError for what is no regular file, IoError.
awaitable<std::vector<ContentInfo>> measure(http::CallWorkers workers, std::vector<Content> contents);

/// The hash of the whole content, as `hasher` makes it. Throws IoError, also where it is no longer as it was measured.
awaitable<std::string> hash(http::CallWorkers workers, Content content, ContentInfo info, Hasher hasher);

/// Throws IoError where a file is no longer as it was measured.
awaitable<void> require_unchanged(http::CallWorkers workers, Content content, ContentInfo info);

/// `length` bytes from `offset` on as a request's body. Throws IoError.
std::shared_ptr<http::BodySource> body_of(http::CallWorkers workers, const Content& content, std::uint64_t offset,
                                          std::uint64_t length);

/// All bytes. Throws IoError.
awaitable<std::string> read_whole(http::CallWorkers workers, Content content, ContentInfo info);

}  // namespace hfhub::hub
