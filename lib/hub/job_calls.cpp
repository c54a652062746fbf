#include "hub/job_calls.hpp"

#include "hub/users.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>

namespace hfhub::hub {

namespace {

constexpr std::array<std::string_view, 4> last_stages = {"COMPLETED", "CANCELED", "ERROR", "DELETED"};
// A log is silent for 30 s at most, then a sign of life comes; metrics come each second.
constexpr http::Milliseconds silence_when_read{5'000}, silence_when_followed{120'000}, silence_of_metrics{10'000};

}  // namespace

JobCall job_call(http::Method method, std::string_view root, std::string_view id, std::string_view what,
                 const JobOptions& options, json::value body) {
    if (id.empty()) throw InvalidArgumentError("the id of a Job is empty");
    std::string rest = "/" + percent_encode(id);
    rest += what;
    return {method, root, std::string(options.namespace_), std::move(rest), std::move(body), options.token};
}

awaitable<std::string> answer_of(Client client, JobCall call) {
    auto naming = namespace_or_own(client, call.namespace_, call.token);
    const std::string owner = co_await std::move(naming);
    http::Request request =
        client.request(call.method, std::string(call.root) + percent_encode(owner) + call.rest, call.token);
    if (!call.body.is_null()) set_json(request, call.body);
    co_return co_await client.text(std::move(request));
}

awaitable<void> tell(Client client, JobCall call) {
    auto asking = answer_of(std::move(client), std::move(call));
    const std::string ignored = co_await std::move(asking);
}

/// A Job, with what the server does not say: the Hub, and the Job's page there.
static JobInfo job_of(const Client& client, json::value value) {
    if (!value.is_object()) throw JsonError("a Job should be an object");
    json::object& object = value.get_object();
    const json::value* owner = object.if_contains("owner");
    const std::string_view name = owner ? text_member(*owner, "name") : std::string_view();
    const std::string url =
        client.endpoint() + "/jobs/" + std::string(name) + "/" + std::string(text_member(value, "id"));
    object["endpoint"] = client.endpoint();
    object["url"] = url;
    return from_json<JobInfo>(value, "the Job");
}

awaitable<JobInfo> ask_for_job(Client client, JobCall call) {
    auto asking = answer_of(client, std::move(call));
    const std::string text = co_await std::move(asking);
    co_return job_of(client, parse_json(text, "the answer about a Job"));
}

awaitable<std::vector<ScheduledJobInfo>> list_scheduled_jobs(Client client, JobCall call,
                                                             std::chrono::milliseconds timeout) {
    auto asking = ask_for<std::vector<ScheduledJobInfo>>(client.within(timeout), std::move(call));
    co_return co_await std::move(asking);
}

awaitable<std::vector<JobHardwareInfo>> list_jobs_hardware(Client client, Owned<JobHardwareOptions> options) {
    http::Request request = client.request(http::Method::get, "/api/jobs/hardware", options->token);
    const json::value answer = co_await client.json(std::move(request));
    co_return from_json<std::vector<JobHardwareInfo>>(answer, "hardware");
}

// --- waiting ---

static bool is_last(std::string_view stage) {
    return std::find(last_stages.begin(), last_stages.end(), stage) != last_stages.end();
}

JobWait::JobWait(const WaitForJobOptions& options)
    : polling(options.timeout, options.poll_interval), stages(texts(options.stages)) {}

bool JobWait::ends_at(std::string_view stage) const {
    return is_last(stage) || std::find(stages.begin(), stages.end(), stage) != stages.end();
}

awaitable<JobInfo> wait_for_job(Client client, std::string id, JobCall call, JobWait wait) {
    auto naming = namespace_or_own(client, call.namespace_, call.token);
    call.namespace_ = co_await std::move(naming);
    for (;;) {
        auto asking = ask_for_job(client, call);
        JobInfo job = co_await std::move(asking);
        if (wait.ends_at(job.status.stage)) co_return job;
        auto pause = wait.polling.pause(client, "the Job '" + id + "' is still in stage " + job.status.stage);
        co_await std::move(pause);
    }
}

awaitable<std::vector<JobInfo>> wait_for_jobs(Client client, std::vector<std::string> ids, std::string owner,
                                              OwnedToken token, JobWait wait) {
    std::vector<JobInfo> jobs_then;
    for (const std::string& id : ids) {
        if (owner.empty()) {
            auto naming = namespace_or_own(client, owner, token);
            owner = co_await std::move(naming);
        }
        JobOptions options;
        options.namespace_ = owner;
        options.token = token;
        JobCall call = job_call(http::Method::get, jobs, id, "", options);
        auto waiting = wait_for_job(client, id, std::move(call), wait);
        jobs_then.push_back(co_await std::move(waiting));
    }
    co_return jobs_then;
}

// --- listing ---

namespace {

/// Its path is known only when the namespace is.
class JobPages final : public PageSource<JobInfo> {
  public:
    JobPages(const Client& client, std::string owner, Listing listing)
        : client_(client.begin_call()), owner_(std::move(owner)), listing_(std::move(listing)) {}

