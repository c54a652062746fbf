#pragma once

// The hash of a file that is here already.

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "hub/client.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hfhub::hub {

/// Computed in steps, which block.
class FileHash {
  public:
    FileHash(const std::filesystem::path& path, Hasher hasher) : file_(path), hasher_(std::move(hasher)) {}

    /// False at the end.
    bool step();
    std::string hex() const { return hasher_.hex(); }

  private:
    InputFile file_;
    Hasher hasher_;
    std::vector<std::byte> block_ = std::vector<std::byte>(std::size_t{1} << 20);
    std::uint64_t position_ = 0;
};

enum class HashKind : std::uint8_t { sha256, git_sha1 };

/// Reads the file on a worker; between the steps a call can be cancelled. Throws FileError.
awaitable<std::string> hash_file(Client client, std::filesystem::path path, HashKind kind);

}  // namespace hfhub::hub
