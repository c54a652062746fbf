#include "hub/safetensors_header.hpp"

#include "core/json.hpp"
#include "core/mapping.hpp"

#include <limits>

namespace hfhub::hub {

namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
    throw SafetensorsParsingError(std::string(what) + " is no safetensors file: " + why);
}

std::uint64_t product(const std::vector<std::uint64_t>& shape, const std::string& name, std::string_view what) {
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) {
        if (size != 0 && count > std::numeric_limits<std::uint64_t>::max() / size)
            refuse(what, "the tensor '" + name + "' has more elements than can be counted");
        count *= size;
    }
    return count;
}

struct WrittenTensor {
    std::string dtype;
    std::vector<std::uint64_t> shape, data_offsets;
};
BOOST_DESCRIBE_STRUCT(WrittenTensor, (), (dtype, shape, data_offsets))

TensorInfo read_tensor(const std::string& name, const json::value& value, std::string_view what) {
    const auto written = from_json<WrittenTensor>(value, "the tensor '" + name + "'");
    TensorInfo info{written.dtype, written.shape, written.data_offsets, product(written.shape, name, what)};
    if (info.data_offsets.size() != 2 || info.data_offsets[0] > info.data_offsets[1])
        refuse(what, "the offsets of the tensor '" + name + "' are no begin and end");
    return info;
}

}  // namespace

std::uint64_t safetensors_header_length(std::string_view first_bytes, std::string_view what) {
    if (first_bytes.size() < safetensors_length_size) refuse(what, "it is too small");
    std::uint64_t length = 0;
    for (std::size_t i = safetensors_length_size; i-- > 0;)
        length = length << 8 | static_cast<unsigned char>(first_bytes[i]);
    if (length > max_safetensors_header) {
        refuse(what, "its header would have " + std::to_string(length) + " bytes, of at most " +
                         std::to_string(max_safetensors_header));
    }
    return length;
}

SafetensorsFileMetadata read_safetensors_header(std::string_view json, std::string_view what) {
    SafetensorsFileMetadata read;
    try {
        const json::value header = parse_json(json, "its header", {.bytes = max_safetensors_header});
        if (!header.is_object()) refuse(what, "its header is no JSON object");
        for (const auto& [key, value] : header.get_object()) {
            const std::string name(key);
            if (name == "__metadata__") {
                read.metadata = from_json<std::map<std::string, std::string>>(value, "__metadata__");
                continue;
            }
            TensorInfo info = read_tensor(name, value, what);
            read.parameter_count[info.dtype] += info.parameter_count;
            read.tensors.emplace(name, std::move(info));
        }
    } catch (const JsonError& error) {
        refuse(what, error.what());
    }
    return read;
}

}  // namespace hfhub::hub
