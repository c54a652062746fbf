#pragma once

// Operations on Spaces that other operations begin with.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/spaces.hpp>

#include <vector>

namespace hfhub::hub {

awaitable<std::vector<SpaceTemplate>> list_space_templates(Client client, Owned<SpaceOptions> options);

}  // namespace hfhub::hub
