#pragma once

// Jobs: programs that run on the Hub's hardware, now or by a schedule.

#include <hfhub/datetime.hpp>
#include <hfhub/hub/api_handle.hpp>
#include <hfhub/hub/events.hpp>
#include <hfhub/hub/spaces.hpp>
#include <hfhub/json.hpp>
#include <hfhub/mode.hpp>
#include <hfhub/string_list.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hfhub {

/// How a Job is doing.
struct JobStatus {
    std::string stage;  ///< "SCHEDULING", "RUNNING", "COMPLETED", "CANCELED", "ERROR", "DELETED", …
    std::optional<std::string> message;
    std::optional<std::vector<std::string>> expose_urls;  ///< Where its ports are reached, in the order of expose.
    std::optional<std::string> ssh_url;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobStatus, (), (stage, message, expose_urls, ssh_url))

struct JobOwner {
    std::string id;
    std::string name;
    std::string type;  ///< "user" or "org".
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobOwner, (), (id, name, type))

/// What began a Job.
struct JobInitiator {
    std::string type;  ///< "user" or "scheduled-job".
    std::string id;
    std::optional<std::string> name;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobInitiator, (), (type, id, name))

/// How long a Job has been in its stages; what it has not reached is empty.
struct JobDurations {
    std::optional<std::int64_t> scheduling_secs, running_secs, total_secs;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobDurations, (), (scheduling_secs, running_secs, total_secs))

using JobLabels = std::map<std::string, std::string>;

struct JobInfo {
    std::string id;
    std::optional<Datetime> created_at, started_at, finished_at;
    std::optional<std::string> docker_image;  ///< Of a registry, or nothing where space_id says it.
    std::optional<std::string> space_id;
    std::optional<std::vector<std::string>> command, arguments;
    std::optional<json::object> environment;
    json::value secrets;  ///< Their names, or null.
    std::optional<std::string> flavor;
    std::optional<JobLabels> labels;
    std::optional<std::vector<Volume>> volumes;
    JobStatus status;
    std::optional<JobDurations> durations;
    JobOwner owner;
    std::optional<JobInitiator> initiator;
    std::string endpoint;  ///< The Hub that was asked.
    std::string url;       ///< The Job's page.
    json::object raw;      ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobInfo, (),
                      (id, created_at, started_at, finished_at, docker_image, space_id, command, arguments, environment,
                       secrets, flavor, labels, volumes, status, durations, owner, initiator, endpoint, url))

/// What a scheduled Job runs.
struct JobSpec {
    std::optional<std::string> docker_image, space_id;
    std::optional<std::vector<std::string>> command, arguments;
    std::optional<json::object> environment;
    json::value secrets;  ///< Their names, or null.
    std::optional<std::string> flavor;
    std::optional<std::int64_t> timeout;  ///< In seconds.
    std::optional<std::vector<std::string>> tags;
    std::optional<std::string> arch;
    std::optional<JobLabels> labels;
    std::optional<std::vector<Volume>> volumes;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(JobSpec, (),
                      (docker_image, space_id, command, arguments, environment, secrets, flavor, timeout, tags, arch,
                       labels, volumes))

/// The Job that a schedule began last.
struct LastJobInfo {
    std::string id;
    std::optional<Datetime> at;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(LastJobInfo, (), (id, at))

struct ScheduledJobStatus {
    std::optional<LastJobInfo> last_job;
    std::optional<Datetime> next_job_run_at;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(ScheduledJobStatus, (), (last_job, next_job_run_at))

struct ScheduledJobInfo {
    std::string id;
    std::optional<Datetime> created_at;
    JobSpec job_spec;
    std::optional<std::string> schedule;  ///< A line of cron, or "@hourly" and the like.
    std::optional<bool> suspend;          ///< Begins no Job until it is resumed.
    std::optional<bool> concurrency;      ///< Begins a Job also where the one before still runs.
    ScheduledJobStatus status;
    JobOwner owner;
    json::object raw;  ///< All other fields.
};
BOOST_DESCRIBE_STRUCT(ScheduledJobInfo, (), (id, created_at, job_spec, schedule, suspend, concurrency, status, owner))

/// How long a Job may run: a span such as 90s or 5min, or text such as "90", "45s", "5m", "1.5h" or "2d". None: as long
/// as the Hub lets it.
class JobTimeout {
  public:
    constexpr JobTimeout() noexcept = default;
    template <class Rep, class Period>
    constexpr JobTimeout(std::chrono::duration<Rep, Period> span) noexcept
        : seconds_(std::chrono::duration_cast<std::chrono::seconds>(span)) {}
    /// Throws InvalidArgumentError for other text.
    JobTimeout(std::string_view text);
    JobTimeout(const char* text) : JobTimeout(std::string_view(text)) {}

    constexpr std::chrono::seconds seconds() const noexcept { return seconds_; }

