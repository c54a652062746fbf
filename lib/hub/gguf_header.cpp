#include "hub/gguf_header.hpp"

#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

namespace hfhub::hub {

namespace {

constexpr std::string_view magic = "GGUF";
constexpr std::uint64_t default_alignment = 32;
constexpr std::uint64_t most_tensors = 1 << 20, most_entries = 1 << 20;
constexpr std::uint32_t most_dimensions = 8;
constexpr int deepest_array = 8;
constexpr std::uint64_t most_items = 1 << 24;  // of all lists: each takes many times its bytes
constexpr std::size_t most_shards = 10'000;

/// Types of tensors by their numbers; those that were given up have no name.
constexpr std::array<std::string_view, 40> dtypes = {
    "F32",    "F16",   "Q4_0",  "Q4_1",   "",      "",      "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
    "Q2_K",   "Q3_K",  "Q4_K",  "Q5_K",   "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
    "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",     "I64",    "F64",     "IQ1_M",
    "BF16",   "",      "",      "",       "TQ1_0", "TQ2_0", "",        "",       "",        "MXFP4"};

enum class ValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// The bytes end before the header does.
struct Short {};

class Reader {
  public:
    Reader(std::string_view bytes, std::string_view what) : bytes_(bytes), what_(what) {}

    std::size_t at() const noexcept { return at_; }
    void swap_bytes() noexcept { swapped_ = true; }
    [[noreturn]] void refuse(const std::string& why) const {
        throw GgufParsingError(std::string(what_) + " is no GGUF file: " + why);
    }

    std::string_view take(std::uint64_t size) {
        if (size > max_gguf_header) refuse("its header would be larger than 512 MiB");
        if (size > bytes_.size() - at_) throw Short();
        const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(size));
        at_ += taken.size();
        return taken;
    }
    template <class T>
    T number() {
        std::array<char, sizeof(T)> raw{};
        std::memcpy(raw.data(), take(sizeof(T)).data(), sizeof(T));
        if (swapped_) std::reverse(raw.begin(), raw.end());
        return std::bit_cast<T>(raw);
    }
    std::string text() {
        const auto size = number<std::uint64_t>();
        const std::string_view taken = take(size);
        // Vocabularies hold parts of characters.
        return is_utf8(taken) ? std::string(taken) : printable(taken, taken.size());
    }
    std::uint64_t count(std::uint64_t most, const char* of) {
        const auto read = number<std::uint64_t>();
        if (read > most) refuse("it would have " + std::to_string(read) + " " + of);
        return read;
    }

    json::value value(ValueType type, int depth = 0) {
        switch (type) {
            case ValueType::u8:
                return number<std::uint8_t>();
            case ValueType::i8:
                return number<std::int8_t>();
            case ValueType::u16:
                return number<std::uint16_t>();
            case ValueType::i16:
                return number<std::int16_t>();
            case ValueType::u32:
                return number<std::uint32_t>();
            case ValueType::i32:
                return number<std::int32_t>();
            case ValueType::f32:
                return static_cast<double>(number<float>());
            case ValueType::boolean:
                return number<std::uint8_t>() != 0;
            case ValueType::string:
                return json::string(text());
            case ValueType::array:
                return list(depth);
            case ValueType::u64:
                return number<std::uint64_t>();
            case ValueType::i64:
                return number<std::int64_t>();
            case ValueType::f64:
                return number<double>();
        }
        refuse("it has a value of the unknown type " + std::to_string(static_cast<std::uint32_t>(type)));
    }

  private:
    json::value list(int depth) {
        if (depth == deepest_array) refuse("its lists are nested too deep");
        const auto type = static_cast<ValueType>(number<std::uint32_t>());
        // Each item has a byte at least.
        const std::uint64_t items = count(most_items - items_, "items in a list");
        if (items > bytes_.size() - at_) throw Short();
        items_ += items;
        json::array read;
        for (std::uint64_t i = 0; i < items; ++i) read.push_back(value(type, depth + 1));
        return read;
    }

