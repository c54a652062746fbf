#pragma once

#include "core/url.hpp"

#include <hfhub/string_list.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::hub {

/// Query parameters as the Hub reads them: what is empty is left out, lists repeat their name.
class Query {
  public:
    Query& add(std::string_view name, std::string_view value) {
        if (!value.empty()) items_.emplace_back(name, value);
        return *this;
    }
    Query& add(std::string_view name, const std::string& value) { return add(name, std::string_view(value)); }
    Query& add(std::string_view name, const char* value) { return add(name, std::string_view(value)); }
    Query& add(std::string_view name, const StringList& values) {
        for (const std::string_view value : values) items_.emplace_back(name, value);
        return *this;
    }
    template <std::integral T>
    Query& add(std::string_view name, const std::optional<T>& value) {
        if (!value) return *this;
        if constexpr (std::same_as<T, bool>) return add(name, *value ? "true" : "false");
        return add(name, std::to_string(*value));
    }
    /// name=true, or nothing.
    Query& flag(std::string_view name, bool value) { return value ? add(name, "true") : *this; }

    void append_to(Url& url) const {
        for (const auto& [name, value] : items_) url.add_query(name, value);
    }

  private:
    std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace hfhub::hub
