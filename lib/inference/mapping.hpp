#pragma once

// Inference types whose form on the wire is not that of their members.

#include "core/mapping.hpp"

#include <hfhub/inference/chat.hpp>

namespace hfhub {

void read_json(const json::value& value, ChatToolCalls& out, const JsonPlace& place);
json::value write_json(const ChatToolCalls& calls);

}  // namespace hfhub
