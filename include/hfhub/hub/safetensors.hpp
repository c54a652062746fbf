#pragma once

// What is in safetensors files, by their headers alone: of a file on the Hub a hundred kilobytes are read
// (https://huggingface.co/docs/safetensors, "Format").

#include <hfhub/error.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// A file is no safetensors file.
class SafetensorsParsingError : public Error {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "SafetensorsParsingError"; }
};

/// A repository holds neither model.safetensors nor model.safetensors.index.json.
class NotASafetensorsRepoError : public Error {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "NotASafetensorsRepoError"; }
};

struct TensorInfo {
    std::string dtype;                        ///< "F32", "BF16", "F8_E4M3", …
    std::vector<std::uint64_t> shape;         ///< Empty for a scalar.
    std::vector<std::uint64_t> data_offsets;  ///< Begin and end, in bytes after the header.
    std::uint64_t parameter_count = 0;        ///< Product of the shape.
};
BOOST_DESCRIBE_STRUCT(TensorInfo, (), (dtype, shape, data_offsets, parameter_count))

struct SafetensorsFileMetadata {
    std::map<std::string, std::string> metadata;           ///< What stands under "__metadata__".
    std::map<std::string, TensorInfo> tensors;             ///< By name.
    std::map<std::string, std::uint64_t> parameter_count;  ///< By dtype.
};
BOOST_DESCRIBE_STRUCT(SafetensorsFileMetadata, (), (metadata, tensors, parameter_count))

struct SafetensorsRepoMetadata {
    std::optional<json::object> metadata;                           ///< Of the index, where there is one.
    bool sharded = false;                                           ///< Whether there is an index.
    std::map<std::string, std::string> weight_map;                  ///< File by tensor.
    std::map<std::string, SafetensorsFileMetadata> files_metadata;  ///< By file.
    std::map<std::string, std::uint64_t> parameter_count;           ///< By dtype, of all files.
};
BOOST_DESCRIBE_STRUCT(SafetensorsRepoMetadata, (), (metadata, sharded, weight_map, files_metadata, parameter_count))

/// Of a file on this machine. Throws SafetensorsParsingError, IoError.
SafetensorsFileMetadata parse_safetensors_file_metadata(const std::filesystem::path& file);

struct SafetensorsOptions {
    std::string_view repo_type{};          ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};           ///< Empty: "main".
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<SafetensorsOptions>);
BOOST_DESCRIBE_STRUCT(SafetensorsOptions, (), (repo_type, revision, timeout, token))

template <class Mode>
class BasicSafetensors : public virtual ApiHandle {
  public:
    /// Of one file. Throws SafetensorsParsingError, RemoteEntryNotFoundError and what requests throw.
    typename Mode::template result<SafetensorsFileMetadata> parse_safetensors_file_metadata(
        std::string_view repo_id, std::string_view filename, SafetensorsOptions options = {}) const;

    /// Of model.safetensors, or of all files that model.safetensors.index.json names, eight at a time. Throws
    /// NotASafetensorsRepoError too.
    typename Mode::template result<SafetensorsRepoMetadata> get_safetensors_metadata(
        std::string_view repo_id, SafetensorsOptions options = {}) const;
};

extern template class BasicSafetensors<Blocking>;
extern template class BasicSafetensors<Awaiting>;

}  // namespace hfhub
