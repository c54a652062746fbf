#pragma once

#include <hfhub/environment.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// A token without CR, LF and outer blanks; nothing where that leaves nothing. For what a file or a variable holds.
std::optional<std::string> clean_token(std::string_view text);
/// A token that a caller has given, without outer blanks and line ends; those inside stay, to be refused.
std::optional<std::string> trimmed_token(std::string_view text);

/// The token that is used where a caller names none: the environment's, else that of the file at token_path. The file
/// is read anew at each call, since a login in another process changes it. Throws IoError where the file is there but
/// cannot be read.
std::optional<std::string> active_token(const Environment& environment);

}  // namespace hfhub
