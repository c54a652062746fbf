#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hfhub {

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };
std::string_view to_string(LogLevel level) noexcept;

/// Receives one message without line end. It may be called from several threads at once; what it throws is dropped.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Sets where the library's messages go in this process; an empty function, the default, makes it silent. A call of the
/// former sink that has begun may still be running when this returns.
void set_log_sink(LogSink sink);
/// Sets the least severe level that reaches the sink; default warning.
void set_log_level(LogLevel level) noexcept;
/// Whether a message of that level would reach a sink; costs one relaxed load.
bool log_enabled(LogLevel level) noexcept;

/// Keeps this text out of all later messages. Tokens in the Hub's form are found without it; it is meant for other
/// secrets, such as the key of an inference provider. The 256 registered last are remembered; texts shorter than 6
/// bytes are not, for they would cut holes into ordinary words.
void register_secret(std::string secret);

}  // namespace hfhub
