#include "hub/call.hpp"
#include "hub/job_calls.hpp"
#include "hub/job_spec.hpp"
#include "hub/mapping.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/jobs.hpp>

#include <filesystem>

namespace hfhub {

namespace hub {

namespace {

constexpr std::string_view uv_image = "ghcr.io/astral-sh/uv:python3.12-bookworm";
constexpr std::string_view data_mount = "/data";

json::value labels_of(const JsonView& labels) {
    if (!labels || !labels->is_object()) throw InvalidArgumentError("labels should be a JSON object of texts");
    return *labels;
}

template <class Options>
JobSettings settings_of(const Options& options) {
    JobSettings settings;
    settings.env = options.env;
    settings.secrets = options.secrets;
    settings.labels = options.labels;
    settings.flavor = options.flavor;
    settings.timeout = options.timeout;
    settings.name = options.name;
    settings.volumes = options.volumes;
    settings.expose = options.expose;
    if constexpr (requires { options.ssh; }) settings.ssh = options.ssh;
    settings.resource_group_id = options.resource_group_id;
    return settings;
}

bool has_name(const JobSettings& settings) {
    return !settings.name.empty() || (settings.labels && find_member(*settings.labels, "name"));
}

template <class Options>
json::object spec_of(std::string_view image, const StringList& command, const Options& options) {
    JobSettings settings = settings_of(options);
    settings.image = image;
    settings.command = texts(command);
    if (!has_name(settings)) settings.name = job_name(image, settings.command);
    return job_spec(settings);
}

template <class Options>
UvCommand uv_command(std::string_view script, const Options& options) {
    UvCommand uv;
    uv.script = script;
    uv.arguments = texts(options.script_args);
    uv.dependencies = texts(options.dependencies);
    uv.python = options.python;
    for (const Volume& volume : options.volumes) uv.takes_data_mount |= volume.mount_path == data_mount;
    return uv;
}

template <class Options>
json::object uv_spec(const UvCommand& uv, const Options& options) {
    JobSettings settings = settings_of(options);
    settings.image = options.image.empty() ? uv_image : options.image;
    settings.command = command_line(uv);
    if (!has_name(settings)) settings.name = uv_job_name(uv.script, uv.arguments);
    return job_spec(settings);
}

template <class Options>
json::value scheduled(json::object spec, std::string_view schedule, const Options& options) {
    json::object body;
    body["jobSpec"] = std::move(spec);
    body["schedule"] = schedule;
    if (options.suspend) body["suspend"] = *options.suspend;
    if (options.concurrency) body["concurrency"] = *options.concurrency;
    return body;
}

template <class Options>
JobCall create_call(std::string_view root, const Options& options, json::value body) {
    return {http::Method::post, root, std::string(options.namespace_), "", std::move(body), options.token};
}

/// Local files would have to reach the Job by way of a bucket.
void refuse_local_files(const UvCommand& uv) {
    std::vector<std::string> words = {uv.script};
    words.insert(words.end(), uv.arguments.begin(), uv.arguments.end());
    std::string missing, present;
    for (const std::string& word : words) {
        std::error_code ignored;
        const bool is_file = std::filesystem::is_regular_file(word, ignored);
        std::string& list = is_file ? present : missing;
        if (is_file || looks_like_file(word)) list += (list.empty() ? "" : ", ") + word;
    }
    if (!missing.empty()) throw IoError("there is no file " + missing + ", which the Job is to run with");
    if (present.empty()) return;
    if (uv.takes_data_mount) {
        throw InvalidArgumentError("the mount path '/data' is where the Job finds local files (" + present +
                                   "): mount the volume elsewhere");
    }
    throw InvalidArgumentError("local files (" + present +
                               ") cannot be brought to a Job: that takes an upload by the Xet protocol, which is not "
                               "supported; name the script by its http address, or mount a repository that has it");
}

template <class T>
awaitable<T> run_uv(Client client, UvCommand uv, JobCall call, awaitable<T> (*run)(Client, JobCall)) {
    auto look = [uv = std::move(uv)] { refuse_local_files(uv); };
    co_await client.workers().run(std::move(look));
    auto running = run(std::move(client), std::move(call));
    co_return co_await std::move(running);
}

}  // namespace

}  // namespace hub

template <class Mode>
auto BasicJobs<Mode>::run_job(std::string_view image, StringList command, RunJobOptions options) const ->
    typename Mode::template result<JobInfo> {
    return call<Mode>(*this, hub::ask_for_job,
                      hub::create_call(hub::jobs, options, hub::spec_of(image, command, options)));
}

template <class Mode>
auto BasicJobs<Mode>::run_uv_job(std::string_view script, RunUvJobOptions options) const ->
    typename Mode::template result<JobInfo> {
    const hub::UvCommand uv = hub::uv_command(script, options);
    return call<Mode>(*this, hub::run_uv<JobInfo>, uv, hub::create_call(hub::jobs, options, hub::uv_spec(uv, options)),
                      hub::ask_for_job);
}

template <class Mode>
BasicPages<Mode, JobInfo> BasicJobs<Mode>::list_jobs(ListJobsOptions options) const {
    return pages<Mode>(*this, hub::job_pages(client(), options));
}

template <class Mode>
auto BasicJobs<Mode>::inspect_job(std::string_view job_id, JobOptions options) const ->
    typename Mode::template result<JobInfo> {
    return call<Mode>(*this, hub::ask_for_job, hub::job_call(http::Method::get, hub::jobs, job_id, "", options));
}

template <class Mode>
auto BasicJobs<Mode>::cancel_job(std::string_view job_id, JobOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell, hub::job_call(http::Method::post, hub::jobs, job_id, "/cancel", options));
}