    awaitable<std::optional<std::vector<JobInfo>>> next_page() override {
        if (!pages_) {
            auto naming = namespace_or_own(client_.restarted().within(listing_.timeout), owner_, listing_.token);
            const std::string owner = co_await std::move(naming);
            listing_.path = std::string(jobs) + percent_encode(owner);
            pages_ = std::make_unique<LinkedPages<json::object>>(client_, listing_);
        }
        std::optional<std::vector<json::object>> page = co_await pages_->next_page();
        if (!page) co_return std::nullopt;
        std::vector<JobInfo> found;
        for (json::object& object : *page) found.push_back(job_of(client_, std::move(object)));
        co_return std::optional<std::vector<JobInfo>>(std::move(found));
    }

  private:
    Client client_;
    std::string owner_;
    Listing listing_;
    std::unique_ptr<LinkedPages<json::object>> pages_;
};

Listing job_listing(const ListJobsOptions& options) {
    Listing listing;
    listing.token = options.token;
    listing.timeout = options.timeout;
    for (const std::string_view status : options.status) {
        std::string stage(status);
        std::transform(stage.begin(), stage.end(), stage.begin(),
                       [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
        listing.query.add("stage", stage);
    }
    if (!options.labels) return listing;
    for (const auto& [key, value] : from_json<JobLabels>(*options.labels, "labels")) {
        listing.query.add("label", key + "=" + value);
    }
    return listing;
}

}  // namespace

std::unique_ptr<PageSource<JobInfo>> job_pages(const Client& client, const ListJobsOptions& options) {
    return std::make_unique<JobPages>(client, std::string(options.namespace_), job_listing(options));
}

// --- streams ---

namespace {

awaitable<bool> has_ended(Client client, JobCall call) {
    auto asking = ask_for_job(std::move(client), std::move(call));
    const JobInfo job = co_await std::move(asking);
    co_return is_last(job.status.stage);
}

awaitable<void> complete(Client client, EventRequest& request, JobCall call, std::string_view what) {
    auto naming = namespace_or_own(std::move(client), call.namespace_, call.token);
    call.namespace_ = co_await std::move(naming);
    request.path = std::string(jobs) + percent_encode(call.namespace_) + call.rest;
    request.path += what;
    request.is_over = [call](Client asker) { return has_ended(std::move(asker), call); };
}

EventRequest job_events(std::string_view id, std::string_view what, const JobOptions& options) {
    EventRequest request;
    request.token = options.token;
    request.complete = [call = job_call(http::Method::get, jobs, id, "", options), what](Client client,
                                                                                         EventRequest& itself) {
        return complete(std::move(client), itself, call, what);
    };
    return request;
}

}  // namespace

EventRequest log_events(std::string_view id, const FetchJobLogsOptions& options) {
    EventRequest request = job_events(id, "/logs", {options.namespace_, options.token});
    request.silence = options.follow ? silence_when_followed : silence_when_read;
    request.follow = options.follow;
    request.tail = options.tail;
    return request;
}

EventRequest metric_events(std::string_view id, const JobOptions& options) {
    EventRequest request = job_events(id, "/metrics", options);
    request.silence = silence_of_metrics;
    request.follow = true;
    request.replays = false;
    request.not_yet = 500;  // of a Job that has no metrics yet
    return request;
}

/// The first line is the Hub's, not the program's.
std::optional<std::string> job_log_line(json::object& event) {
    std::optional<std::string> line = log_line(event);
    if (line && line->starts_with("===== Job started")) return std::nullopt;
    return line;
}

std::optional<json::object> metric(json::object& event) { return std::move(event); }

}  // namespace hfhub::hub
