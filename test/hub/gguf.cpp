#include "hub/gguf_header.hpp"
#include "mock_hub.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>

using namespace hfhub;
using namespace hfhub::hub;
using test::Answer;
using test::MockHub;
using test::outcome;
using test::Seen;
using test::TempDir;

namespace {

/// Writes the format, in the byte order that is wanted.
class Writer {
  public:
    explicit Writer(bool big = false) : big_(big) { bytes = "GGUF"; }
    template <class T>
    Writer& number(T value) {
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof(T));
        if (big_) std::reverse(raw, raw + sizeof(T));
        bytes.append(raw, sizeof(T));
        return *this;
    }
    Writer& text(const std::string& value) {
        number<std::uint64_t>(value.size());
        bytes += value;
        return *this;
    }
    Writer& entry(const std::string& key, std::uint32_t type) { return text(key).number(type); }
    Writer& head(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
        return number(version).number(tensors).number(entries);
    }
    Writer& tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type) {
        text(name).number(static_cast<std::uint32_t>(shape.size()));
        for (const std::uint64_t size : shape) number(size);
        return number(type).number<std::uint64_t>(64);
    }

    std::string bytes;

  private:
    bool big_;
};

std::string model(bool big = false) {
    Writer writer(big);
    writer.head(2, 6);
    writer.entry("general.architecture", 8).text("llama");
    writer.entry("llama.context_length", 4).number<std::uint32_t>(4096);
    writer.entry("llama.scale", 6).number<float>(0.5F);
    writer.entry("general.alignment", 4).number<std::uint32_t>(64);
    writer.entry("tokens", 9).number<std::uint32_t>(8).number<std::uint64_t>(2).text("a").text("\xC3\xA9");
    writer.entry("flag", 7).number<std::uint8_t>(1);
    writer.tensor("w", {64, 3}, 12).tensor("b", {}, 0);
    return writer.bytes;
}

void check(const GgufFileMetadata& read) {
    CHECK(read.version == 3);
    CHECK(read.metadata.at("general.architecture") == "llama");
    CHECK(read.metadata.at("llama.context_length") == 4096);
    CHECK(read.metadata.at("llama.scale") == 0.5);
    CHECK(read.metadata.at("tokens").as_array().at(1) == "é");
    CHECK(read.metadata.at("flag") == true);
    REQUIRE(read.tensors.size() == 2);
    CHECK(read.tensors[0].name == "w");
    CHECK(read.tensors[0].dtype == "Q4_K");
    CHECK(read.tensors[0].shape == std::vector<std::uint64_t>{64, 3});
    CHECK(read.tensors[0].offset == 64);
    CHECK(read.parameter_count == 193);
    CHECK(read.data_offset % 64 == 0);
    CHECK(read.data_offset - model().size() < 64);
}

