#pragma once

// JSON <-> described structs. Fields are described once (BOOST_DESCRIBE_STRUCT, bases included); this reads and writes
// them.
//
// Reading: a member `last_modified` is found as "lastModified", else under its own name, else under an alias
// (wire_aliases). Missing and null leave an optional empty, and containers, booleans, free JSON and text with a default
// as they are; other text and numbers that are no optionals must be there. An optional whose value has an unexpected
// kind stays empty, so that a server's new form of a field breaks no client. What no member took is kept in a member
// `raw` (json::object) that is not described; a described `raw` gets the whole object.
//
// Writing: to_json uses the members' own names and spells every member out; to_wire uses the server's names and leaves
// empty optionals out. A name that ends in '_' (namespace_) stands for the name without it.
//
// A type whose form on the wire differs has an overload beside it, found by its argument:
//     void read_json(const json::value&, T&, const JsonPlace&);    json::value write_json(const T&);
// and may use read_members and write_members there.

#include "core/datetime.hpp"
#include "core/description.hpp"
#include "core/json.hpp"

#include <hfhub/error.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace hfhub {

/// Where in a document a value stands, for errors; lives on the stack of the reader.
class JsonPlace {
  public:
    explicit JsonPlace(std::string_view what) noexcept : name_(what) {}
    JsonPlace(const JsonPlace& parent, std::string_view name) noexcept : parent_(&parent), name_(name) {}
    JsonPlace(const JsonPlace& parent, std::size_t index) noexcept : parent_(&parent), index_(index) {}

    /// "ModelInfo.siblings[3].size".
    std::string text() const;
    [[noreturn]] void fail(std::string_view problem) const;
    [[noreturn]] void expected(std::string_view wanted, const json::value& got) const;

  private:
    const JsonPlace* parent_ = nullptr;
    std::string_view name_;
    std::size_t index_ = 0;
};

/// Another name on the wire: `template <> inline constexpr std::array wire_aliases<T> = {WireAlias{"member", "name"}};`
struct WireAlias {
    std::string_view member, name;
};
template <class T>
inline constexpr std::array<WireAlias, 0> wire_aliases{};

enum class JsonNames : std::uint8_t { python, wire };

namespace detail {

template <class T>
concept ReadByOverload =
    requires(const json::value& value, T& out, const JsonPlace& place) { read_json(value, out, place); };
template <class T>
concept WrittenByOverload = requires(const T& value) {
    { write_json(value) } -> std::convertible_to<json::value>;
};
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Whether null or nothing may stand for a value of this type.
template <class T>
inline constexpr bool may_be_missing = is_optional<T> || std::is_same_v<T, bool> || std::is_same_v<T, json::value> ||
                                       std::is_same_v<T, json::object> || std::is_same_v<T, json::array>;
template <class T>
inline constexpr bool may_be_missing<std::vector<T>> = true;
template <class T>
inline constexpr bool may_be_missing<std::map<std::string, T>> = true;

/// Reads JSON into one type. A class, so that the cases may use one another in any order.
struct Reader {
    template <class T>
    static void read(const json::value& value, T& out, const JsonPlace& place) {
        if constexpr (ReadByOverload<T>) {
            read_json(value, out, place);
        } else if constexpr (DescribedClass<T>) {
            members(value, out, place);
        } else if constexpr (DescribedEnum<T>) {
            enumerator(value, out, place);
        } else {
            plain(value, out, place);
        }
    }

    template <class T>
    static void members(const json::value& value, T& out, const JsonPlace& place) {
        const json::object* object = value.if_object();
        if (!object) place.expected("an object", value);
        std::vector<bool> taken(object->size());
        boost::mp11::mp_for_each<DescribedMembers<T>>([&](auto member) {
            using Member = decltype(member);
            if (KeepsRaw<T> && std::string_view(Member::name) == "raw") return;
            const std::string_view name = python_name(Member::name);
            const Found found = find(*object, name, wire_name<Member>.view(), wire_aliases<T>, taken);
            const JsonPlace here(place, name);
            if (!one(found.value, out.*Member::pointer, here)) taken[found.index] = false;
        });
        if constexpr (KeepsRaw<T>) {
            if constexpr (describes_raw<T>()) {
                out.raw = *object;
            } else {
                keep_rest(*object, taken, out.raw);
            }
        }
    }

  private:
    struct Found {
        const json::value* value = nullptr;  // not null, in JSON's sense either
        std::size_t index = 0;
    };

    /// The member under one of its names; marks every name of it that is there as taken.
    static Found find(const json::object& object, std::string_view own, std::string_view wire,
                      std::span<const WireAlias> aliases, std::vector<bool>& taken);

