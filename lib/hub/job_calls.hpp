#pragma once

// What is asked about Jobs: one of them, all of them, until one has ended, and what it says.

#include "core/owned.hpp"
#include "core/texts.hpp"
#include "hub/client.hpp"
#include "hub/events.hpp"
#include "hub/mapping.hpp"
#include "hub/pages.hpp"
#include "hub/polling.hpp"

#include <hfhub/hub/jobs.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::hub {

inline constexpr std::string_view jobs = "/api/jobs/", scheduled_jobs = "/api/scheduled-jobs/";

/// What is asked of one namespace's Jobs.
struct JobCall {
    http::Method method = http::Method::get;
    std::string_view root;   ///< jobs or scheduled_jobs.
    std::string namespace_;  ///< Empty: the token's owner's.
    std::string rest;        ///< Of the path, percent-encoded: "", or "/ID/cancel".
    json::value body;        ///< Null where there is none.
    OwnedToken token;
};

/// Of one Job. Throws InvalidArgumentError where its id is empty.
JobCall job_call(http::Method method, std::string_view root, std::string_view id, std::string_view what,
                 const JobOptions& options, json::value body = nullptr);

awaitable<std::string> answer_of(Client client, JobCall call);
awaitable<void> tell(Client client, JobCall call);
awaitable<JobInfo> ask_for_job(Client client, JobCall call);

template <class T>
awaitable<T> ask_for(Client client, JobCall call) {
    auto asking = answer_of(std::move(client), std::move(call));
    const std::string text = co_await std::move(asking);
    co_return from_json<T>(parse_json(text, "the answer about scheduled Jobs"), "scheduled Jobs");
}

awaitable<std::vector<ScheduledJobInfo>> list_scheduled_jobs(Client client, JobCall call,
                                                             std::chrono::milliseconds timeout);
awaitable<std::vector<JobHardwareInfo>> list_jobs_hardware(Client client, Owned<JobHardwareOptions> options);

/// When a wait for a Job ends.
struct JobWait {
    explicit JobWait(const WaitForJobOptions& options);
    bool ends_at(std::string_view stage) const;

    Polling polling;
    std::vector<std::string> stages;  ///< That end it, besides the last ones.
};
awaitable<JobInfo> wait_for_job(Client client, std::string id, JobCall call, JobWait wait);
awaitable<std::vector<JobInfo>> wait_for_jobs(Client client, std::vector<std::string> ids, std::string owner,
                                              OwnedToken token, JobWait wait);

std::unique_ptr<PageSource<JobInfo>> job_pages(const Client& client, const ListJobsOptions& options);

EventRequest log_events(std::string_view id, const FetchJobLogsOptions& options);
EventRequest metric_events(std::string_view id, const JobOptions& options);
std::optional<std::string> job_log_line(json::object& event);
std::optional<json::object> metric(json::object& event);

}  // namespace hfhub::hub
