#pragma once

// The header of a GGUF file. No I/O.

#include <hfhub/hub/gguf.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

inline constexpr std::uint64_t max_gguf_header = 512 << 20;

/// What the header says; nothing where it goes on behind `beginning`. `what` names the file in errors. Throws
/// GgufParsingError.
std::optional<GgufFileMetadata> read_gguf_header(std::string_view beginning, std::string_view what);

/// All shards of the file by its name, itself included; only itself where it is none. Throws GgufParsingError for a
/// number of shards that cannot be.
std::vector<std::string> gguf_shards(const std::string& filename);

}  // namespace hfhub::hub
