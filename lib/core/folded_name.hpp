#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub {

/// Whether the names, of which the first is wanted and the second is there, may be one to a file system that does not
/// tell case apart. Letters of ASCII only; no I/O.
bool differ_in_case_only(std::string_view wanted, std::string_view there) noexcept;

/// The name, of a file or folder on the way from `root` to `root / relative`, under which the file system keeps what it
/// finds for another one: names that differ in case or Unicode form may be one to it. Nothing where it tells them
/// apart, or where all that is there bears the names that are asked for. Folders that cannot be read tell nothing.
std::optional<std::string> folded_name(const std::filesystem::path& root, const std::filesystem::path& relative);

}  // namespace hfhub
