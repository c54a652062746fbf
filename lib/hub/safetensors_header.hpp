#pragma once

// The header of a safetensors file: its length (8 bytes, little endian), then JSON. No I/O.

#include <hfhub/hub/safetensors.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace hfhub::hub {

inline constexpr std::uint64_t safetensors_length_size = 8;
inline constexpr std::uint64_t max_safetensors_header = 25'000'000;

/// How long the JSON is, by the file's first bytes. `what` names the file in errors. Throws SafetensorsParsingError for
/// fewer than 8, and for lengths beyond the limit.
std::uint64_t safetensors_header_length(std::string_view first_bytes, std::string_view what);

/// What the JSON says. Throws SafetensorsParsingError also where a shape or the offsets of a tensor are none.
SafetensorsFileMetadata read_safetensors_header(std::string_view json, std::string_view what);

}  // namespace hfhub::hub
