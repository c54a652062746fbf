#pragma once

// What a Space runs on, and with; what it says.

#include <hfhub/datetime.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/events.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace hfhub {

/// A bucket or repository that is mounted in a Space or Job.
struct Volume {
    std::string type = "model";  ///< "bucket", "model", "dataset" or "space".
    std::string source;          ///< "namespace/name".
    std::string mount_path;      ///< Begins with '/'.
    std::optional<std::string> revision{};
    std::optional<bool> read_only{};
    std::optional<std::string> path{};  ///< Folder of the source, all of it where empty.
};
BOOST_DESCRIBE_STRUCT(Volume, (), (type, source, mount_path, revision, read_only, path))

/// A reload of a running Space's code.
struct SpaceHotReloading {
    std::string status;  ///< "created" or "canceled".
    std::vector<std::pair<std::string, std::optional<std::string>>> replica_statuses;
    json::object raw;  ///< The whole object.
};
BOOST_DESCRIBE_STRUCT(SpaceHotReloading, (), (status, replica_statuses, raw))

/// The state of a Space.
struct SpaceRuntime {
    std::string stage;                              ///< "RUNNING", "BUILDING", "PAUSED", …
    std::optional<std::string> hardware;            ///< What it runs on, such as "cpu-basic".
    std::optional<std::string> requested_hardware;  ///< What it was asked to run on.
    std::optional<std::int64_t> sleep_time;         ///< Seconds without a request until it sleeps.
    std::optional<std::string> storage;
    bool dev_mode = false;
    std::optional<SpaceHotReloading> hot_reloading;
    std::optional<std::vector<Volume>> volumes;
    json::object raw;  ///< The whole object.
};
BOOST_DESCRIBE_STRUCT(SpaceRuntime, (),
                      (stage, hardware, requested_hardware, sleep_time, storage, dev_mode, hot_reloading, volumes, raw))

/// A Space to begin another with.
struct SpaceTemplate {
    std::string name;
    std::string repo_id;
    std::string sdk;
    bool preferred_private = false;  ///< Spaces made from it are better private.
    json::object raw;                ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(SpaceTemplate, (), (name, repo_id, sdk, preferred_private))

/// A secret or a variable that a Space is made with.
struct SpaceKeyValue {
    std::string_view key, value;
    std::optional<std::string_view> description{};
};
static_assert(std::is_trivially_destructible_v<SpaceKeyValue>);
BOOST_DESCRIBE_STRUCT(SpaceKeyValue, (), (key, value, description))

/// What a kind of hardware computes with besides its processor.
struct JobAccelerator {
    std::optional<std::string> type, model, quantity, vram, manufacturer;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobAccelerator, (), (type, model, quantity, vram, manufacturer))

/// A kind of hardware that a Space or a Job can run on.
struct JobHardwareInfo {
    std::string name;  ///< Such as "cpu-basic": what is asked for.
    std::optional<std::string> pretty_name, cpu, ram;
    std::string ephemeral_storage = "N/A";
    std::optional<JobAccelerator> accelerator;
    std::optional<double> unit_cost_micro_usd, unit_cost_usd;
    std::optional<std::string> unit_label;  ///< What the costs are for, such as "minute".
    json::object raw;                       ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobHardwareInfo, (),
                      (name, pretty_name, cpu, ram, ephemeral_storage, accelerator, unit_cost_micro_usd, unit_cost_usd,
                       unit_label))

/// A secret of a Space; the Hub never tells its value.
struct SpaceSecret {
    std::string key;
    std::optional<std::string> description;
    std::optional<Datetime> updated_at;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(SpaceSecret, (), (key, description, updated_at))

/// A variable that a Space's programs find in their environment.
struct SpaceVariable {
    std::string key;
    std::string value;
    std::optional<std::string> description;
    std::optional<Datetime> updated_at;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(SpaceVariable, (), (key, value, description, updated_at))

using SpaceSecrets = std::map<std::string, SpaceSecret>;
using SpaceVariables = std::map<std::string, SpaceVariable>;

/// For the calls that take nothing else.
struct SpaceOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<SpaceOptions>);
BOOST_DESCRIBE_STRUCT(SpaceOptions, (), (token))

struct AddSpaceKeyOptions {
    std::optional<std::string_view> description{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<AddSpaceKeyOptions>);
BOOST_DESCRIBE_STRUCT(AddSpaceKeyOptions, (), (description, token))

struct RequestSpaceHardwareOptions {
    std::optional<std::int64_t> sleep_time{};  ///< Seconds without a request until it sleeps; -1: never.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RequestSpaceHardwareOptions>);
BOOST_DESCRIBE_STRUCT(RequestSpaceHardwareOptions, (), (sleep_time, token))

struct RestartSpaceOptions {
    bool factory_reboot = false;  ///< Builds it anew, without what earlier builds left.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RestartSpaceOptions>);
BOOST_DESCRIBE_STRUCT(RestartSpaceOptions, (), (factory_reboot, token))

struct FetchSpaceLogsOptions {
    bool build = false;   ///< What its build says, instead of its run.
    bool follow = false;  ///< Goes on with what is still to come; else the lines that are there.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<FetchSpaceLogsOptions>);
BOOST_DESCRIBE_STRUCT(FetchSpaceLogsOptions, (), (build, follow, token))

struct WaitForSpaceOptions {
    std::optional<std::chrono::milliseconds> timeout{};  ///< Nothing: as long as it takes.
    std::chrono::milliseconds poll_interval{1000};       ///< Between two questions.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<WaitForSpaceOptions>);
BOOST_DESCRIBE_STRUCT(WaitForSpaceOptions, (), (timeout, poll_interval, token))

/// All of them throw HfValidationError for a malformed repo_id, RepositoryNotFoundError, and HfHubHttpError where the
/// Hub refuses.
template <class Mode>
class BasicSpaces : public virtual ApiHandle {
  public:
    /// The state of a Space.
    typename Mode::template result<SpaceRuntime> get_space_runtime(std::string_view repo_id,
                                                                   SpaceOptions options = {}) const;
    /// Asks for its state until it is neither built nor started. Throws TimeoutError where that takes longer,
    /// InvalidArgumentError for a negative timeout or an interval that is not positive.
    typename Mode::template result<SpaceRuntime> wait_for_space(std::string_view repo_id,
                                                                WaitForSpaceOptions options = {}) const;
    /// The lines of its log, line ends included. Without follow a break throws TransportError.
    BasicEvents<Mode, std::string> fetch_space_logs(std::string_view repo_id, FetchSpaceLogsOptions options = {}) const;

