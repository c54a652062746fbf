#include "cli/progress_bar.hpp"

#include <doctest/doctest.h>

using hfhub::cli::progress_text;

TEST_CASE("how far a transfer is") {
    CHECK(progress_text({"model.bin", 1'000'000'000, 4'000'000'000, 0, 10}) ==
          "model.bin: 25% 1.0G/4.0G 100.0MB/s, 00:00:30 left");
    CHECK(progress_text({"f", 10, 10, 0, 1}) == "f: 100% 10B/10B 10B/s");
    CHECK(progress_text({"f", 0, 0, 0, 1}) == "f: 100% 0B/0B 0B/s");
}

TEST_CASE("no time is told while nothing moves") { CHECK(progress_text({"f", 0, 5000, 0, 3}) == "f: 0% 0B/5.0K 0B/s"); }

TEST_CASE("what an earlier run fetched is no part of the rate") {
    CHECK(progress_text({"f", 3000, 5000, 2000, 1}) == "f: 60% 3.0K/5.0K 1.0KB/s, 00:00:02 left");
}

TEST_CASE("a long name is cut between characters") {
    std::string name;
    for (int i = 0; i < 20; ++i) name += "ü";
    const std::string text = progress_text({name, 0, 1, 0, 1});
    CHECK(text.starts_with("…ü"));
}
