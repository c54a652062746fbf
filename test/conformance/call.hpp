#pragma once

// The table of what can be called, and how a call in either mode becomes JSON. The generated files (see dispatch.py)
// enter the methods of one public header each.

#include "conformance/arguments.hpp"
#include "hub/mapping.hpp"
#include "inference/mapping.hpp"

#include <hfhub/hub/hf_api.hpp>
#include <hfhub/inference/client.hpp>

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hfhub::conformance {

/// What a call is made on: the objects of its mode are there.
struct Objects {
    const HfApi* hf_api = nullptr;
    const AsyncHfApi* async_hf_api = nullptr;
    const InferenceClient* inference = nullptr;
    const AsyncInferenceClient* async_inference = nullptr;
};

/// One method: its names, and its two forms.
struct Method {
    std::string_view object;  ///< "hf_api" or "inference".
    std::string_view name;
    std::vector<std::string_view> positional;  ///< Names of the parameters without default, in order.
    bool (*has_option)(std::string_view name);
    json::value (*blocking)(const Objects& objects, Arguments& arguments);
    json::value (*awaiting)(const Objects& objects, Arguments& arguments);
};

/// Null where there is none.
const Method* find_method(std::string_view name);

/// A method of what parse_hf_uri returned; nothing where it is none.
std::optional<json::value> follow_uri(const json::value& before, std::string_view name, const json::object& step);

/// Enters methods before main begins.
struct Registration {
    explicit Registration(std::vector<Method> methods);
};

/// Runs the coroutine on an executor that is not the session's, and waits.
json::value run(awaitable<json::value> work);

template <class Options>
bool has_member(std::string_view name) {
    bool found = false;
    boost::mp11::mp_for_each<hfhub::detail::DescribedMembers<Options>>(
        [&](auto member) { found |= hfhub::detail::python_name(member.name) == name; });
    return found;
}

namespace detail {

template <class T>
struct Awaited;
template <class T>
struct Awaited<awaitable<T>> {
    using type = T;
};
template <class T>
concept Awaitable = requires { typename Awaited<T>::type; };

template <class T>
awaitable<json::value> json_of(awaitable<T> work) {
    if constexpr (std::is_void_v<T>) {
        co_await std::move(work);
        co_return json::value(nullptr);
    } else {
        const T result = co_await std::move(work);
        co_return to_json(result);
    }
}

template <class T>
awaitable<json::value> json_of_pages(AsyncPages<T> pages) {
    json::array items;
    for (;;) {
        const std::optional<T> item = co_await pages.next();
        if (!item) break;
        items.push_back(to_json(*item));
    }
    co_return json::value(std::move(items));
}

template <class T>
awaitable<json::value> json_of(awaitable<BasicTokenStream<Awaiting, T>> opening) {
    auto stream = co_await std::move(opening);
    json::array items;
    for (;;) {
        const std::optional<T> item = co_await stream.next();
        if (!item) break;
        items.push_back(to_json(*item));
    }
    co_return json::value(std::move(items));
}

template <class T>
json::value answer_of(BasicTokenStream<Blocking, T> stream) {
    json::array items;
    for (const T& item : stream) items.push_back(to_json(item));
    return items;
}
template <class T>
json::value answer_of(Pages<T> pages) {
    json::array items;
    for (const T& item : pages) items.push_back(to_json(item));
    return items;
}
template <class T>
json::value answer_of(AsyncPages<T> pages) {
    return run(json_of_pages(std::move(pages)));
}
template <class T>
json::value answer_of(awaitable<T> work) {
    return run(json_of(std::move(work)));
}
template <class T>
json::value answer_of(const T& result) {
    return to_json(result);
}

}  // namespace detail

/// Calls, waits where that is needed, and gives the result in Python's names.
template <class Call>
json::value answer(Call&& call) {
    if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
        call();
        return nullptr;
    } else {
        return detail::answer_of(call());
    }
}

}  // namespace hfhub::conformance
