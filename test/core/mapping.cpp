#include "core/mapping.hpp"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace hfhub;

namespace mapping_test {

enum class Speed { cpu_basic, t4_small };
BOOST_DESCRIBE_ENUM(Speed, cpu_basic, t4_small)

struct File {
    std::string rfilename;
    std::optional<std::int64_t> size;
};
BOOST_DESCRIBE_STRUCT(File, (), (rfilename, size))

struct Base {
    std::string id;
    std::string kind = "model";
};
BOOST_DESCRIBE_STRUCT(Base, (), (id, kind))

struct Repo : Base {
    std::optional<Datetime> last_modified;
    std::optional<std::int64_t> downloads_all_time;
    std::optional<std::string> namespace_, library_name, model_index;
    std::optional<std::variant<bool, std::string>> gated;
    std::optional<std::vector<File>> siblings;
    std::vector<std::string> tags;
    std::map<std::string, std::int64_t> parameters;
    std::optional<Speed> hardware;
    std::optional<json::object> card_data;
    std::vector<std::pair<std::string, std::optional<std::string>>> replicas;
    bool disabled = false;
    json::object raw;
};
BOOST_DESCRIBE_STRUCT(Repo, (Base),
                      (last_modified, downloads_all_time, namespace_, library_name, model_index, gated, siblings, tags,
                       parameters, hardware, card_data, replicas, disabled))

struct Whole {
    std::string stage;
    json::object raw;
};
BOOST_DESCRIBE_STRUCT(Whole, (), (stage, raw))

/// On the wire "WxH".
struct Size {
    int width = 0, height = 0;
};
void read_json(const json::value& value, Size& out, const JsonPlace& place) {
    if (!value.is_string()) place.expected("a string", value);
    const std::string text(value.get_string());
    out = {std::stoi(text), std::stoi(text.substr(text.find('x') + 1))};
}
json::value write_json(const Size& size) {
    return json::string(std::to_string(size.width) + "x" + std::to_string(size.height));
}

}  // namespace mapping_test

namespace hfhub {
template <>
inline constexpr std::array wire_aliases<mapping_test::Repo> = {WireAlias{"model_index", "model-index"}};
}  // namespace hfhub

using namespace mapping_test;