std::string refusal(const Writer& writer) {
    try {
        return read_gguf_header(writer.bytes, "it") ? "read" : "short";
    } catch (const GgufParsingError& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("a GGUF header is read in either byte order, and wherever it is cut there is more to come") {
    for (const bool big : {false, true}) {
        const std::string whole = model(big);
        const auto read = read_gguf_header(whole, "it");
        REQUIRE(read);
        check(*read);
        for (std::size_t size = 0; size < whole.size(); ++size)
            CHECK_FALSE(read_gguf_header(std::string_view(whole).substr(0, size), "it"));
    }
}

TEST_CASE("what no GGUF file can hold is refused at once") {
    Writer other;
    other.bytes = "GGML1234";
    CHECK(refusal(other).find("begin with") != std::string::npos);
    CHECK(refusal(Writer().head(0, 0, 1)).find("version 1") != std::string::npos);
    CHECK(refusal(Writer().head(1ULL << 40, 0)).find("tensors") != std::string::npos);
    CHECK(refusal(Writer().head(0, 1ULL << 40)).find("entries") != std::string::npos);
    CHECK(refusal(Writer().head(0, 1).number<std::uint64_t>(1ULL << 40)).find("512 MiB") != std::string::npos);
    CHECK(refusal(Writer().head(0, 1).entry("k", 13)).find("type 13") != std::string::npos);
    CHECK(refusal(Writer().head(0, 1).entry("k", 9).number<std::uint32_t>(0).number<std::uint64_t>(1ULL << 40))
              .find("items") != std::string::npos);
    Writer many;
    many.head(0, 3);
    for (int i = 0; i < 3; ++i) {
        many.entry("k", 9).number<std::uint32_t>(0).number<std::uint64_t>(i == 2 ? 1 << 24 : 10);
        many.bytes += std::string(10, 0);
    }
    CHECK(refusal(many).find("items") != std::string::npos);
    Writer nested;
    nested.head(0, 1).entry("k", 9);
    for (int i = 0; i < 20; ++i) nested.number<std::uint32_t>(9).number<std::uint64_t>(1);
    nested.bytes += std::string(100, 0);
    CHECK(refusal(nested).find("nested") != std::string::npos);
    CHECK(refusal(Writer().head(1, 0).text("t").number<std::uint32_t>(9)).find("dimensions") != std::string::npos);
    CHECK(refusal(Writer().head(1, 0).tensor("t", {1ULL << 33, 1ULL << 33}, 0)).find("elements") != std::string::npos);
    CHECK(refusal(Writer().head(0, 1).entry("general.alignment", 4).number<std::uint32_t>(48)).find("power of two") !=
          std::string::npos);
    CHECK(read_gguf_header(Writer().head(1, 0).tensor("t", {1}, 99).bytes, "it")->tensors[0].dtype == "99");
}

TEST_CASE("a name says which shards there are") {
    CHECK(gguf_shards("a.gguf") == std::vector<std::string>{"a.gguf"});
    CHECK(gguf_shards("d/a-00002-of-00003.gguf") ==
          std::vector<std::string>{"d/a-00001-of-00003.gguf", "d/a-00002-of-00003.gguf", "d/a-00003-of-00003.gguf"});
    CHECK(gguf_shards("a-0002-of-00003.gguf").size() == 1);
    CHECK_THROWS_AS(gguf_shards("a-00001-of-00000.gguf"), GgufParsingError);
    CHECK_THROWS_AS(gguf_shards("a-00001-of-99999.gguf"), GgufParsingError);
}

TEST_CASE("a long header on the Hub is read in ranges that go on from each other, for all shards") {
    Writer writer;
    writer.head(0, 1).entry("text", 8).text(std::string(700'000, 'x'));
    const std::string file = writer.bytes + std::string(10'000'000, 'd');
    std::size_t end = file.size();
    const auto serve = [&](std::size_t from) {
        if (from >= end) return Answer{416, ""};
        return Answer{206, file.substr(0, end).substr(from, from == 0 ? 262'144 : from)};
    };
    int requests = 0;
    const MockHub hub([&](const Seen&) {
        constexpr std::size_t begins[] = {0, 262'144, 524'288};
        return serve(begins[requests++ % 3]);
    });
    const GgufMetadata one = HfApi(hub.session()).get_gguf_metadata("a/m", "m.gguf");
    CHECK(one.metadata.at("text").as_string().size() == 700'000);
    CHECK(hub.seen().size() == 3);
    requests = 0;
    end = 300'000;
    CHECK(outcome([&] { HfApi(hub.session()).get_gguf_metadata("a/m", "m.gguf"); }) == "GgufParsingError");

    const MockHub shards([&](const Seen&) { return Answer{206, model()}; });
    const GgufMetadata all = HfApi(shards.session()).get_gguf_metadata("a/m", "m-00001-of-00002.gguf");
    CHECK(all.files.size() == 2);
    CHECK(all.parameter_count == 386);
    CHECK(shards.seen().size() == 2);
}

TEST_CASE("a GGUF file on this machine is read no further than its header, and one that ends there is refused") {
    const TempDir folder;
    const auto write = [&](const std::string& bytes) {
        std::ofstream(folder.path() / "f", std::ios::binary) << bytes;
        return folder.path() / "f";
    };
    check(parse_gguf_file_metadata(write(model() + std::string(1000, 'd'))));
    CHECK_THROWS_WITH_AS(parse_gguf_file_metadata(write(model().substr(0, 100))),
                         doctest::Contains("ends in its header"), GgufParsingError);
}