  private:
    std::chrono::seconds seconds_{0};
};

/// Of all calls: where `namespace_` is empty, the Job is the token's owner's.
struct JobOptions {
    std::string_view namespace_{};  ///< Of the user or organization that the Job is of and that pays for it.
    Token token{};
};
static_assert(std::is_trivially_destructible_v<JobOptions>);
BOOST_DESCRIBE_STRUCT(JobOptions, (), (namespace_, token))

struct JobHardwareOptions {
    Token token{};
};
static_assert(std::is_trivially_destructible_v<JobHardwareOptions>);
BOOST_DESCRIBE_STRUCT(JobHardwareOptions, (), (token))

struct RunJobOptions {
    JsonView env{};             ///< An object of the environment's variables.
    JsonView secrets{};         ///< The same for those that nobody is to read.
    std::string_view flavor{};  ///< The hardware; empty: "cpu-basic".
    JobTimeout timeout{};
    std::string_view name{};  ///< Empty: made from the image and the command.
    JsonView labels{};        ///< An object of texts by which Jobs are found.
    std::span<const Volume> volumes{};
    std::span<const std::int64_t> expose{};  ///< Ports that are reached from outside.
    bool ssh = false;                        ///< Whether its owner can log in.
    std::string_view resource_group_id{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RunJobOptions>);
BOOST_DESCRIBE_STRUCT(RunJobOptions, (),
                      (env, secrets, flavor, timeout, name, labels, volumes, expose, ssh, resource_group_id, namespace_,
                       token))

struct RunUvJobOptions {
    StringList script_args{};
    StringList dependencies{};  ///< Packages that the script needs.
    std::string_view python{};  ///< Version or interpreter.
    std::string_view image{};   ///< Empty: one with uv and Python 3.12.
    JsonView env{};
    JsonView secrets{};
    std::string_view flavor{};
    JobTimeout timeout{};
    std::string_view name{};  ///< Empty: made from the script and its arguments.
    JsonView labels{};
    std::span<const Volume> volumes{};
    std::span<const std::int64_t> expose{};
    bool ssh = false;
    std::string_view resource_group_id{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<RunUvJobOptions>);
BOOST_DESCRIBE_STRUCT(RunUvJobOptions, (),
                      (script_args, dependencies, python, image, env, secrets, flavor, timeout, name, labels, volumes,
                       expose, ssh, resource_group_id, namespace_, token))

struct CreateScheduledJobOptions {
    std::optional<bool> suspend{};      ///< Begins no Job until it is resumed.
    std::optional<bool> concurrency{};  ///< Begins a Job also where the one before still runs.
    JsonView env{};
    JsonView secrets{};
    std::string_view flavor{};
    JobTimeout timeout{};
    std::string_view name{};
    JsonView labels{};
    std::span<const Volume> volumes{};
    std::span<const std::int64_t> expose{};
    std::string_view resource_group_id{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CreateScheduledJobOptions>);
BOOST_DESCRIBE_STRUCT(CreateScheduledJobOptions, (),
                      (suspend, concurrency, env, secrets, flavor, timeout, name, labels, volumes, expose,
                       resource_group_id, namespace_, token))

struct CreateScheduledUvJobOptions {
    StringList script_args{};
    std::optional<bool> suspend{};
    std::optional<bool> concurrency{};
    StringList dependencies{};
    std::string_view python{};
    std::string_view image{};
    JsonView env{};
    JsonView secrets{};
    std::string_view flavor{};
    JobTimeout timeout{};
    std::string_view name{};
    JsonView labels{};
    std::span<const Volume> volumes{};
    std::span<const std::int64_t> expose{};
    std::string_view resource_group_id{};
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<CreateScheduledUvJobOptions>);
BOOST_DESCRIBE_STRUCT(CreateScheduledUvJobOptions, (),
                      (script_args, suspend, concurrency, dependencies, python, image, env, secrets, flavor, timeout,
                       name, labels, volumes, expose, resource_group_id, namespace_, token))

struct ListJobsOptions {
    StringList status{};                   ///< Only Jobs in one of these stages; upper or lower case.
    JsonView labels{};                     ///< Only Jobs with all of these labels.
    std::chrono::milliseconds timeout{0};  ///< For each page; 0: that of the object.
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListJobsOptions>);
BOOST_DESCRIBE_STRUCT(ListJobsOptions, (), (status, labels, timeout, namespace_, token))

struct ListScheduledJobsOptions {
    std::chrono::milliseconds timeout{0};  ///< For the whole call; 0: that of the object.
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<ListScheduledJobsOptions>);
BOOST_DESCRIBE_STRUCT(ListScheduledJobsOptions, (), (timeout, namespace_, token))

struct WaitForJobOptions {
    std::optional<std::chrono::milliseconds> timeout{};  ///< Nothing: as long as it takes.
    std::chrono::milliseconds poll_interval{1000};       ///< Between two questions.
    StringList stages{};                                 ///< Also these stages end the wait, such as "RUNNING".
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<WaitForJobOptions>);
BOOST_DESCRIBE_STRUCT(WaitForJobOptions, (), (timeout, poll_interval, stages, namespace_, token))

struct FetchJobLogsOptions {
    bool follow = false;                  ///< Goes on with what is still to come; else the lines that are there.
    std::optional<std::uint64_t> tail{};  ///< Only the last lines of those that are there.
    std::string_view namespace_{};
    Token token{};
};
static_assert(std::is_trivially_destructible_v<FetchJobLogsOptions>);
BOOST_DESCRIBE_STRUCT(FetchJobLogsOptions, (), (follow, tail, namespace_, token))

/// All of them throw JobNotFoundError, HfHubHttpError where the Hub refuses, and, where no namespace is given, what
/// whoami throws.
template <class Mode>
class BasicJobs : public virtual ApiHandle {
  public:
    /// Runs a command in an image: one of a registry, or a Space's ("hf.co/spaces/user/app"). Throws
    /// InvalidArgumentError where the name is given twice, also as a label.
    typename Mode::template result<JobInfo> run_job(std::string_view image, StringList command,
                                                    RunJobOptions options = {}) const;
    /// Runs a Python script from an http address, or a command of a package, with uv. Throws IoError for a local file
    /// that is not there, InvalidArgumentError for one that is: it would have to be uploaded to a bucket.
    typename Mode::template result<JobInfo> run_uv_job(std::string_view script, RunUvJobOptions options = {}) const;
    /// The Jobs, the newest first.
    BasicPages<Mode, JobInfo> list_jobs(ListJobsOptions options = {}) const;
    typename Mode::template result<JobInfo> inspect_job(std::string_view job_id, JobOptions options = {}) const;
    typename Mode::template result<void> cancel_job(std::string_view job_id, JobOptions options = {}) const;
    /// Gives the Job these labels and no others; `labels` is an object of texts.
    typename Mode::template result<JobInfo> update_job_labels(std::string_view job_id, JsonView labels,
                                                              JobOptions options = {}) const;
    /// The kinds of hardware that Jobs can run on.
    typename Mode::template result<std::vector<JobHardwareInfo>> list_jobs_hardware(
        JobHardwareOptions options = {}) const;
    /// Asks for its state until it has ended. Throws TimeoutError where that takes longer, InvalidArgumentError for a
    /// negative timeout or an interval that is not positive.
    typename Mode::template result<JobInfo> wait_for_job(std::string_view job_id, WaitForJobOptions options = {}) const;
    /// The same for several, within one timeout.
    typename Mode::template result<std::vector<JobInfo>> wait_for_jobs(StringList job_ids,
                                                                       WaitForJobOptions options = {}) const;
    /// The lines of its log. Followed, they end with the Job; without follow a break throws TransportError.
    BasicEvents<Mode, std::string> fetch_job_logs(std::string_view job_id, FetchJobLogsOptions options = {}) const;
    /// What it uses of its hardware, about once a second until it ends.
    BasicEvents<Mode, json::object> fetch_job_metrics(std::string_view job_id, JobOptions options = {}) const;