namespace {

template <class T>
T read(std::string_view text) {
    return from_json<T>(json::parse(text), "Repo");
}

template <class T>
std::string problem(std::string_view text) {
    try {
        read<T>(text);
    } catch (const JsonError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("members are found under their wire names, their own names and their aliases") {
    const Repo repo = read<Repo>(R"({"id": "a/b", "downloadsAllTime": 5, "library_name": "x", "model-index": "i",
                                     "namespace": "n", "lastModified": "2025-03-04T05:06:07.000Z"})");
    CHECK(repo.id == "a/b");
    CHECK(repo.downloads_all_time == 5);
    CHECK(repo.library_name == "x");
    CHECK(repo.model_index == "i");
    CHECK(repo.namespace_ == "n");
    CHECK(format_datetime(repo.last_modified.value()) == "2025-03-04T05:06:07+00:00");
    CHECK(repo.raw.empty());
}

TEST_CASE("the wire name goes before the own name, unless it is null") {
    CHECK(read<Repo>(R"({"id": "a", "downloadsAllTime": 1, "downloads_all_time": 2})").downloads_all_time == 1);
    CHECK(read<Repo>(R"({"id": "a", "downloadsAllTime": null, "downloads_all_time": 2})").downloads_all_time == 2);
}

TEST_CASE("missing and null leave optionals and containers empty") {
    const Repo repo = read<Repo>(R"({"id": "a", "gated": null, "tags": null, "siblings": null, "disabled": null})");
    CHECK(!repo.gated);
    CHECK(!repo.siblings);
    CHECK(repo.tags.empty());
    CHECK(!repo.disabled);
    CHECK(!repo.last_modified);
}

TEST_CASE("text with a default need not be there") {
    CHECK(read<Repo>(R"({"id": "a"})").kind == "model");
    CHECK(read<Repo>(R"({"id": "a", "kind": "space"})").kind == "space");
}

TEST_CASE("an empty list is not a missing one") {
    CHECK(read<Repo>(R"({"id": "a", "siblings": []})").siblings.has_value());
}

TEST_CASE("a text that must be there is named when it is missing or something else") {
    CHECK(problem<Repo>("{}") == "Repo.id is missing");
    CHECK(problem<Repo>(R"({"id": null})") == "Repo.id is missing");
    CHECK(problem<Repo>(R"({"id": 3})") == "Repo.id should be a string but is a number");
    CHECK(problem<Repo>("[]") == "Repo should be an object but is an array");
    CHECK(problem<std::vector<File>>(R"([{"rfilename": "a"}, {}])") == "Repo[1].rfilename is missing");
}

TEST_CASE("a number must fit into its member") {
    CHECK(read<std::int64_t>("3.0") == 3);
    CHECK(problem<std::int64_t>("3.5") == "Repo is no whole number in range");
    CHECK(problem<std::uint8_t>("256") == "Repo is no whole number in range");
    CHECK(problem<std::uint64_t>("-1") == "Repo is no whole number in range");
    CHECK(read<double>("3") == 3.0);
}

TEST_CASE("an optional of an unexpected kind stays empty and its value is kept in raw") {
    const Repo repo = read<Repo>(R"({"id": "a", "cardData": "text", "siblings": [{"size": 1}]})");
    CHECK(!repo.card_data);
    CHECK(!repo.siblings);
    CHECK(repo.raw.at("cardData") == "text");
    CHECK(repo.raw.contains("siblings"));
}

TEST_CASE("unknown fields are kept, and written again") {
    const Repo repo = read<Repo>(R"({"id": "a", "newField": {"x": 1}})");
    CHECK(repo.raw.at("newField").at("x") == 1);
    CHECK(to_json(repo).at("newField").at("x") == 1);
}

TEST_CASE("a described raw holds the whole object") {
    const Whole whole = read<Whole>(R"({"stage": "RUNNING", "more": 1})");
    CHECK(whole.stage == "RUNNING");
    CHECK(whole.raw.at("stage") == "RUNNING");
    CHECK(to_json(whole).at("raw").at("more") == 1);
}

TEST_CASE("a variant takes the alternative that fits") {
    CHECK(std::get<bool>(*read<Repo>(R"({"id": "a", "gated": false})").gated) == false);
    CHECK(std::get<std::string>(*read<Repo>(R"({"id": "a", "gated": "auto"})").gated) == "auto");
}

TEST_CASE("enumerators are spelled with hyphens on the wire; an unknown one is no value") {
    const Repo repo = read<Repo>(R"({"id": "a", "hardware": "t4-small"})");
    CHECK(repo.hardware == Speed::t4_small);
    CHECK(to_json(repo).at("hardware") == "t4-small");
    CHECK(!read<Repo>(R"({"id": "a", "hardware": "quantum"})").hardware);
    CHECK(problem<Speed>(R"("quantum")") == "Repo has the unknown value \"quantum\"");
}

TEST_CASE("maps and pairs are read and written") {
    const Repo repo = read<Repo>(R"({"id": "a", "parameters": {"F16": 5}, "replicas": [["x", null], ["y", "READY"]]})");
    CHECK(repo.parameters.at("F16") == 5);
    CHECK(repo.replicas[1].second == "READY");
    CHECK(to_json(repo).at("replicas") == json::parse(R"([["x", null], ["y", "READY"]])"));
}

TEST_CASE("to_json spells every member out, to_wire leaves empty optionals out") {
    Repo repo;
    repo.id = "a";
    repo.downloads_all_time = 3;
    const json::value python = to_json(repo);
    CHECK(python.at("downloads_all_time") == 3);
    CHECK(python.at("namespace").is_null());
    CHECK(python.at("siblings").is_null());
    const json::value wire = to_wire(repo);
    CHECK(wire.at("downloadsAllTime") == 3);
    CHECK(!wire.as_object().contains("namespace"));
}

TEST_CASE("a type's own overloads are used, also inside others") {
    CHECK(read<std::vector<Size>>(R"(["3x4"])").at(0).height == 4);
    CHECK(to_json(std::vector<Size>{{5, 6}}) == json::array{"5x6"});
    CHECK(problem<std::vector<Size>>("[1]") == "Repo[0] should be a string but is a number");
}

TEST_CASE("durations are seconds") {
    CHECK(read<std::chrono::milliseconds>("12.5") == std::chrono::milliseconds(12'500));
    CHECK(to_json(std::chrono::milliseconds(1500)) == 1.5);
    for (const char* text : {"1e300", "-1e300", "1e999", "-1e999", "9223372036854775.807", "18446744073709551615"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read<std::chrono::milliseconds>(text), JsonError);
    }
}
