#pragma once

// What Boost.Describe says of structs and enumerations: members and enumerators, and how their names are spelled.

#include <hfhub/json.hpp>

#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace hfhub::detail {

/// A member's name in another spelling, made while compiling.
struct FixedName {
    char text[64] = {};
    std::size_t size = 0;
    constexpr std::string_view view() const noexcept { return {text, size}; }
};

constexpr std::string_view python_name(std::string_view name) noexcept {
    if (name.ends_with('_')) name.remove_suffix(1);
    return name;
}

constexpr FixedName camel_case(std::string_view name) noexcept {
    FixedName out;
    bool upper = false;
    for (const char c : python_name(name)) {
        if (c == '_' && out.size > 0) {
            upper = true;
        } else {
            out.text[out.size++] = upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            upper = false;
        }
    }
    return out;
}

template <class Member>
inline constexpr FixedName wire_name = camel_case(Member::name);

template <class T>
using DescribedMembers =
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T>
concept DescribedClass = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept KeepsRaw = requires(T& value) {
    { value.raw } -> std::same_as<json::object&>;
};

template <class T>
constexpr bool describes_raw() {
    bool found = false;
    boost::mp11::mp_for_each<DescribedMembers<T>>(
        [&](auto member) { found |= std::string_view(member.name) == "raw"; });
    return found;
}

template <class Enum>
struct EnumName {
    Enum value;
    FixedName name;
};

/// Enumerators under their names, with '-' for '_' as the Hub spells them.
template <DescribedEnum Enum>
constexpr auto enum_names() {
    using Enumerators = boost::describe::describe_enumerators<Enum>;
    std::array<EnumName<Enum>, boost::mp11::mp_size<Enumerators>::value> names{};
    std::size_t at = 0;
    boost::mp11::mp_for_each<Enumerators>([&](auto one) {
        names[at].value = one.value;
        for (const char c : python_name(one.name)) names[at].name.text[names[at].name.size++] = c == '_' ? '-' : c;
        ++at;
    });
    return names;
}

}  // namespace hfhub::detail
