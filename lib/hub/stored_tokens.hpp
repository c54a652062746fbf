#pragma once

// The form of the file stored_tokens, as Python's configparser writes and reads it. No I/O.

#include <map>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// Fields (hf_token, refresh_token, expires_at) by the name of the token.
using StoredTokens = std::map<std::string, std::map<std::string, std::string>>;

/// Throws IoError where it is no such file: to go on would lose the tokens in it.
StoredTokens parse_stored_tokens(std::string_view text);
std::string format_stored_tokens(const StoredTokens& tokens);

/// Throws InvalidArgumentError for a name that would not be read back as it is.
void validate_token_name(std::string_view name);

}  // namespace hfhub::hub
