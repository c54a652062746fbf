#pragma once

#include "http/body.hpp"
#include "http/workers.hpp"

#include <filesystem>
#include <memory>
#include <vector>

namespace hfhub::http {

/// A file, or a part of one, as a request's body: read by workers.
class FileSource final : public BodySource {
  public:
    /// `length` bytes from `offset` on, or all that follow. Throws IoError where the file cannot be opened or is
    /// shorter.
    FileSource(CallWorkers workers, const std::filesystem::path& path, std::uint64_t offset = 0,
               std::optional<std::uint64_t> length = std::nullopt);
    ~FileSource() override;

    std::optional<std::uint64_t> size() const override;
    /// Throws IoError, also where the file has become shorter since it was opened.
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override;
    bool rewind() override;

  private:
    struct File;
    CallWorkers workers_;
    std::shared_ptr<File> file_;
    std::uint64_t begin_, end_, at_;
    std::vector<std::byte> block_;  // what is read but not yet taken: from block_at_ on
    std::size_t block_at_ = 0;
};

}  // namespace hfhub::http