    /// False where an optional could not take its value.
    template <class F>
    static bool one(const json::value* value, F& field, const JsonPlace& here) {
        if (!value) {
            if constexpr (std::is_same_v<F, std::string>) {
                if (!field.empty()) return true;  // a default
            }
            if (!may_be_missing<F> && !DescribedClass<F>) here.fail("is missing");
        } else if constexpr (is_optional<F>) {
            try {
                read(*value, field.emplace(), here);
            } catch (const JsonError&) {
                field.reset();
                return false;
            }
        } else {
            read(*value, field, here);
        }
        return true;
    }

    static void keep_rest(const json::object& object, const std::vector<bool>& taken, json::object& raw);

    template <class Enum>
    static void enumerator(const json::value& value, Enum& out, const JsonPlace& place) {
        static constexpr auto names = enum_names<Enum>();
        if (!value.is_string()) place.expected("a string", value);
        std::string text(value.get_string());
        for (char& c : text) c = c == '_' ? '-' : c;
        for (const auto& one : names) {
            if (one.name.view() == text) return void(out = one.value);
        }
        place.fail("has the unknown value \"" + text + "\"");
    }

    static void plain(const json::value& value, json::value& out, const JsonPlace&) { out = value; }
    static void plain(const json::value& value, json::object& out, const JsonPlace& place) {
        if (!value.is_object()) place.expected("an object", value);
        out = value.get_object();
    }
    static void plain(const json::value& value, json::array& out, const JsonPlace& place) {
        if (!value.is_array()) place.expected("an array", value);
        out = value.get_array();
    }
    static void plain(const json::value& value, bool& out, const JsonPlace& place) {
        if (!value.is_bool()) place.expected("a boolean", value);
        out = value.get_bool();
    }
    static void plain(const json::value& value, std::string& out, const JsonPlace& place) {
        if (!value.is_string()) place.expected("a string", value);
        out.assign(value.get_string().begin(), value.get_string().end());
    }
    static void plain(const json::value& value, std::filesystem::path& out, const JsonPlace& place) {
        std::string text;
        plain(value, text, place);
        out = text;
    }
    static void plain(const json::value& value, Datetime& out, const JsonPlace& place);

    template <class Rep, class Period>
    static void plain(const json::value& value, std::chrono::duration<Rep, Period>& out, const JsonPlace& place) {
        double seconds = 0;
        plain(value, seconds, place);
        using Duration = std::chrono::duration<Rep, Period>;
        const double most = std::chrono::duration<double>(Duration::max()).count() / 2;  // exact in neither unit
        if (!(seconds > -most && seconds < most)) place.fail("is no span of time in range");
        out = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    }

    template <std::integral T>
    static void plain(const json::value& value, T& out, const JsonPlace& place) {
        if (!value.is_number()) place.expected("a number", value);
        boost::system::error_code error;
        out = value.to_number<T>(error);
        if (error) place.fail("is no whole number in range");
    }
    template <std::floating_point T>
    static void plain(const json::value& value, T& out, const JsonPlace& place) {
        if (!value.is_number()) place.expected("a number", value);
        out = value.to_number<T>();
    }

    template <class T>
    static void plain(const json::value& value, std::optional<T>& out, const JsonPlace& place) {
        if (value.is_null()) return out.reset();
        read(value, out.emplace(), place);
    }
    template <class T>
    static void plain(const json::value& value, std::vector<T>& out, const JsonPlace& place) {
        const json::array* array = value.if_array();
        if (!array) place.expected("an array", value);
        out.clear();
        out.reserve(array->size());
        for (std::size_t i = 0; i < array->size(); ++i) {
            T item{};
            read((*array)[i], item, JsonPlace(place, i));
            out.push_back(std::move(item));
        }
    }
    template <class T>
    static void plain(const json::value& value, std::map<std::string, T>& out, const JsonPlace& place) {
        const json::object* object = value.if_object();
        if (!object) place.expected("an object", value);
        out.clear();
        for (const auto& [name, item] : *object) read(item, out[std::string(name)], JsonPlace(place, name));
    }
    template <class A, class B>
    static void plain(const json::value& value, std::pair<A, B>& out, const JsonPlace& place) {
        const json::array* array = value.if_array();
        if (!array || array->size() != 2) place.expected("an array of 2", value);
        read((*array)[0], out.first, JsonPlace(place, std::size_t{0}));
        read((*array)[1], out.second, JsonPlace(place, std::size_t{1}));
    }
    /// The first alternative that can take the value.
    template <class... Ts>
    static void plain(const json::value& value, std::variant<Ts...>& out, const JsonPlace& place) {
        const bool taken = (alternative<Ts>(value, out, place) || ...);
        if (!taken) place.fail("has an unexpected kind: " + std::string(kind_name(value)));
    }
    template <class T, class Variant>
    static bool alternative(const json::value& value, Variant& out, const JsonPlace& place) {
        try {
            T one{};
            read(value, one, place);
            out = std::move(one);
            return true;
        } catch (const JsonError&) {
            return false;
        }
    }
};

template <JsonNames names>
struct Writer {
    template <class T>
    static json::value write(const T& value) {
        if constexpr (WrittenByOverload<T>) {
            return write_json(value);
        } else if constexpr (DescribedClass<T>) {
            return members(value);
        } else if constexpr (DescribedEnum<T>) {
            for (const auto& one : enum_names<T>()) {
                if (one.value == value) return json::string(one.name.view());
            }
            return nullptr;
        } else {
            return plain(value);
        }
    }