template <class Mode>
auto BasicJobs<Mode>::update_job_labels(std::string_view job_id, JsonView labels, JobOptions options) const ->
    typename Mode::template result<JobInfo> {
    return call<Mode>(*this, hub::ask_for_job,
                      hub::job_call(http::Method::put, hub::jobs, job_id, "/labels", options,
                                    json::object{{"labels", hub::labels_of(labels)}}));
}

template <class Mode>
auto BasicJobs<Mode>::list_jobs_hardware(JobHardwareOptions options) const ->
    typename Mode::template result<std::vector<JobHardwareInfo>> {
    return call<Mode>(*this, hub::list_jobs_hardware, options);
}

template <class Mode>
auto BasicJobs<Mode>::wait_for_job(std::string_view job_id, WaitForJobOptions options) const ->
    typename Mode::template result<JobInfo> {
    const hub::JobWait wait(options);
    return call<Mode>(*this, hub::wait_for_job, job_id,
                      hub::job_call(http::Method::get, hub::jobs, job_id, "", {options.namespace_, options.token}),
                      wait);
}

template <class Mode>
auto BasicJobs<Mode>::wait_for_jobs(StringList job_ids, WaitForJobOptions options) const ->
    typename Mode::template result<std::vector<JobInfo>> {
    const hub::JobWait wait(options);
    const std::vector<std::string> ids = texts(job_ids);
    return call<Mode>(*this, hub::wait_for_jobs, ids, options.namespace_, options.token, wait);
}

template <class Mode>
BasicEvents<Mode, std::string> BasicJobs<Mode>::fetch_job_logs(std::string_view job_id,
                                                               FetchJobLogsOptions options) const {
    return pages<Mode>(*this, std::make_unique<hub::EventPages<std::string>>(client(), hub::log_events(job_id, options),
                                                                             hub::job_log_line));
}

template <class Mode>
BasicEvents<Mode, json::object> BasicJobs<Mode>::fetch_job_metrics(std::string_view job_id, JobOptions options) const {
    return pages<Mode>(*this, std::make_unique<hub::EventPages<json::object>>(
                                  client(), hub::metric_events(job_id, options), hub::metric));
}