    std::string_view bytes_, what_;
    std::size_t at_ = 0;
    std::uint64_t items_ = 0;
    bool swapped_ = false;
};

std::string dtype_of(std::uint32_t number) {
    if (number < dtypes.size() && !dtypes[number].empty()) return std::string(dtypes[number]);
    return std::to_string(number);
}

GgufTensorInfo read_tensor(Reader& reader, std::uint64_t& parameters) {
    GgufTensorInfo tensor;
    tensor.name = reader.text();
    const auto dimensions = reader.number<std::uint32_t>();
    if (dimensions > most_dimensions)
        reader.refuse("the tensor '" + tensor.name + "' would have " + std::to_string(dimensions) + " dimensions");
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
        const auto size = tensor.shape.emplace_back(reader.number<std::uint64_t>());
        if (size != 0 && elements > std::numeric_limits<std::uint64_t>::max() / size)
            reader.refuse("the tensor '" + tensor.name + "' has more elements than can be counted");
        elements *= size;
    }
    parameters += elements;
    tensor.dtype = dtype_of(reader.number<std::uint32_t>());
    tensor.offset = reader.number<std::uint64_t>();
    return tensor;
}

std::uint64_t alignment_of(const GgufFileMetadata& file, const Reader& reader) {
    const json::value* given = file.metadata.if_contains("general.alignment");
    if (!given) return default_alignment;
    const bool good = given->is_uint64() && std::has_single_bit(given->get_uint64());
    if (!good) reader.refuse("its alignment is no power of two");
    return given->get_uint64();
}

GgufFileMetadata read(Reader& reader) {
    if (reader.take(magic.size()) != magic) reader.refuse("it does not begin with 'GGUF'");
    GgufFileMetadata file;
    file.version = reader.number<std::uint32_t>();
    // Written on a machine of the other byte order.
    if ((file.version & 0xFFFF) == 0) {
        reader.swap_bytes();
        file.version = __builtin_bswap32(file.version);
    }
    if (file.version != 2 && file.version != 3)
        reader.refuse("version " + std::to_string(file.version) + " of the format is not known");
    const std::uint64_t tensors = reader.count(most_tensors, "tensors");
    const std::uint64_t entries = reader.count(most_entries, "entries");
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::string key = reader.text();
        const auto type = static_cast<ValueType>(reader.number<std::uint32_t>());
        file.metadata[key] = reader.value(type);
    }
    for (std::uint64_t i = 0; i < tensors; ++i) file.tensors.push_back(read_tensor(reader, file.parameter_count));
    const std::uint64_t alignment = alignment_of(file, reader);
    file.data_offset = (reader.at() + alignment - 1) / alignment * alignment;
    return file;
}

}  // namespace

std::optional<GgufFileMetadata> read_gguf_header(std::string_view beginning, std::string_view what) {
    Reader reader(beginning, what);
    try {
        return read(reader);
    } catch (const Short&) {
        return std::nullopt;
    }
}

std::vector<std::string> gguf_shards(const std::string& filename) {
    constexpr std::string_view form = "-00001-of-00003.gguf", middle = "-of-";
    const auto digits = [](std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; };
    std::vector<std::string> all(1, filename);
    if (filename.size() < form.size()) return all;
    const std::string stem = filename.substr(0, filename.size() - form.size());
    const std::string_view end = std::string_view(filename).substr(stem.size());
    const bool is_shard = end.front() == '-' && digits(end.substr(1, 5)) && end.substr(6, 4) == middle &&
                          digits(end.substr(10, 5)) && end.substr(15) == ".gguf";
    if (!is_shard) return all;
    std::size_t count = 0;
    std::from_chars(end.data() + 10, end.data() + 15, count);
    if (count == 0 || count > most_shards)
        throw GgufParsingError("'" + filename + "' would be one of " + std::to_string(count) + " shards");
    all.clear();
    for (std::size_t i = 1; i <= count; ++i) {
        std::string number = std::to_string(i);
        number.insert(0, 5 - number.size(), '0');
        all.push_back(stem + "-" + number + std::string(end.substr(6)));
    }
    return all;
}

}  // namespace hfhub::hub
