#pragma once

#include <hfhub/string_list.hpp>

#include <string>
#include <vector>

namespace hfhub {

/// Its texts, as copies.
inline std::vector<std::string> texts(const StringList& list) {
    std::vector<std::string> out;
    out.reserve(list.size());
    for (const std::string_view text : list) out.emplace_back(text);
    return out;
}

}  // namespace hfhub
