#pragma once

#include <hfhub/log.hpp>

#include <string>
#include <string_view>

namespace hfhub {

/// Gives a message, redacted, to the sink. Never throws. Where building the text costs something, ask log_enabled
/// first.
void log(LogLevel level, std::string_view message) noexcept;

/// The text with "***" in place of secrets: Hub tokens, JSON Web Tokens, Bearer and Basic credentials, user info in
/// URLs, values of signed query parameters and of fields named like a token, password or cookie, and registered
/// secrets. Rather hides too much than too little.
std::string redact(std::string_view text);

}  // namespace hfhub
