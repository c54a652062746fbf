#include "core/digest.hpp"

#include <doctest/doctest.h>

using namespace hfhub;

namespace {
template <class T>
std::string hex_of(T digest, std::string_view bytes) {
    digest.update(bytes);
    return digest.hex();
}
std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
}  // namespace

TEST_CASE("the examples of FIPS 180-4 have their hashes") {
    CHECK(hex_of(Sha256(), "") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_hex(bytes_of("abc")) == sha256_hex("abc"));
    CHECK(hex_of(Sha1(), "") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(hex_of(Sha1(), "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a hash does not depend on how its bytes were cut") {
    const std::string text(1000, 'x');
    const auto whole = sha256_hex(text);
    for (std::size_t cut = 0; cut <= text.size(); cut += 37) {
        Sha256 digest;
        digest.update(std::string_view(text).substr(0, cut));
        digest.update(std::string_view(text).substr(cut));
        CHECK(digest.hex() == whole);
    }
}

TEST_CASE("asking for the hash does not end it, and copies go on alone") {
    Sha256 digest;
    digest.update("a");
    Sha256 copy = digest;
    CHECK(digest.hex() == sha256_hex("a"));
    digest.update("bc");
    copy.update("x");
    CHECK(digest.hex() == sha256_hex("abc"));
    CHECK(copy.hex() == sha256_hex("ax"));
    copy = digest;
    copy = static_cast<const Sha256&>(copy);
    CHECK(copy.hex() == sha256_hex("abc"));
    CHECK(copy.raw().size() == 32);
    CHECK(to_hex(copy.raw()) == copy.hex());
}

TEST_CASE("git's id of a file includes its size") {
    CHECK(hex_of(GitBlobSha1(0), "") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    CHECK(hex_of(GitBlobSha1(12), "hello world\n") == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
}

TEST_CASE("a hasher takes one of the Hub's hashes, or none") {
    Hasher none;
    none.update(bytes_of("abc"));
    CHECK(!none);
    CHECK(none.hex().empty());

    auto lfs = Hasher::sha256();
    lfs.update(bytes_of("abc"));
    CHECK(lfs);
    CHECK(lfs.hex() == sha256_hex("abc"));

    auto plain = Hasher::git_sha1(0);
    CHECK(plain.hex() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}
