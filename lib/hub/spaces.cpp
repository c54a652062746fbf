#include "hub/spaces.hpp"

#include "core/log.hpp"
#include "hub/call.hpp"
#include "hub/events.hpp"
#include "hub/mapping.hpp"
#include "hub/polling.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

namespace hfhub {

namespace hub {

awaitable<std::vector<SpaceTemplate>> list_space_templates(Client client, Owned<SpaceOptions> options) {
    http::Request request = client.request(http::Method::get, "/api/spaces/templates", options->token);
    const json::value answer = co_await client.json(std::move(request));
    const json::value* templates = find_member(answer, "templates");
    co_return from_json<std::vector<SpaceTemplate>>(templates ? *templates : answer, "templates");
}

namespace {

constexpr http::Milliseconds silence_when_read{5'000}, silence_when_followed{120'000};

/// What is asked of one Space: nothing is sent before its name was checked.
struct SpaceCall {
    http::Method method = http::Method::get;
    std::string path;
    json::value body;  ///< Null where there is none.
    OwnedToken token;
};

SpaceCall space_call(http::Method method, std::string_view repo_id, std::string_view what, Token token,
                     json::value body = nullptr) {
    std::string path = repo_api_path("space", repo_id);
    path.append("/").append(what);
    return {method, std::move(path), std::move(body), token};
}

http::Request request_for(const Client& client, const SpaceCall& call) {
    http::Request request = client.request(call.method, call.path, call.token);
    if (!call.body.is_null()) set_json(request, call.body);
    return request;
}

awaitable<SpaceRuntime> ask_for_runtime(Client client, SpaceCall call) {
    http::Request request = request_for(client, call);
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<SpaceRuntime>(answer, call.path);
}

awaitable<void> tell(Client client, SpaceCall call) {
    http::Request request = request_for(client, call);
    const std::string ignored = co_await client.text(std::move(request));
}

/// Values by key, each of which knows its own.
template <class T>
awaitable<std::map<std::string, T>> ask_for_keys(Client client, SpaceCall call) {
    http::Request request = request_for(client, call);
    const json::value answer = co_await client.json(std::move(request));
    if (!answer.is_object()) throw JsonError(call.path + " should be an object");
    std::map<std::string, T> values;
    for (const auto& [key, value] : answer.get_object()) {
        json::value named = value;
        if (named.is_object()) named.get_object()["key"] = key;
        values.emplace(key, from_json<T>(named, call.path));
    }
    co_return values;
}

awaitable<std::vector<JobHardwareInfo>> list_spaces_hardware(Client client, Owned<SpaceOptions> options) {
    http::Request request = client.request(http::Method::get, "/api/spaces/hardware", options->token);
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<std::vector<JobHardwareInfo>>(answer, "hardware");
}

json::object key_and_value(std::string_view key, std::string_view value, const AddSpaceKeyOptions& options) {
    return to_wire(SpaceKeyValue{key, value, options.description}).get_object();
}

void warn_of_fixed_sleep_time(const SpaceRuntime& runtime) {
    const bool free = runtime.requested_hardware == "cpu-basic" || runtime.hardware == "cpu-basic";
    if (free) log(LogLevel::warning, "the sleep time of a Space on cpu-basic is not the owner's to choose");
}

awaitable<SpaceRuntime> set_space_sleep_time(Client client, SpaceCall call) {
    auto asking = ask_for_runtime(std::move(client), std::move(call));
    SpaceRuntime runtime = co_await std::move(asking);
    warn_of_fixed_sleep_time(runtime);
    co_return runtime;
}

bool is_under_way(std::string_view stage) {
    return stage == "BUILDING" || stage == "RUNNING_BUILDING" || stage == "APP_STARTING" ||
           stage == "RUNNING_APP_STARTING";
}

awaitable<SpaceRuntime> wait_for_space(Client client, SpaceCall call, std::string repo_id, Polling polling) {
    for (;;) {
        auto asking = ask_for_runtime(client, call);
        SpaceRuntime runtime = co_await std::move(asking);
        if (!is_under_way(runtime.stage)) co_return runtime;
        auto pause = polling.pause(client, "the Space '" + repo_id + "' is still in stage " + runtime.stage);
        co_await std::move(pause);
    }
}

EventRequest log_request(std::string_view repo_id, const FetchSpaceLogsOptions& options) {
    EventRequest request;
    request.path = repo_api_path("space", repo_id) + (options.build ? "/logs/build" : "/logs/run");
    request.token = options.token;
    request.silence = options.follow ? silence_when_followed : silence_when_read;
    request.follow = options.follow;
    return request;
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicSpaces<Mode>::get_space_runtime(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::get, repo_id, "runtime", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::wait_for_space(std::string_view repo_id, WaitForSpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    const hub::Polling polling(options.timeout, options.poll_interval);
    return call<Mode>(*this, hub::wait_for_space, hub::space_call(http::Method::get, repo_id, "runtime", options.token),
                      repo_id, polling);
}

template <class Mode>
BasicEvents<Mode, std::string> BasicSpaces<Mode>::fetch_space_logs(std::string_view repo_id,
                                                                   FetchSpaceLogsOptions options) const {
    return pages<Mode>(*this, std::make_unique<hub::EventPages<std::string>>(
                                  client(), hub::log_request(repo_id, options), hub::log_line));
}

template <class Mode>
auto BasicSpaces<Mode>::list_spaces_hardware(SpaceOptions options) const ->
    typename Mode::template result<std::vector<JobHardwareInfo>> {
    return call<Mode>(*this, hub::list_spaces_hardware, options);
}

template <class Mode>
auto BasicSpaces<Mode>::request_space_hardware(std::string_view repo_id, std::string_view hardware,
                                               RequestSpaceHardwareOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    json::object body{{"flavor", hardware}};
    if (options.sleep_time) body["sleepTimeSeconds"] = *options.sleep_time;
    const auto request =
        hub::space_call(http::Method::post, repo_id, "hardware", options.token, json::value(std::move(body)));
    if (options.sleep_time) return call<Mode>(*this, hub::set_space_sleep_time, request);
    return call<Mode>(*this, hub::ask_for_runtime, request);
}

template <class Mode>
auto BasicSpaces<Mode>::set_space_sleep_time(std::string_view repo_id, std::int64_t sleep_time,
                                             SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(
        *this, hub::set_space_sleep_time,
        hub::space_call(http::Method::post, repo_id, "sleeptime", options.token, {{"seconds", sleep_time}}));
}

template <class Mode>
auto BasicSpaces<Mode>::pause_space(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::post, repo_id, "pause", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::restart_space(std::string_view repo_id, RestartSpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    const std::string_view what = options.factory_reboot ? "restart?factory=true" : "restart";
    return call<Mode>(*this, hub::ask_for_runtime, hub::space_call(http::Method::post, repo_id, what, options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::enable_space_dev_mode(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::post, repo_id, "dev-mode", options.token, {{"enabled", true}}));
}

template <class Mode>
auto BasicSpaces<Mode>::disable_space_dev_mode(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::post, repo_id, "dev-mode", options.token, {{"enabled", false}}));
}

template <class Mode>
auto BasicSpaces<Mode>::get_space_secrets(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceSecrets> {
    return call<Mode>(*this, hub::ask_for_keys<SpaceSecret>,
                      hub::space_call(http::Method::get, repo_id, "secrets", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::add_space_secret(std::string_view repo_id, std::string_view key, std::string_view value,
                                         AddSpaceKeyOptions options) const -> typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::space_call(http::Method::post, repo_id, "secrets", options.token,
                                      hub::key_and_value(key, value, options)));
}

template <class Mode>
auto BasicSpaces<Mode>::delete_space_secret(std::string_view repo_id, std::string_view key, SpaceOptions options) const
    -> typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::space_call(http::Method::delete_, repo_id, "secrets", options.token, {{"key", key}}));
}

template <class Mode>
auto BasicSpaces<Mode>::get_space_variables(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceVariables> {
    return call<Mode>(*this, hub::ask_for_keys<SpaceVariable>,
                      hub::space_call(http::Method::get, repo_id, "variables", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::add_space_variable(std::string_view repo_id, std::string_view key, std::string_view value,
                                           AddSpaceKeyOptions options) const ->
    typename Mode::template result<SpaceVariables> {
    return call<Mode>(*this, hub::ask_for_keys<SpaceVariable>,
                      hub::space_call(http::Method::post, repo_id, "variables", options.token,
                                      hub::key_and_value(key, value, options)));
}

template <class Mode>
auto BasicSpaces<Mode>::delete_space_variable(std::string_view repo_id, std::string_view key,
                                              SpaceOptions options) const ->
    typename Mode::template result<SpaceVariables> {
    return call<Mode>(*this, hub::ask_for_keys<SpaceVariable>,
                      hub::space_call(http::Method::delete_, repo_id, "variables", options.token, {{"key", key}}));
}

template <class Mode>
auto BasicSpaces<Mode>::set_space_volumes(std::string_view repo_id, std::span<const Volume> volumes,
                                          SpaceOptions options) const -> typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::space_call(http::Method::put, repo_id, "volumes", options.token,
                                      json::object{{"volumes", to_wire(volumes)}}));
}

template <class Mode>
auto BasicSpaces<Mode>::delete_space_volumes(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell, hub::space_call(http::Method::delete_, repo_id, "volumes", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::request_space_storage(std::string_view repo_id, std::string_view storage,
                                              SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::post, repo_id, "storage", options.token, {{"tier", storage}}));
}

template <class Mode>
auto BasicSpaces<Mode>::delete_space_storage(std::string_view repo_id, SpaceOptions options) const ->
    typename Mode::template result<SpaceRuntime> {
    return call<Mode>(*this, hub::ask_for_runtime,
                      hub::space_call(http::Method::delete_, repo_id, "storage", options.token));
}

template <class Mode>
auto BasicSpaces<Mode>::list_space_templates(SpaceOptions options) const ->
    typename Mode::template result<std::vector<SpaceTemplate>> {
    return call<Mode>(*this, hub::list_space_templates, options);
}

template class BasicSpaces<Blocking>;
template class BasicSpaces<Awaiting>;

}  // namespace hfhub
