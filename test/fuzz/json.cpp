// JSON text, and the mapping to what the library gives: whatever a server sends is read or refused, and what was read
// once is written and read again as the same.

#include "core/json.hpp"

#include "fuzz.hpp"
#include "http/server_message.hpp"
#include "hub/mapping.hpp"
#include "inference/mapping.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/refs.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

namespace {

using namespace hfhub;
using namespace hfhub::fuzz;

/// Numbers beyond a double are read as infinite, and "0e999" as NaN: JSON cannot say these, and NaN equals nothing.
bool is_finite(const json::value& value) {
    if (const double* number = value.if_double()) return std::isfinite(*number);
    if (const json::array* array = value.if_array()) return std::all_of(array->begin(), array->end(), is_finite);
    const json::object* object = value.if_object();
    return !object ||
           std::all_of(object->begin(), object->end(), [](const auto& one) { return is_finite(one.value()); });
}

/// For types whose form on the wire is not that in which they are written.
template <class T>
void check_reading(const json::value& value) {
    try {
        (void)to_json(from_json<T>(value));
    } catch (const JsonError&) {
    }
}

template <class T>
void check(const json::value& value) {
    json::value once;
    try {
        const T object = from_json<T>(value);
        once = to_json(object);
        (void)to_wire(object);
    } catch (const JsonError&) {
        return;
    }
    if (!is_finite(value)) return;
    require(to_json(from_json<T>(once)) == once, "what was read is written and read again as the same");
}

struct Spans {
    std::chrono::milliseconds wait{0};
    std::optional<std::chrono::seconds> limit;
    Datetime at{};
    std::optional<Datetime> until;
    std::map<std::string, std::vector<std::int32_t>> numbers;
};
BOOST_DESCRIBE_STRUCT(Spans, (), (wait, limit, at, until, numbers))

constexpr void (*checks[])(const json::value&) = {
    check_reading<ModelInfo>, check<DatasetInfo>, check_reading<SpaceInfo>,    check<KernelInfo>,
    check<GitRefs>,           check<Spans>,       check<ChatCompletionOutput>, check<ChatCompletionStreamOutput>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const unsigned choice = input.choice();
    (void)http::server_message({}, "application/json", input.rest());
    json::value value;
    try {
        value = parse_json(input.rest(), "the input", {1 << 20, 32});
    } catch (const JsonError&) {
        return 0;
    }
    if (is_finite(value)) (void)parse_json(boost::json::serialize(value), "what was written", {8 << 20, 32});
    checks[choice % std::size(checks)](value);
    return 0;
}
