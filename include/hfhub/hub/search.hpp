#pragma once

// Finding repositories. Listings are fetched page by page, as far as they are read.

#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/pages.hpp>
#include <hfhub/hub/repo_info.hpp>
#include <hfhub/string_list.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hfhub {

struct ListModelsOptions {
    StringList filter{};                ///< Tags that all must be there.
    std::string_view author{};          ///< User or organization.
    StringList apps{};                  ///< Applications that can run the model, such as "ollama".
    std::optional<bool> gated{};        ///< Only gated, or only open ones.
    std::string_view inference{};       ///< "warm": served by a provider.
    StringList inference_provider{};    ///< Served by these, or by "all".
    std::string_view model_name{};      ///< Part of the name; search does the same.
    StringList trained_dataset{};       ///< Data sets that a model was trained on.
    std::string_view search{};          ///< Part of the name.
    std::string_view pipeline_tag{};    ///< Task, such as "summarization".
    std::string_view num_parameters{};  ///< Range, such as "min:6B,max:128B".
    /// Least and greatest emissions in g CO2 of the training; needs cardData.
    std::optional<std::pair<std::optional<double>, std::optional<double>>> emissions_thresholds{};
    std::string_view sort{};               ///< "created_at", "downloads", "last_modified", "likes" or "trending_score".
    std::optional<std::uint64_t> limit{};  ///< Models in all.
    StringList expand{};                   ///< Only these fields, by their names on the wire; excludes the next three.
    bool full = false;                     ///< Most fields, such as siblings and sha.
    bool cardData = false;                 ///< Asks for card_data.
    bool fetch_config = false;             ///< Asks for config.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListModelsOptions>);
BOOST_DESCRIBE_STRUCT(ListModelsOptions, (),
                      (filter, author, apps, gated, inference, inference_provider, model_name, trained_dataset, search,
                       pipeline_tag, num_parameters, emissions_thresholds, sort, limit, expand, full, cardData,
                       fetch_config, token))

template <class Mode>
class BasicSearch : public virtual ApiHandle {
  public:
    /// Models that fit. Throws InvalidArgumentError at once; nothing is sent before the first item is asked for.
    BasicPages<Mode, ModelInfo> list_models(ListModelsOptions options = {}) const;
};

extern template class BasicPages<Blocking, ModelInfo>;
extern template class BasicPages<Awaiting, ModelInfo>;
extern template class BasicSearch<Blocking>;
extern template class BasicSearch<Awaiting>;

}  // namespace hfhub
