#pragma once

#include <string>
#include <string_view>

namespace hfhub::http {

/// "mine/1.2; hf_hub/0.1.0; cpp/20[; origin/x]": the application's own part first, as the Hub's statistics expect.
std::string user_agent(std::string_view application, std::string_view origin);

/// The library's version, such as "0.1.0".
std::string_view version() noexcept;

}  // namespace hfhub::http
