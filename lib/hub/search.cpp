#include "hub/mapping.hpp"
#include "hub/pages.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/search.hpp>

#include <boost/json/serialize.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace hfhub {

namespace hub {

namespace {

using Thresholds = std::pair<std::optional<double>, std::optional<double>>;

/// The names that differ on the wire.
std::string_view sort_name(std::string_view sort) {
    if (sort == "last_modified") return "lastModified";
    if (sort == "trending_score") return "trendingScore";
    if (sort == "created_at") return "createdAt";
    return sort;
}

/// The first number in a text such as "about 75 g".
std::optional<double> first_number(const std::string& text) {
    const std::size_t begin = text.find_first_of("0123456789");
    if (begin == std::string::npos) return std::nullopt;
    return std::strtod(text.c_str() + begin, nullptr);
}

/// Emissions as model cards give them: a number, a text, or an object with either.
std::optional<double> emissions_of(const ModelInfo& model) {
    const json::value* value = model.card_data ? model.card_data->if_contains("co2_eq_emissions") : nullptr;
    if (value && value->is_object()) value = value->get_object().if_contains("emissions");
    if (!value) return std::nullopt;
    if (value->is_number()) return value->to_number<double>();
    return value->is_string() ? first_number(std::string(value->get_string())) : std::nullopt;
}

bool within(const Thresholds& thresholds, const ModelInfo& model) {
    const std::optional<double> emissions = emissions_of(model);
    return emissions && *emissions != 0 && *emissions >= thresholds.first.value_or(-1) &&
           *emissions <= thresholds.second.value_or(std::numeric_limits<double>::infinity());
}

void check(const ListModelsOptions& options) {
    if (!options.expand.empty() && (options.full || options.cardData || options.fetch_config)) {
        throw InvalidArgumentError("expand excludes full, cardData and fetch_config");
    }
    if (!options.emissions_thresholds) return;
    if (!options.cardData)
        throw InvalidArgumentError("emissions_thresholds needs cardData=true, for emissions stand in the card");
    if (!options.emissions_thresholds->first && !options.emissions_thresholds->second) {
        throw InvalidArgumentError("emissions_thresholds needs at least one of its two bounds");
    }
}

Listing models(const ListModelsOptions& options) {
    Listing listing{"/api/models", {}, options.token, options.limit};
    Query& query = listing.query;
    query.add("filter", options.filter);
    for (const std::string_view dataset : options.trained_dataset) {
        query.add("filter", dataset.starts_with("dataset:") ? std::string(dataset) : "dataset:" + std::string(dataset));
    }
    query.add("author", options.author).add("apps", options.apps).add("gated", options.gated);
    query.add("inference", options.inference).add("inference_provider", options.inference_provider);
    query.add("pipeline_tag", options.pipeline_tag).add("num_parameters", options.num_parameters);
    query.add("search", options.model_name).add("search", options.search);
    query.add("sort", sort_name(options.sort)).add("limit", options.limit);
    query.flag("full", options.full).flag("config", options.fetch_config).flag("cardData", options.cardData);
    query.add("expand", options.expand);
    return listing;
}

}  // namespace

}  // namespace hub

template <class Mode>
BasicPages<Mode, ModelInfo> BasicSearch<Mode>::list_models(ListModelsOptions options) const {
    hub::check(options);
    std::function<bool(const ModelInfo&)> keep;
    if (const auto thresholds = options.emissions_thresholds) {
        keep = [thresholds](const ModelInfo& model) { return hub::within(*thresholds, model); };
    }
    return pages<Mode>(*this,
                       std::make_unique<hub::LinkedPages<ModelInfo>>(client(), hub::models(options), std::move(keep)));
}

HFHUB_INSTANTIATE_PAGES(ModelInfo);
template class BasicSearch<Blocking>;
template class BasicSearch<Awaiting>;

}  // namespace hfhub
