#pragma once

// Types of the Hub whose form on the wire is not that of their members; found by the mapping through their argument.
// Include it where such a type is read or written.

#include "core/mapping.hpp"

#include <hfhub/hub/download.hpp>
#include <hfhub/hub/repo_info.hpp>
#include <hfhub/hub/spaces.hpp>
#include <hfhub/hub/users.hpp>

namespace hfhub {

template <>
inline constexpr std::array wire_aliases<ModelInfo> = {WireAlias{"model_index", "model-index"}};
template <>
inline constexpr std::array wire_aliases<JobHardwareInfo> = {WireAlias{"unit_cost_micro_usd", "unitCostMicroUSD"},
                                                             WireAlias{"unit_cost_usd", "unitCostUSD"}};
template <>
inline constexpr std::array wire_aliases<SpaceRuntime> = {WireAlias{"sleep_time", "gcTimeout"}};

/// The provider mapping is a list, or an object whose names are the providers; the card's tags are there once.
void read_json(const json::value& value, ModelInfo& out, const JsonPlace& place);
/// The card's tags are there once.
void read_json(const json::value& value, SpaceInfo& out, const JsonPlace& place);
/// An entry stands below "data", or is the value itself; dataset and source are objects of their own there.
void read_json(const json::value& value, EvalResultEntry& out, const JsonPlace& place);
/// Hardware is an object of what runs and what was asked for.
void read_json(const json::value& value, SpaceRuntime& out, const JsonPlace& place);
/// The answer as it came: Python's form of it is a dict.
json::value write_json(const WhoAmI& value);
/// The path, "_CACHED_NO_EXIST" or null.
json::value write_json(const CachedFile& value);

}  // namespace hfhub
