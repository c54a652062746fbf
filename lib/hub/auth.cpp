#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "core/token.hpp"
#include "hub/stored_tokens.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/auth.hpp>
#include <hfhub/log.hpp>

namespace hfhub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_stored_tokens = 1 << 20;
constexpr std::string_view token_field = "hf_token";

hub::StoredTokens read_stored(const Environment& environment) {
    const auto text = read_file_if_exists(environment.stored_tokens_path, max_stored_tokens);
    return text ? hub::parse_stored_tokens(*text) : hub::StoredTokens();
}

void write_stored(const Environment& environment, const hub::StoredTokens& tokens) {
    write_secret_file(environment.stored_tokens_path, hub::format_stored_tokens(tokens));
}

std::string token_in(const std::map<std::string, std::string>& fields) {
    const auto field = fields.find(std::string(token_field));
    return field == fields.end() ? std::string() : clean_token(field->second).value_or(std::string());
}

std::optional<std::string> token_in_file(const Environment& environment) {
    Environment file_only = environment;
    file_only.token.reset();
    return active_token(file_only);
}

bool remove_if_there(const fs::path& path) {
    std::error_code error;
    const bool removed = fs::remove(path, error);
    if (error) throw FileError("delete", path, error);
    return removed;
}

[[noreturn]] void no_such_token(std::string_view name, const Environment& environment) {
    throw InvalidArgumentError("there is no token '" + std::string(name) + "' in " +
                               environment.stored_tokens_path.string());
}

std::string mask(const std::string& token) {
    if (token.empty()) return "<not set>";
    if (token.size() < 16) return "****";
    return token.substr(0, 3) + "****" + token.substr(token.size() - 4);
}

std::string name_of(const WhoAmI& owner) {
    if (owner.auth && owner.auth->access_token && owner.auth->access_token->display_name) {
        return *owner.auth->access_token->display_name;
    }
    return "oauth-" + owner.name;
}

}  // namespace

std::optional<std::string> get_token(const Environment& environment) { return active_token(environment); }

std::map<std::string, std::string> get_stored_tokens(const Environment& environment) {
    std::map<std::string, std::string> tokens;
    for (const auto& [name, fields] : read_stored(environment)) tokens[name] = token_in(fields);
    return tokens;
}

LoginInfo login(std::string_view token, const HfApi& api) {
    const auto cleaned = clean_token(token);
    if (!cleaned) throw InvalidArgumentError("there is no token to log in with");
    if (cleaned->starts_with("api_org")) {
        throw InvalidArgumentError("log in with a token of your own account: this one is an organization's");
    }
    if (!cleaned->starts_with("hf_")) register_secret(*cleaned);
    const WhoAmI owner = api.whoami({.token = std::string_view(*cleaned)});
    LoginInfo info{name_of(owner), owner.name};
    hub::validate_token_name(info.token_name);
    const Environment& environment = api.session().environment();
    hub::StoredTokens tokens = read_stored(environment);
    tokens[info.token_name] = {{std::string(token_field), *cleaned}};
    write_stored(environment, tokens);
    write_secret_file(environment.token_path, *cleaned);
    info.overridden = environment.token && environment.token != cleaned;
    return info;
}

bool auth_switch(std::string_view token_name, const Environment& environment) {
    const hub::StoredTokens tokens = read_stored(environment);
    const auto stored = tokens.find(std::string(token_name));
    const std::string token = stored == tokens.end() ? std::string() : token_in(stored->second);
    if (token.empty()) no_such_token(token_name, environment);
    write_secret_file(environment.token_path, token);
    return !environment.token || environment.token == token;
}

bool logout(std::string_view token_name, const Environment& environment) {
    bool any = false;
    if (token_name.empty()) {
        any = remove_if_there(environment.token_path);
        any = remove_if_there(environment.stored_tokens_path) || any;
    } else {
        hub::StoredTokens tokens = read_stored(environment);
        const auto stored = tokens.find(std::string(token_name));
        if (stored == tokens.end()) no_such_token(token_name, environment);
        const std::string token = token_in(stored->second);
        tokens.erase(stored);
        write_stored(environment, tokens);
        if (token_in_file(environment) == token) remove_if_there(environment.token_path);
        any = true;
    }
    if (environment.token) {
        throw IoError(
            "what was saved is deleted, but you are still logged in by the variable HF_TOKEN; unset it, and "
            "HUGGING_FACE_HUB_TOKEN");
    }
    return any;
}

std::vector<StoredToken> auth_list(const Environment& environment) {
    const auto active = active_token(environment);
    std::vector<StoredToken> list;
    for (const auto& [name, token] : get_stored_tokens(environment)) {
        list.push_back({name, mask(token), !token.empty() && active == token});
    }
    return list;
}

}  // namespace hfhub
