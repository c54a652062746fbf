#pragma once

// Tokens that are kept on this machine, in the files that Python's huggingface_hub keeps: the active one in the token
// file, and all by their names in stored_tokens beside it. Both can be read by their owner only.

#include <hfhub/environment.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub {

/// The token that calls send where none is given: HF_TOKEN, else the token file's. Throws IoError.
std::optional<std::string> get_token(const Environment& environment = Environment::from_process());

/// The stored tokens by their names. Throws IoError where the file cannot be read, or is not what it should be.
std::map<std::string, std::string> get_stored_tokens(const Environment& environment = Environment::from_process());

struct LoginInfo {
    std::string token_name;  ///< Under which it was stored: the name it has on the Hub, or "oauth-" and the user's.
    std::string user;
    bool overridden = false;  ///< HF_TOKEN is set and is another one: calls go on with that.
};

/// Asks the Hub whose token it is, stores it and makes it the active one. Throws InvalidArgumentError for none and for
/// an organization's, what whoami throws, IoError.
LoginInfo login(std::string_view token, const HfApi& api = HfApi());

/// Makes a stored token the active one; false where HF_TOKEN overrides it. Throws InvalidArgumentError where there is
/// none of that name, IoError.
bool auth_switch(std::string_view token_name, const Environment& environment = Environment::from_process());

/// Deletes a stored token, and what is active where that is it; without a name all of them. False where none was there.
/// Throws InvalidArgumentError where there is none of that name, IoError; also where HF_TOKEN still says who calls.
bool logout(std::string_view token_name = {}, const Environment& environment = Environment::from_process());

struct StoredToken {
    std::string name;
    std::string masked;   ///< First and last characters.
    bool active = false;  ///< It is the one that calls send.
};
std::vector<StoredToken> auth_list(const Environment& environment = Environment::from_process());

}  // namespace hfhub
