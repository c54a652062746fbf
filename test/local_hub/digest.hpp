#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hfhub::local_hub {

std::string to_hex(std::string_view bytes);
/// Lower-case hexadecimal digests.
std::string sha1_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

/// The object id that git gives to a blob: sha1 of "blob SIZE\0" and the bytes.
std::string git_blob_oid(std::string_view bytes);

/// The text that git keeps instead of a large file (git-lfs pointer, version 1).
std::string lfs_pointer(std::string_view sha256, std::uint64_t size);

/// Throws std::invalid_argument where the text is no base64 (RFC 4648 4).
std::string base64_decode(std::string_view text);

/// sha256 of bytes that arrive piece by piece.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(std::string_view bytes);
    /// Ends the computation.
    std::string hex();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

}  // namespace hfhub::local_hub
