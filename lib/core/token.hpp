#pragma once

#include <hfhub/environment.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// A token without CR, LF and outer blanks; nothing where that leaves nothing.
std::optional<std::string> clean_token(std::string_view text);

/// The token that is used where a caller names none: the environment's, else that of the file at token_path. The file
/// is read anew at each call, since a login in another process changes it. Throws IoError where the file is there but
/// cannot be read.
std::optional<std::string> active_token(const Environment& environment);

}  // namespace hfhub
