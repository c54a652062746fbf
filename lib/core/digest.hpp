#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hfhub {

/// Lower-case hexadecimal digits, two per byte.
std::string to_hex(std::string_view bytes);

/// A running hash. Copies go on independently; a moved-from one may only be assigned to or destroyed.
class Digest {
  public:
    Digest(const Digest& other);
    Digest& operator=(const Digest& other);
    Digest(Digest&&) noexcept;
    Digest& operator=(Digest&&) noexcept;
    ~Digest();

    void update(std::span<const std::byte> bytes);
    void update(std::string_view bytes);
    /// The hash of all bytes so far; more may follow.
    std::string raw() const;
    /// As raw(), in lower-case hexadecimal digits.
    std::string hex() const;

  protected:
    enum class Algorithm : std::uint8_t { sha1, sha256 };
    explicit Digest(Algorithm algorithm);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

class Sha256 : public Digest {
  public:
    Sha256() : Digest(Algorithm::sha256) {}
};

class Sha1 : public Digest {
  public:
    Sha1() : Digest(Algorithm::sha1) {}
};

/// The id that git gives a file: SHA-1 over "blob <size>", a zero byte and the content.
class GitBlobSha1 : public Sha1 {
  public:
    /// `size` is that of the whole content, which is then given to update().
    explicit GitBlobSha1(std::uint64_t size);
};

std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view bytes);

/// The hash by which a file is known to the Hub, or none where it is not to be checked.
class Hasher {
  public:
    Hasher() = default;
    static Hasher sha256() { return Hasher(Sha256()); }
    static Hasher git_sha1(std::uint64_t size) { return Hasher(GitBlobSha1(size)); }

    explicit operator bool() const noexcept { return digest_.has_value(); }
    void update(std::span<const std::byte> bytes) {
        if (digest_) digest_->update(bytes);
    }
    /// Empty where nothing is hashed.
    std::string hex() const { return digest_ ? digest_->hex() : std::string(); }

  private:
    explicit Hasher(Digest digest) : digest_(std::move(digest)) {}
    std::optional<Digest> digest_;
};

}  // namespace hfhub