    /// The kinds of hardware that Spaces can run on.
    typename Mode::template result<std::vector<JobHardwareInfo>> list_spaces_hardware(SpaceOptions options = {}) const;
    /// Has the Space run on other hardware, which may cost money.
    typename Mode::template result<SpaceRuntime> request_space_hardware(std::string_view repo_id,
                                                                        std::string_view hardware,
                                                                        RequestSpaceHardwareOptions options = {}) const;
    /// Seconds without a request until the Space sleeps; -1: never. cpu-basic has a sleep time of its own.
    typename Mode::template result<SpaceRuntime> set_space_sleep_time(std::string_view repo_id, std::int64_t sleep_time,
                                                                      SpaceOptions options = {}) const;
    /// Stops the Space until its owner restarts it.
    typename Mode::template result<SpaceRuntime> pause_space(std::string_view repo_id, SpaceOptions options = {}) const;
    typename Mode::template result<SpaceRuntime> restart_space(std::string_view repo_id,
                                                               RestartSpaceOptions options = {}) const;
    /// Lets its owner log in to the running Space and change its files there.
    typename Mode::template result<SpaceRuntime> enable_space_dev_mode(std::string_view repo_id,
                                                                       SpaceOptions options = {}) const;
    typename Mode::template result<SpaceRuntime> disable_space_dev_mode(std::string_view repo_id,
                                                                        SpaceOptions options = {}) const;

    /// The secrets by name, without their values.
    typename Mode::template result<SpaceSecrets> get_space_secrets(std::string_view repo_id,
                                                                   SpaceOptions options = {}) const;
    /// Sets a secret, new or not; the Space restarts.
    typename Mode::template result<void> add_space_secret(std::string_view repo_id, std::string_view key,
                                                          std::string_view value,
                                                          AddSpaceKeyOptions options = {}) const;
    typename Mode::template result<void> delete_space_secret(std::string_view repo_id, std::string_view key,
                                                             SpaceOptions options = {}) const;
    /// The variables by name.
    typename Mode::template result<SpaceVariables> get_space_variables(std::string_view repo_id,
                                                                       SpaceOptions options = {}) const;
    /// Sets a variable, new or not, and gives all there are then; the Space restarts.
    typename Mode::template result<SpaceVariables> add_space_variable(std::string_view repo_id, std::string_view key,
                                                                      std::string_view value,
                                                                      AddSpaceKeyOptions options = {}) const;
    /// Gives the variables that are left.
    typename Mode::template result<SpaceVariables> delete_space_variable(std::string_view repo_id, std::string_view key,
                                                                         SpaceOptions options = {}) const;

    /// Mounts these and no others.
    typename Mode::template result<void> set_space_volumes(std::string_view repo_id, std::span<const Volume> volumes,
                                                           SpaceOptions options = {}) const;
    typename Mode::template result<void> delete_space_volumes(std::string_view repo_id,
                                                              SpaceOptions options = {}) const;
    /// A disk that stays: "small", "medium" or "large". Volumes have taken its place.
    typename Mode::template result<SpaceRuntime> request_space_storage(std::string_view repo_id,
                                                                       std::string_view storage,
                                                                       SpaceOptions options = {}) const;
    /// Deletes that disk and what is on it.
    typename Mode::template result<SpaceRuntime> delete_space_storage(std::string_view repo_id,
                                                                      SpaceOptions options = {}) const;

    /// Templates that create_repo takes as space_template.
    typename Mode::template result<std::vector<SpaceTemplate>> list_space_templates(SpaceOptions options = {}) const;
};

extern template class BasicSpaces<Blocking>;
extern template class BasicSpaces<Awaiting>;

}  // namespace hfhub
