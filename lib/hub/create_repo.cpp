#include "hub/create_repo.hpp"

#include "core/log.hpp"
#include "http/retry.hpp"
#include "http/server_message.hpp"
#include "http/wait.hpp"
#include "hub/mapping.hpp"
#include "hub/repo_id.hpp"
#include "hub/repos.hpp"
#include "hub/spaces.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace hfhub::hub {

namespace {

constexpr std::array<std::string_view, 4> space_sdks = {"gradio", "streamlit", "docker", "static"};
constexpr std::chrono::seconds longest_conflict{60};

/// What the server is sent; the members that only Spaces know are empty for others.
struct CreateRepoPayload {
    std::string name;
    std::optional<std::string> organization, visibility, type, sdk, template_, hardware, storage_tier;
    std::optional<std::int64_t> sleep_time_seconds;
    std::optional<std::vector<SpaceKeyValue>> secrets, variables;
    std::optional<std::vector<Volume>> volumes;
    std::optional<std::string> resource_group_id, region;
};
BOOST_DESCRIBE_STRUCT(CreateRepoPayload, (),
                      (name, organization, visibility, type, sdk, template_, hardware, storage_tier, sleep_time_seconds,
                       secrets, variables, volumes, resource_group_id, region))

std::optional<std::string> given(std::string_view text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

std::optional<std::string> visibility_of(const CreateRepoOptions& options) {
    if (!options.private_) return given(options.visibility);
    return *options.private_ ? "private" : "public";
}

void check(std::string_view repo_id, const CreateRepoOptions& options) {
    validate_repo_id(repo_id);
    const bool is_space = checked_repo_type(options.repo_type) == "space";
    if (options.private_ && !options.visibility.empty()) {
        throw InvalidArgumentError("private and visibility say the same: give only one of them");
    }
    if (options.visibility == "protected" && !is_space) {
        throw InvalidArgumentError("only Spaces can be protected: visibility is public or private here");
    }
    if (!options.space_template.empty() && !is_space) {
        throw InvalidArgumentError("space_template is for repo_type 'space' only");
    }
    if (!is_space) return;
    const bool known = std::find(space_sdks.begin(), space_sdks.end(), options.space_sdk) != space_sdks.end();
    if (!known && (options.space_template.empty() || !options.space_sdk.empty())) {
        throw InvalidArgumentError("a Space needs space_sdk: gradio, streamlit, docker or static");
    }
}

const SpaceTemplate& choose(const std::vector<SpaceTemplate>& templates, const CreateRepoOptions& options) {
    std::string names;
    for (const SpaceTemplate& one : templates) {
        const bool named = http::to_lower(one.name) == http::to_lower(options.space_template);
        if (!named && one.repo_id != options.space_template) {
            names += (names.empty() ? "" : ", ") + one.name;
            continue;
        }
        if (options.space_sdk.empty() || options.space_sdk == one.sdk) return one;
        throw InvalidArgumentError("the template " + one.name + " is for space_sdk " + one.sdk + ", not " +
                                   std::string(options.space_sdk));
    }
    throw InvalidArgumentError("there is no Space template '" + std::string(options.space_template) +
                               "'; the Hub has " + names);
}

awaitable<std::optional<SpaceTemplate>> find_template(Client client, const CreateRepoOptions& options) {
    if (options.space_template.empty()) co_return std::nullopt;
    const SpaceOptions ask{.token = options.token};
    const std::vector<SpaceTemplate> templates = co_await list_space_templates(std::move(client), ask);
    co_return std::optional<SpaceTemplate>(choose(templates, options));
}

template <class T>
std::optional<std::vector<T>> listed(const std::optional<std::span<const T>>& items) {
    if (!items) return std::nullopt;
    return std::vector<T>(items->begin(), items->end());
}

void add_space(CreateRepoPayload& payload, const CreateRepoOptions& options,
               const std::optional<SpaceTemplate>& chosen) {
    payload.sdk = chosen ? chosen->sdk : std::string(options.space_sdk);
    if (chosen) {
        payload.template_ = chosen->repo_id;
        if (chosen->preferred_private && !payload.visibility) payload.visibility = "private";
    }
    payload.hardware = given(options.space_hardware);
    payload.storage_tier = given(options.space_storage);
    payload.sleep_time_seconds = options.space_sleep_time;
    payload.secrets = listed(options.space_secrets);
    payload.variables = listed(options.space_variables);
    if (!options.space_volumes.empty())
        payload.volumes.emplace(options.space_volumes.begin(), options.space_volumes.end());
    if (options.space_sleep_time && options.space_hardware == "cpu-basic") {
        log(LogLevel::warning,
            "space_sleep_time has no effect on cpu-basic hardware: such a Space sleeps after 48 hours");
    }
}

void warn_of_ignored(const CreateRepoOptions& options) {
    const bool any = !options.space_sdk.empty() || !options.space_hardware.empty() || !options.space_storage.empty() ||
                     options.space_sleep_time || options.space_secrets || options.space_variables ||
                     !options.space_volumes.empty();
    if (any) log(LogLevel::warning, "create_repo ignores the space_… arguments: repo_type is not 'space'");
}

json::value payload_of(std::string_view repo_id, const CreateRepoOptions& options,
                       const std::optional<SpaceTemplate>& chosen) {
    CreateRepoPayload payload;
    const std::size_t slash = repo_id.find('/');
    payload.name = repo_id.substr(slash + 1);  // npos + 1 is 0
    if (slash != std::string_view::npos) payload.organization = repo_id.substr(0, slash);
    payload.visibility = visibility_of(options);
    payload.type = given(options.repo_type);
    if (options.repo_type == "space") {
        add_space(payload, options, chosen);
    } else {
        warn_of_ignored(options);
    }
    payload.resource_group_id = given(options.resource_group_id);
    payload.region = given(options.region);
    return to_wire(payload);
}

bool is_conflict(const HfHubHttpError& error) {
    return error.status() == 409 &&
           error.context().body.find("another conflicting operation is in progress") != std::string::npos;
}

/// The Hub makes one repository of an owner at a time; it is asked again until the other one is done.
awaitable<json::value> post_when_free(Client client, json::value payload, OwnedToken token) {
    const http::RetryPolicy policy{.base = client.options().backoff_base, .cap = client.options().backoff_cap};
    const auto give_up = std::min(client.deadline(), http::Clock::now() + longest_conflict);
    for (int attempt = 1;; ++attempt) {
        http::Request request = client.request(http::Method::post, "/api/repos/create", token);
        set_json(request, payload);
        http::Clock::time_point next{};
        try {
            co_return co_await client.json(std::move(request));
        } catch (const HfHubHttpError& error) {
            next = http::Clock::now() + http::backoff(policy, attempt, 1);
            if (!is_conflict(error) || next >= give_up) throw;
        }
        const auto wait = std::chrono::ceil<http::Milliseconds>(next - http::Clock::now());
        log(LogLevel::warning, "create_repo: the Hub is busy with another change of that owner; waiting " +
                                   std::to_string(wait.count()) + " ms, then attempt " + std::to_string(attempt + 1));
        co_await client.wait_until(next);
    }
}

/// The address in the server's answer, or the one by which it was asked: the repository is there either way.
RepoUrl address_of(const json::value& answer, const Client& client, std::string_view repo_id,
                   std::string_view repo_type) {
    try {
        return parse_repo_url(text_member(answer, "url"), client.endpoint());
    } catch (const JsonError&) {
        const std::string_view name = text_member(answer, "name");  // with the namespace that was left out
        return make_repo_url(client.endpoint(), repo_type, name.find('/') == name.npos ? repo_id : name);
    }
}

/// What the refusal of a repository that exists says about it.
std::optional<json::value> body_with_url(const HfHubHttpError& refusal) {
    try {
        json::value answer = parse_json(refusal.context().body, "the answer to create_repo");
        if (!text_member(answer, "url").empty()) return answer;
    } catch (const JsonError&) {
    }
    return std::nullopt;
}

/// The repository's address where a refusal may mean that it is there already, or nothing.
awaitable<std::optional<RepoUrl>> existing(Client client, std::string repo_id, const CreateRepoOptions& options,
                                           HfHubHttpError refusal) {
    const int status = refusal.status();
    if (!options.exist_ok) co_return std::nullopt;
    if (status == 409) {
        const std::optional<json::value> answer = body_with_url(refusal);
        if (!answer) co_return std::nullopt;
        co_return std::optional<RepoUrl>(address_of(*answer, client, repo_id, options.repo_type));
    }
    // Without the right to create (no scope, no subscription, no access) what exists may still be used.
    if (status != 401 && status != 402 && status != 403) co_return std::nullopt;
    const RepoInfoOptions ask{.repo_type = options.repo_type, .token = options.token};
    try {
        const RepoInfo info = co_await repo_info(client, repo_id, ask);
    } catch (const HfHubHttpError&) {
        co_return std::nullopt;
    }
    co_return std::optional<RepoUrl>(make_repo_url(client.endpoint(), options.repo_type, repo_id));
}

}  // namespace

awaitable<RepoUrl> create_repo(Client client, std::string repo_id, Owned<CreateRepoOptions> options) {
    check(repo_id, *options);
    const std::optional<SpaceTemplate> chosen = co_await find_template(client, *options);
    json::value payload = payload_of(repo_id, *options, chosen);
    std::exception_ptr refused;
    std::optional<HfHubHttpError> refusal;
    try {
        const json::value answer = co_await post_when_free(client, std::move(payload), options->token);
        co_return address_of(answer, client, repo_id, options->repo_type);
    } catch (const HfHubHttpError& error) {
        refused = std::current_exception();
        refusal = error;
    }
    std::optional<RepoUrl> there = co_await existing(client, repo_id, *options, std::move(*refusal));
    if (!there) std::rethrow_exception(refused);
    co_return std::move(*there);
}

}  // namespace hfhub::hub
