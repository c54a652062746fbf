#include "hub/copy_files.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;

TEST_CASE("a file goes into a folder, over a file, or to a place of its own") {
    CHECK(copied_to("a/w.bin", false, false, "", Destination::folder) == "w.bin");
    CHECK(copied_to("a/w.bin", false, false, "dir", Destination::folder) == "dir/w.bin");
    CHECK(copied_to("a/w.bin", false, false, "x/v.bin", Destination::file) == "x/v.bin");
    CHECK(copied_to("a/w.bin", false, false, "x/v.bin", Destination::nothing) == "x/v.bin");
}

TEST_CASE("a folder goes into a folder, its contents too, or to a place of its own, but not over a file") {
    CHECK(copied_to("a/b", true, false, "dir", Destination::folder) == "dir/b");
    CHECK(copied_to("a/b", true, true, "dir", Destination::folder) == "dir");
    CHECK(copied_to("a/b", true, false, "new", Destination::nothing) == "new");
    CHECK(copied_to("", true, false, "", Destination::folder) == "");
    CHECK(copied_to("", true, false, "dir", Destination::folder) == "dir");
    CHECK_THROWS_AS(copied_to("a", true, false, "f", Destination::file), InvalidArgumentError);
}
