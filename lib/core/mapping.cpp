#include "core/mapping.hpp"

namespace hfhub {

std::string JsonPlace::text() const {
    if (!parent_) return std::string(name_);
    if (name_.empty()) return parent_->text() + "[" + std::to_string(index_) + "]";
    return parent_->text() + "." + std::string(name_);
}

void JsonPlace::fail(std::string_view problem) const { throw JsonError(text() + " " + std::string(problem)); }

void JsonPlace::expected(std::string_view wanted, const json::value& got) const {
    fail("should be " + std::string(wanted) + " but is " + std::string(kind_name(got)));
}

namespace detail {

Reader::Found Reader::find(const json::object& object, std::string_view own, std::string_view wire,
                           std::span<const WireAlias> aliases, std::vector<bool>& taken) {
    // A walk over the keys that compares lengths first is cheaper than the object's own look-up under each name.
    constexpr std::size_t no_rank = static_cast<std::size_t>(-1);
    const auto rank_of = [&](std::string_view key) {
        if (key == wire) return std::size_t{0};
        if (key == own) return std::size_t{1};
        for (std::size_t i = 0; i < aliases.size(); ++i) {
            if (key == aliases[i].name && python_name(aliases[i].member) == own) return i + 2;
        }
        return no_rank;
    };
    Found found;
    std::size_t best = no_rank;
    std::size_t index = 0;
    for (const auto& [key, value] : object) {
        const std::size_t rank = rank_of({key.data(), key.size()});
        if (rank != no_rank) {
            taken[index] = true;
            if (!value.is_null() && rank < best) {
                found = {&value, index};
                best = rank;
            }
        }
        ++index;
    }
    return found;
}

void Reader::keep_rest(const json::object& object, const std::vector<bool>& taken, json::object& raw) {
    std::size_t index = 0;
    for (const auto& [name, value] : object) {
        if (!taken[index++]) raw.emplace(name, value);
    }
}

void Reader::plain(const json::value& value, Datetime& out, const JsonPlace& place) {
    std::string text;
    plain(value, text, place);
    try {
        out = parse_datetime(text);
    } catch (const InvalidArgumentError&) {
        place.fail("is no date and time: \"" + text + "\"");
    }
}

}  // namespace detail

}  // namespace hfhub
