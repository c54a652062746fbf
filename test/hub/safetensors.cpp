#include "core/digest.hpp"
#include "hub/safetensors_header.hpp"
#include "mock_hub.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

using namespace hfhub;
using namespace hfhub::hub;
using test::Answer;
using test::MockHub;
using test::outcome;
using test::Seen;
using test::TempDir;

namespace {

const std::string header =
    R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[3,5],"data_offsets":[0,30]},)"
    R"("b":{"dtype":"F32","shape":[],"data_offsets":[30,34]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[34,34]}})";

std::string file_of(const std::string& json) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(json.size() >> (8 * i));
    return bytes + json;
}

void check(const SafetensorsFileMetadata& read) {
    CHECK(read.metadata.at("format") == "pt");
    CHECK(read.tensors.size() == 3);
    CHECK(read.tensors.at("w").parameter_count == 15);
    CHECK(read.tensors.at("w").data_offsets == std::vector<std::uint64_t>{0, 30});
    CHECK(read.tensors.at("b").parameter_count == 1);
    CHECK(read.tensors.at("e").parameter_count == 0);
    CHECK(read.parameter_count.at("BF16") == 15);
    CHECK(read.parameter_count.at("F32") == 1);
}

SafetensorsFileMetadata parse(const MockHub& hub) {
    return HfApi(hub.session()).parse_safetensors_file_metadata("a/m", "x.safetensors");
}

bool asks(const Seen& seen, std::string_view text) { return seen.target.find(text) != seen.target.npos; }

}  // namespace

TEST_CASE("a header says what tensors there are") { check(read_safetensors_header(header, "it")); }

TEST_CASE("what is no header is refused with the reason") {
    struct Case {
        const char *json, *reason;
    };
    for (const Case& one :
         {Case{"{", "JSON"}, Case{"[]", "no JSON object"}, Case{R"({"w":1})", "tensor 'w'"},
          Case{R"({"w":{"dtype":"F32","shape":[1]}})", "no begin and end"},
          Case{R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4]}})", "no begin and end"},
          Case{R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "no begin and end"},
          Case{R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "shape"},
          Case{R"({"w":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,4]}})", "more elements"},
          Case{R"({"w":{"shape":[1],"data_offsets":[0,4]}})", "dtype"}}) {
        CAPTURE(one.json);
        CHECK_THROWS_WITH_AS(read_safetensors_header(one.json, "it"), doctest::Contains(one.reason),
                             SafetensorsParsingError);
    }
    CHECK_THROWS_WITH_AS(safetensors_header_length("1234567", "it"), doctest::Contains("too small"),
                         SafetensorsParsingError);
    CHECK(safetensors_header_length(std::string("\x40\x78\x7d\x01\0\0\0\0", 8), "it") == max_safetensors_header);
    CHECK_THROWS_WITH_AS(safetensors_header_length(std::string("\x41\x78\x7d\x01\0\0\0\0", 8), "it"),
                         doctest::Contains("25000001"), SafetensorsParsingError);
}

TEST_CASE("of a file on the Hub its beginning is read, and the rest of the header where it is longer") {
    std::size_t known = 1000;
    const std::string file = file_of(header) + std::string(100, 'd');
    const MockHub hub([&](const Seen&) { return Answer{206, file.substr(0, known)}; });
    check(parse(hub));
    CHECK(hub.seen().size() == 1);
    known = 50;
    bool first = true;
    const MockHub longer(
        [&](const Seen&) { return Answer{206, std::exchange(first, false) ? file.substr(0, 50) : header}; });
    check(parse(longer));
    CHECK(longer.seen().size() == 2);
    first = true;
    const MockHub ends([&](const Seen&) {
        return Answer{206, std::exchange(first, false) ? file.substr(0, 50) : header.substr(0, 60)};
    });
    CHECK(outcome([&] { parse(ends); }) == "SafetensorsParsingError");
}

TEST_CASE("a server that knows no ranges is read from the beginning, no further than needed") {
    const MockHub hub([&](const Seen&) { return Answer{200, file_of(header) + std::string(1'000'000, 'd')}; });
    check(parse(hub));
    const std::string padded = header.substr(0, header.size() - 1) + std::string(150'000, ' ') + "}";
    const MockHub longer([&](const Seen&) { return Answer{200, file_of(padded) + std::string(1'000'000, 'd')}; });
    check(parse(longer));
    CHECK(longer.seen().size() == 2);
}

TEST_CASE("a repository of one file, of several, and of none") {
    const MockHub single(
        [&](const Seen& seen) { return seen.method == "HEAD" ? Answer{200, ""} : Answer{206, file_of(header)}; });
    const SafetensorsRepoMetadata one = HfApi(single.session()).get_safetensors_metadata("a/m");
    CHECK_FALSE(one.sharded);
    CHECK(one.weight_map.at("w") == "model.safetensors");
    CHECK(one.parameter_count.at("BF16") == 15);

    const auto missing = [] { return Answer{404, "{}", {{"x-error-code", "EntryNotFound"}}}; };
    const TempDir home;
    const MockHub sharded(
        [&](const Seen& seen) {
            if (asks(seen, "model.safetensors.index.json")) {
                const std::string index =
                    R"({"metadata":{"total_size":9},"weight_map":{"w":"1.safetensors","x":"2.safetensors","y":"1.safetensors"}})";
                GitBlobSha1 id(index.size());
                id.update(index);
                return Answer{200,
                              seen.method == "HEAD" ? std::string() : index,
                              {{"etag", "\"" + id.hex() + "\""},
                               {"x-repo-commit", std::string(40, 'a')},
                               {"content-length", std::to_string(index.size())}}};
            }
            if (asks(seen, "/model.safetensors")) return missing();
            return Answer{206, file_of(header)};
        },
        {{"HF_HOME", home.path().string()}});
    const SafetensorsRepoMetadata two = HfApi(sharded.session()).get_safetensors_metadata("a/m");
    CHECK(two.sharded);
    CHECK(two.metadata->at("total_size") == 9);
    CHECK(two.files_metadata.size() == 2);
    CHECK(two.parameter_count.at("BF16") == 30);
    CHECK(std::count_if(sharded.seen().begin(), sharded.seen().end(), [](const Seen& seen) {
              return seen.method == "GET" && seen.target.find("index") == seen.target.npos;
          }) == 2);

    const MockHub none([&](const Seen&) { return missing(); });
    CHECK(outcome([&] { HfApi(none.session()).get_safetensors_metadata("a/m"); }) == "NotASafetensorsRepoError");
}

TEST_CASE("a file on this machine is read no further than its header") {
    const TempDir folder;
    const auto write = [&](const std::string& bytes) {
        std::ofstream(folder.path() / "f", std::ios::binary) << bytes;
        return folder.path() / "f";
    };
    check(parse_safetensors_file_metadata(write(file_of(header) + "data")));
    CHECK_THROWS_AS(parse_safetensors_file_metadata(write("123")), SafetensorsParsingError);
    CHECK_THROWS_AS(parse_safetensors_file_metadata(write(file_of(header).substr(0, 40))), SafetensorsParsingError);
    CHECK_THROWS_AS(parse_safetensors_file_metadata(folder.path() / "none"), Error);
}
