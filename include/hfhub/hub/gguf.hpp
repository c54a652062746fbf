#pragma once

// What is in GGUF files, by their headers alone
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

#include <hfhub/error.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// A file is no GGUF file.
class GgufParsingError : public Error {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "GgufParsingError"; }
};

struct GgufTensorInfo {
    std::string name;
    std::vector<std::uint64_t> shape;  ///< As it stands in the file: the fastest dimension first.
    std::string dtype;                 ///< "F16", "Q4_K", …; of a type that is not known its number.
    std::uint64_t offset = 0;          ///< In bytes from data_offset on.
};
BOOST_DESCRIBE_STRUCT(GgufTensorInfo, (), (name, shape, dtype, offset))

struct GgufFileMetadata {
    std::uint32_t version = 0;  ///< Of the format: 2 or 3.
    json::object metadata;      ///< "general.architecture", "llama.context_length", "tokenizer.ggml.tokens", …
    std::vector<GgufTensorInfo> tensors;
    std::uint64_t data_offset = 0;      ///< Where the data of the tensors begin.
    std::uint64_t parameter_count = 0;  ///< Of all tensors.
};
BOOST_DESCRIBE_STRUCT(GgufFileMetadata, (), (version, metadata, tensors, data_offset, parameter_count))

struct GgufMetadata {
    std::map<std::string, GgufFileMetadata> files;  ///< By name: one, or all shards.
    json::object metadata;                          ///< Of the first one.
    std::uint64_t parameter_count = 0;              ///< Of all files.
};
BOOST_DESCRIBE_STRUCT(GgufMetadata, (), (files, metadata, parameter_count))

/// Of a file on this machine. Throws GgufParsingError, IoError.
GgufFileMetadata parse_gguf_file_metadata(const std::filesystem::path& file);

struct GgufOptions {
    std::string_view repo_type{};          ///< "model" (also where empty), "dataset" or "space".
    std::string_view revision{};           ///< Empty: "main".
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<GgufOptions>);
BOOST_DESCRIBE_STRUCT(GgufOptions, (), (repo_type, revision, timeout, token))

template <class Mode>
class BasicGguf : public virtual ApiHandle {
  public:
    /// Of a file, and of all its shards where it is one of several ("model-00001-of-00003.gguf"), eight at a time. A
    /// header is read in ranges that double, so that not much more than it is fetched. Throws GgufParsingError,
    /// RemoteEntryNotFoundError and what requests throw.
    typename Mode::template result<GgufMetadata> get_gguf_metadata(std::string_view repo_id, std::string_view filename,
                                                                   GgufOptions options = {}) const;
};

extern template class BasicGguf<Blocking>;
extern template class BasicGguf<Awaiting>;

}  // namespace hfhub