template <class Mode>
auto BasicJobs<Mode>::create_scheduled_job(std::string_view image, StringList command, std::string_view schedule,
                                           CreateScheduledJobOptions options) const ->
    typename Mode::template result<ScheduledJobInfo> {
    return call<Mode>(*this, hub::ask_for<ScheduledJobInfo>,
                      hub::create_call(hub::scheduled_jobs, options,
                                       hub::scheduled(hub::spec_of(image, command, options), schedule, options)));
}

template <class Mode>
auto BasicJobs<Mode>::create_scheduled_uv_job(std::string_view script, std::string_view schedule,
                                              CreateScheduledUvJobOptions options) const ->
    typename Mode::template result<ScheduledJobInfo> {
    const hub::UvCommand uv = hub::uv_command(script, options);
    return call<Mode>(
        *this, hub::run_uv<ScheduledJobInfo>, uv,
        hub::create_call(hub::scheduled_jobs, options, hub::scheduled(hub::uv_spec(uv, options), schedule, options)),
        hub::ask_for<ScheduledJobInfo>);
}

template <class Mode>
auto BasicJobs<Mode>::list_scheduled_jobs(ListScheduledJobsOptions options) const ->
    typename Mode::template result<std::vector<ScheduledJobInfo>> {
    const hub::JobCall asked{http::Method::get, hub::scheduled_jobs, std::string(options.namespace_), "",
                             nullptr,           options.token};
    return call<Mode>(*this, hub::list_scheduled_jobs, asked, options.timeout);
}

template <class Mode>
auto BasicJobs<Mode>::inspect_scheduled_job(std::string_view scheduled_job_id, JobOptions options) const ->
    typename Mode::template result<ScheduledJobInfo> {
    return call<Mode>(*this, hub::ask_for<ScheduledJobInfo>,
                      hub::job_call(http::Method::get, hub::scheduled_jobs, scheduled_job_id, "", options));
}

template <class Mode>
auto BasicJobs<Mode>::delete_scheduled_job(std::string_view scheduled_job_id, JobOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::job_call(http::Method::delete_, hub::scheduled_jobs, scheduled_job_id, "", options));
}

template <class Mode>
auto BasicJobs<Mode>::suspend_scheduled_job(std::string_view scheduled_job_id, JobOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::job_call(http::Method::post, hub::scheduled_jobs, scheduled_job_id, "/suspend", options));
}

template <class Mode>
auto BasicJobs<Mode>::resume_scheduled_job(std::string_view scheduled_job_id, JobOptions options) const ->
    typename Mode::template result<void> {
    return call<Mode>(*this, hub::tell,
                      hub::job_call(http::Method::post, hub::scheduled_jobs, scheduled_job_id, "/resume", options));
}

template <class Mode>
auto BasicJobs<Mode>::trigger_scheduled_job(std::string_view scheduled_job_id, JobOptions options) const ->
    typename Mode::template result<JobInfo> {
    return call<Mode>(*this, hub::ask_for_job,
                      hub::job_call(http::Method::post, hub::scheduled_jobs, scheduled_job_id, "/run", options));
}

template <class Mode>
auto BasicJobs<Mode>::update_scheduled_job_labels(std::string_view scheduled_job_id, JsonView labels,
                                                  JobOptions options) const ->
    typename Mode::template result<ScheduledJobInfo> {
    return call<Mode>(*this, hub::ask_for<ScheduledJobInfo>,
                      hub::job_call(http::Method::put, hub::scheduled_jobs, scheduled_job_id, "/labels", options,
                                    json::object{{"labels", hub::labels_of(labels)}}));
}

HFHUB_INSTANTIATE_PAGES(JobInfo);
template class BasicJobs<Blocking>;
template class BasicJobs<Awaiting>;

}  // namespace hfhub
