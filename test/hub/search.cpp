#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/hub/search.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

/// Ids of the models whose cards fit the thresholds.
std::string fitting(std::optional<double> least, std::optional<double> most) {
    MockHub hub([](const Seen&) {
        return Answer{.body = R"([{"id": "a", "cardData": {"co2_eq_emissions": 0.5}},
            {"id": "b", "cardData": {"co2_eq_emissions": {"emissions": 50.5}}},
            {"id": "c", "cardData": {"co2_eq_emissions": "about 75 g"}},
            {"id": "d", "cardData": {"co2_eq_emissions": "unknown"}},
            {"id": "e", "cardData": {}}, {"id": "f"}, {"id": "g", "cardData": {"co2_eq_emissions": 0}},
            {"id": "h", "cardData": {"co2_eq_emissions": {"emissions": 1000}}}])"};
    });
    std::string out;
    const ListModelsOptions options{.emissions_thresholds = std::pair(least, most), .cardData = true};
    for (const ModelInfo& model : HfApi(hub.session()).list_models(options)) out += model.id;
    return out;
}

std::string target(const ListModelsOptions& options) {
    MockHub hub([](const Seen&) { return Answer{.body = "[]"}; });
    HfApi(hub.session()).list_models(options).next();
    return hub.seen().at(0).target;
}

}  // namespace

TEST_CASE("models are filtered by the emissions of their cards, whatever their form") {
    CHECK(fitting(1, 100) == "bc");
    CHECK(fitting(std::nullopt, 75) == "abc");
    CHECK(fitting(60, std::nullopt) == "ch");
}

TEST_CASE("what is empty is left out of the query, lists repeat their name") {
    CHECK(target({.author = "", .apps = {}, .full = false}) == "/api/models");
    CHECK(target({.filter = {"a", "b&c"}, .trained_dataset = {"x", "dataset:y"}}) ==
          "/api/models?filter=a&filter=b%26c&filter=dataset%3Ax&filter=dataset%3Ay");
    CHECK(target({.gated = false, .sort = "last_modified", .limit = 7}) ==
          "/api/models?gated=false&sort=lastModified&limit=7");
}

TEST_CASE("contradicting options are refused at once") {
    MockHub hub([](const Seen&) { return Answer{}; });
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.list_models({.expand = "sha", .full = true}), InvalidArgumentError);
    CHECK_THROWS_AS(api.list_models({.emissions_thresholds = std::pair(1.0, 2.0)}), InvalidArgumentError);
    CHECK(hub.seen().empty());
}