    /// Runs a Job again and again, by a line of cron or "@hourly", "@daily", "@weekly", "@monthly" or "@yearly".
    typename Mode::template result<ScheduledJobInfo> create_scheduled_job(std::string_view image, StringList command,
                                                                          std::string_view schedule,
                                                                          CreateScheduledJobOptions options = {}) const;
    /// As run_uv_job, by a schedule.
    typename Mode::template result<ScheduledJobInfo> create_scheduled_uv_job(
        std::string_view script, std::string_view schedule, CreateScheduledUvJobOptions options = {}) const;
    typename Mode::template result<std::vector<ScheduledJobInfo>> list_scheduled_jobs(
        ListScheduledJobsOptions options = {}) const;
    typename Mode::template result<ScheduledJobInfo> inspect_scheduled_job(std::string_view scheduled_job_id,
                                                                           JobOptions options = {}) const;
    typename Mode::template result<void> delete_scheduled_job(std::string_view scheduled_job_id,
                                                              JobOptions options = {}) const;
    typename Mode::template result<void> suspend_scheduled_job(std::string_view scheduled_job_id,
                                                               JobOptions options = {}) const;
    typename Mode::template result<void> resume_scheduled_job(std::string_view scheduled_job_id,
                                                              JobOptions options = {}) const;
    /// Begins a Job of it now.
    typename Mode::template result<JobInfo> trigger_scheduled_job(std::string_view scheduled_job_id,
                                                                  JobOptions options = {}) const;
    /// Gives it these labels and no others; `labels` is an object of texts.
    typename Mode::template result<ScheduledJobInfo> update_scheduled_job_labels(std::string_view scheduled_job_id,
                                                                                 JsonView labels,
                                                                                 JobOptions options = {}) const;
};

extern template class BasicPages<Blocking, JobInfo>;
extern template class BasicPages<Awaiting, JobInfo>;
extern template class BasicJobs<Blocking>;
extern template class BasicJobs<Awaiting>;

}  // namespace hfhub
