#include "core/folded_name.hpp"

#include "core/atomic_file.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
namespace fs = std::filesystem;

TEST_CASE("names that differ in the case of letters only may be one") {
    CHECK(differ_in_case_only("README.md", "readme.MD"));
    CHECK(!differ_in_case_only("README.md", "README.md"));
    CHECK(!differ_in_case_only("README.md", "README.mdx"));
    CHECK(!differ_in_case_only("a[b", "a{b"));
    CHECK(!differ_in_case_only("a", "b"));
}

TEST_CASE("where the file system tells names apart, none is folded") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "Sub");
    fs::create_directories(folder / "sub");
    for (const char* name : {"Sub/A", "Sub/a", "sub/\u00e9", "sub/dot.", "sub/1"}) {
        write_file_atomically(folder / name, "");
        CHECK(!folded_name(folder.path(), name));
    }
    CHECK(!folded_name(folder.path(), "SUB/A"));
    CHECK(!folded_name(folder.path(), "sub/A"));
    CHECK(!folded_name(folder / "no such folder", "a"));
}