    template <class T>
    static json::object members(const T& value) {
        json::object out;
        boost::mp11::mp_for_each<DescribedMembers<T>>([&](auto member) {
            using Member = decltype(member);
            json::value one = write(value.*Member::pointer);
            if (names == JsonNames::wire && one.is_null()) return;
            out.emplace(name_of<T, Member>(), std::move(one));
        });
        if constexpr (KeepsRaw<T>) {
            if constexpr (!describes_raw<T>()) {
                for (const auto& [name, item] : value.raw) out.emplace(name, item);
            }
        }
        return out;
    }

  private:
    template <class T, class Member>
    static std::string_view name_of() {
        if constexpr (names == JsonNames::python) return python_name(Member::name);
        for (const WireAlias& alias : wire_aliases<T>) {
            if (alias.member == Member::name) return alias.name;
        }
        return wire_name<Member>.view();
    }

    static json::value plain(const json::value& value) { return value; }
    static json::value plain(const json::object& value) { return value; }
    static json::value plain(const json::array& value) { return value; }
    static json::value plain(bool value) { return value; }
    static json::value plain(const std::string& value) { return json::string(value); }
    static json::value plain(std::string_view value) { return json::string(value); }
    static json::value plain(const std::filesystem::path& value) { return json::string(value.string()); }
    static json::value plain(Datetime value) { return json::string(format_datetime(value)); }
    static json::value plain(std::monostate) { return nullptr; }
    template <class Rep, class Period>
    static json::value plain(std::chrono::duration<Rep, Period> value) {
        return std::chrono::duration<double>(value).count();
    }
    template <class T>
        requires std::is_arithmetic_v<T>
    static json::value plain(T value) {
        return value;
    }
    template <class T>
    static json::value plain(const std::optional<T>& value) {
        return value ? write(*value) : json::value(nullptr);
    }
    template <class T>
    static json::value plain(const std::vector<T>& value) {
        return plain(std::span<const T>(value));
    }
    template <class T>
    static json::value plain(std::span<const T> value) {
        json::array out;
        out.reserve(value.size());
        for (const auto& item : value) out.push_back(write(item));
        return out;
    }
    template <class T>
    static json::value plain(const std::map<std::string, T>& value) {
        json::object out;
        for (const auto& [name, item] : value) out.emplace(name, write(item));
        return out;
    }
    template <class A, class B>
    static json::value plain(const std::pair<A, B>& value) {
        return json::array{write(value.first), write(value.second)};
    }
    template <class... Ts>
    static json::value plain(const std::variant<Ts...>& value) {
        return std::visit([](const auto& one) { return write(one); }, value);
    }
};

}  // namespace detail

/// Reads the described members, for a read_json overload that does the rest.
template <class T>
void read_members(const json::value& value, T& out, const JsonPlace& place) {
    detail::Reader::members(value, out, place);
}

/// Reads a value; `what` names it in errors. Throws JsonError.
template <class T>
T from_json(const json::value& value, std::string_view what = "the value") {
    T out{};
    detail::Reader::read(value, out, JsonPlace(what));
    return out;
}

/// With the members' own names, which are Python's.
template <class T>
json::value to_json(const T& value) {
    return detail::Writer<JsonNames::python>::write(value);
}

/// With the server's names; empty optionals are left out.
template <class T>
json::value to_wire(const T& value) {
    return detail::Writer<JsonNames::wire>::write(value);
}

/// As to_json, for a write_json overload that does the rest.
template <class T>
json::object write_members(const T& value) {
    return detail::Writer<JsonNames::python>::members(value);
}

}  // namespace hfhub
