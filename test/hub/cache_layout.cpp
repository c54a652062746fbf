#include "hub/cache_layout.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::hub;
using namespace std::string_view_literals;

TEST_CASE("names that could lead out of a folder are refused") {
    for (const std::string_view name : {""sv,
                                        "."sv,
                                        ".."sv,
                                        "../x"sv,
                                        "a/../x"sv,
                                        "a/../../x"sv,
                                        "a/.."sv,
                                        "./x"sv,
                                        "a/./b"sv,
                                        "/etc/passwd"sv,
                                        "//x"sv,
                                        "a//b"sv,
                                        "a/"sv,
                                        "C:\\x"sv,
                                        "C:x"sv,
                                        "c:/x"sv,
                                        "a/D:/x"sv,
                                        "a\\D:x"sv,
                                        "\\x"sv,
                                        "\\\\host\\share\\x"sv,
                                        "//host/share"sv,
                                        "..\\x"sv,
                                        "a\\..\\x"sv,
                                        "a\\..\\..\\x"sv,
                                        "a/..\\x"sv,
                                        "a\\../x"sv,
                                        "x:stream"sv,
                                        "file:stream"sv,
                                        "x::$DATA"sv,
                                        "a\0b"sv,
                                        "a\nb"sv,
                                        "a\x7f"sv,
                                        "\x01"sv,
                                        "a\\\\b"sv,
                                        "a\\.\\b"sv,
                                        "..\\..\\..\\"sv}) {
        CAPTURE(std::string(name));
        CHECK_THROWS_AS(validate_filename(name), HfValidationError);
    }
}

TEST_CASE("ordinary names are accepted, however odd") {
    for (const std::string_view name : {"config.json", "a/b/c.txt", "..a", "a..", "dir with space/ü#1 100%+a?.txt",
                                        ".gitattributes", "-", "~", "a\\b", "$HOME", "CON.txt", "*"}) {
        CAPTURE(std::string(name));
        CHECK_NOTHROW(validate_filename(name));
    }
}

TEST_CASE("names that mean something else on some system, or are no text, are refused") {
    std::string long_path;  // 4095 bytes
    while (long_path.size() < 4095) long_path += std::string(254, 'x') + "/";
    long_path.resize(4095);
    CHECK_NOTHROW(validate_filename(long_path));
    for (const std::string& name :
         {std::string("..."), std::string(".. "), std::string("a/.. /x"), std::string(" "), std::string("a/ /b"),
          std::string(".git/config"), std::string("a/.GIT/x"), std::string(".git. /x"), std::string("git~1"),
          std::string("a\\.git\\config"), std::string("a\xff"), std::string("\xed\xa0\x80"), std::string("\xc0\xaf"),
          std::string("a\xc2\x9b"
                      "b"),
          std::string(256, 'x'), "d/" + std::string(256, 'x') + "/y", std::string(5000, 'x'), long_path + "x"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(validate_filename(name), HfValidationError);
    }
    for (const std::string& name : {std::string(255, 'x'), std::string(".gitignore"), std::string("x.git"),
                                    std::string("\u200b"), std::string("a%2fb"), std::string("%2e%2e/x")}) {
        CAPTURE(name);
        CHECK_NOTHROW(validate_filename(name));
    }
}

TEST_CASE("below a local_dir the place of its notes is nobody else's") {
    for (const std::string_view name : {".cache/huggingface", ".cache/huggingface/download/f.metadata",
                                        ".CACHE/Huggingface/x", ".cache\\huggingface\\x", ".cache. /huggingface./x"}) {
        CAPTURE(name);
        CHECK_NOTHROW(validate_filename(name));
        CHECK(is_own_local_name(name));
        CHECK_THROWS_AS(validate_local_filename(name), HfValidationError);
    }
    for (const std::string_view name : {".cache", ".cache/x", "cache/huggingface/x", "a/.cache/huggingface/x"}) {
        CAPTURE(name);
        CHECK_NOTHROW(validate_local_filename(name));
    }
}

TEST_CASE("a refusal shows no control characters") {
    try {
        validate_filename("a\x1b[31m");
        FAIL("must throw");
    } catch (const HfValidationError& error) {
        CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
    }
}

TEST_CASE("revisions may have slashes but must stay below refs") {
    for (const std::string_view revision : {"main", "refs/pr/3", "feat/ä b", "v1.0", "a:b"})
        CHECK_NOTHROW(validate_revision(revision));
    for (const std::string_view revision : {"../main", "a/../../b", "/main", "a\\..\\b", "", "a//b", "a\nb"}) {
        CHECK_THROWS_AS(validate_revision(revision), HfValidationError);
    }
}

TEST_CASE("only letters, digits and '-' of a server's ETag become a path") {
    CHECK(is_path_token("abc-DEF-012"));
    CHECK(is_path_token(std::string(128, 'a')));
    for (const std::string& text : {std::string(), std::string("a/b"), std::string(".."), std::string("a.b"),
                                    std::string("a\"b"), std::string(129, 'a'), std::string("a\0b", 3)}) {
        CHECK(!is_path_token(text));
    }
}

TEST_CASE("hashes are told apart by length and digits") {
    CHECK(is_git_sha1(std::string(40, 'a')));
    CHECK(!is_git_sha1(std::string(40, 'A')));
    CHECK(!is_git_sha1(std::string(39, 'a')));
    CHECK(!is_git_sha1(std::string(40, 'g')));
    CHECK(is_sha256(std::string(64, '0')));
    CHECK(!is_sha256(std::string(63, '0')));
}

TEST_CASE("paths are those of huggingface_hub") {
    const RepoCache cache("/c", "dataset", "org/name");
    CHECK(cache.folder() == "/c/datasets--org--name");
    CHECK(cache.blob("e") == "/c/datasets--org--name/blobs/e");
    CHECK(cache.pointer("c0", "a/b.txt") == "/c/datasets--org--name/snapshots/c0/a/b.txt");
    CHECK(cache.ref("refs/pr/3") == "/c/datasets--org--name/refs/refs/pr/3");
    CHECK(cache.no_exist("c0", "a/b") == "/c/datasets--org--name/.no_exist/c0/a/b");
    CHECK(cache.lock("e").path() == "/c/.locks/datasets--org--name/e.lock");
    CHECK(repo_folder_name("model", "gpt2") == "models--gpt2");
}
