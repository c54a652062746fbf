#pragma once

// Whose namespace a call works in where it names none.

#include "core/owned.hpp"
#include "hub/client.hpp"

#include <hfhub/hub/users.hpp>

#include <string>

namespace hfhub::hub {

/// The token's owner. Throws what whoami throws.
awaitable<WhoAmI> owner_of(Client client, OwnedToken token);
/// The namespace that was given, else the name of the token's owner. Throws what whoami throws.
awaitable<std::string> namespace_or_own(Client client, std::string given, OwnedToken token);

}  // namespace hfhub::hub
