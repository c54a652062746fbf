#include "../core/temporary_folder.hpp"
#include "core/atomic_file.hpp"
#include "scripted_stream.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using test::Answer;
using test::log_event;
using test::MockHub;
using test::Seen;
using test::stream_answer;
using test::StreamEnd;

namespace {

Answer job(const std::string& stage) {
    return {.body = R"({"id": "j1", "owner": {"id": "1", "name": "ann", "type": "user"}, "new": 7,)"
                    R"( "secrets": ["S"], "status": {"stage": ")" +
                    stage + R"("}})"};
}

Answer whoami() { return {.body = R"({"name": "ann", "type": "user"})"}; }

/// Answers with these one after the other, the last one stays; a question for the owner comes in between.
MockHub::Handler in_turn(std::vector<Answer> answers) {
    auto at = std::make_shared<std::size_t>(0);
    return [answers = std::move(answers), at](const Seen& seen) {
        if (seen.target == "/api/whoami-v2") return whoami();
        return answers[std::min((*at)++, answers.size() - 1)];
    };
}

std::string targets(const MockHub& hub) {
    std::string out;
    for (const Seen& seen : hub.seen()) out += seen.method + " " + seen.target + "\n";
    return out;
}

HfApi api_of(const MockHub& hub) { return HfApi(hub.session(), {.token = "hf_x"}); }

}  // namespace

TEST_CASE("run_job sends a specification and tells where the Job is") {
    MockHub hub(in_turn({job("SCHEDULING")}));
    const json::value env = {{"FOO", "bar"}};
    const JobInfo info = api_of(hub).run_job("python:3.12", {"python", "-V"}, {.env = env, .timeout = 5min});
    CHECK(info.status.stage == "SCHEDULING");
    CHECK(info.owner.name == "ann");
    CHECK(info.endpoint == "http://hub.test");
    CHECK(info.url == "http://hub.test/jobs/ann/j1");
    CHECK(info.secrets == json::array{"S"});
    CHECK(info.raw.at("new") == 7);
    CHECK(targets(hub) == "GET /api/whoami-v2\nPOST /api/jobs/ann\n");
    const json::value body = json::parse(hub.seen().at(1).body);
    CHECK(body.at("command") == json::array{"python", "-V"});
    CHECK(body.at("environment") == json::object{{"FOO", "bar"}});
    CHECK(body.at("timeoutSeconds") == 300);
}

TEST_CASE("a namespace that is given is not asked for") {
    MockHub hub(in_turn({job("RUNNING")}));
    const HfApi api = api_of(hub);
    api.inspect_job("j1", {.namespace_ = "org"});
    api.cancel_job("j 1/", {.namespace_ = "org"});
    const json::value labels = {{"a", "b"}};
    api.update_job_labels("j1", labels, {.namespace_ = "org"});
    CHECK(targets(hub) == "GET /api/jobs/org/j1\nPOST /api/jobs/org/j%201%2F/cancel\nPUT /api/jobs/org/j1/labels\n");
    CHECK(hub.seen().at(2).body == R"({"labels":{"a":"b"}})");
    CHECK_THROWS_AS(api.inspect_job(""), InvalidArgumentError);
    CHECK_THROWS_AS(api.update_job_labels("j1", {}), InvalidArgumentError);
}

TEST_CASE("a listing of Jobs asks for the owner once, then page by page") {
    MockHub hub([](const Seen& seen) {
        if (seen.target == "/api/whoami-v2") return whoami();
        Answer answer{.body = "[" + job("RUNNING").body + "]"};
        if (seen.target.find("cursor") == std::string::npos)
            answer.headers = {{"link", "</api/jobs/ann?cursor=2>; rel=\"next\""}};
        return answer;
    });
    const json::value labels = {{"env", "prod"}};
    Pages<JobInfo> found = api_of(hub).list_jobs({.status = {"running", "ERROR"}, .labels = labels});
    CHECK(hub.seen().empty());
    std::size_t count = 0;
    for (const JobInfo& one : found) count += one.url == "http://hub.test/jobs/ann/j1";
    CHECK(count == 2);
    CHECK(targets(hub) ==
          "GET /api/whoami-v2\nGET /api/jobs/ann?stage=RUNNING&stage=ERROR&label=env%3Dprod\n"
          "GET /api/jobs/ann?cursor=2\n");
}

TEST_CASE("a listing's own limit is for each page") {
    MockHub hub([](const Seen&) { return Answer{.never = true}; });
    CHECK_THROWS_AS(api_of(hub).list_jobs({.timeout = 20ms, .namespace_ = "org"}).next(), TimeoutError);
    CHECK_THROWS_AS(api_of(hub).list_scheduled_jobs({.timeout = 20ms, .namespace_ = "org"}), TimeoutError);
}

TEST_CASE("wait_for_job asks until the Job has ended or is in a stage that was asked for") {
    MockHub hub(in_turn({job("SCHEDULING"), job("RUNNING"), job("ERROR")}));
    const HfApi api = api_of(hub);
    CHECK(api.wait_for_job("j1", {.poll_interval = 1ms, .stages = "RUNNING"}).status.stage == "RUNNING");
    CHECK(api.wait_for_job("j1", {.poll_interval = 1ms, .stages = "RUNNING"}).status.stage == "ERROR");
    CHECK(api.wait_for_jobs({"j1", "j2"}).size() == 2);
    CHECK(targets(hub).ends_with("GET /api/whoami-v2\nGET /api/jobs/ann/j1\nGET /api/jobs/ann/j2\n"));
}

TEST_CASE("wait_for_job ends with its timeout and when it is asked to stop") {
    MockHub hub(in_turn({job("RUNNING")}));
    const HfApi api = api_of(hub);
    try {
        api.wait_for_job("j1", {.timeout = 0ms});
        FAIL("no error");
    } catch (const TimeoutError& error) {
        CHECK(std::string(error.what()).find("'j1' is still in stage RUNNING") != std::string::npos);
    }
    CHECK_THROWS_AS(api.with_timeout(20ms).wait_for_job("j1", {.poll_interval = 1h}), TimeoutError);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_THROWS_AS(api.with_stop(stop.get_token()).wait_for_job("j1", {.poll_interval = 1h}), CancelledError);
    CHECK_THROWS_AS(api.wait_for_job("j1", {.poll_interval = 0ms}), InvalidArgumentError);
}

TEST_CASE("a followed log goes on behind a break while the Job runs, and ends with it") {
    MockHub hub(
        in_turn({stream_answer(log_event("===== Job started") + log_event("one"), StreamEnd::broken), job("RUNNING"),
                 stream_answer(log_event("===== Job started") + log_event("one") + log_event("two"), StreamEnd::broken),
                 job("COMPLETED")}));
    std::string lines;
    for (const std::string& line : api_of(hub).fetch_job_logs("j1", {.follow = true})) lines += line + "|";
    CHECK(lines == "one|two|");
    CHECK(hub.seen().size() == 5);
}

TEST_CASE("a log that began with its tail goes on behind the last line that was given") {
    MockHub hub(
        in_turn({stream_answer(log_event("c", R"(, "timestamp": "3")") + log_event("c", R"(, "timestamp": "4")"),
                               StreamEnd::broken),
                 job("RUNNING"),
                 stream_answer(log_event("a", R"(, "timestamp": "1")") + log_event("b", R"(, "timestamp": "2")") +
                               log_event("c", R"(, "timestamp": "3")") + log_event("c", R"(, "timestamp": "4")") +
                               log_event("d", R"(, "timestamp": "5")"))}));
    std::string lines;
    for (const std::string& line : api_of(hub).fetch_job_logs("j1", {.follow = true, .tail = 2})) lines += line;
    CHECK(lines == "ccd");
    CHECK(targets(hub) ==
          "GET /api/whoami-v2\nGET /api/jobs/ann/j1/logs?tail=2\nGET /api/jobs/ann/j1\nGET /api/jobs/ann/j1/logs\n");
}

TEST_CASE("metrics are waited for until there are some, and end with the Job") {
    MockHub hub(
        in_turn({Answer{.status = 500}, job("SCHEDULING"),
                 stream_answer("event: metric\ndata: {\"cpu_usage_pct\": 5}\n\n", StreamEnd::silent), job("RUNNING"),
                 stream_answer("data: {\"cpu_usage_pct\": 6}\n\n", StreamEnd::broken), job("DELETED")}));
    std::vector<std::int64_t> usage;
    for (const json::object& metric : api_of(hub).fetch_job_metrics("j1")) {
        usage.push_back(metric.at("cpu_usage_pct").as_int64());
    }
    CHECK(usage == std::vector<std::int64_t>{5, 6});
}

TEST_CASE("coroutines follow a log on their own executor") {
    MockHub hub(in_turn({stream_answer(log_event("one"), StreamEnd::broken), job("RUNNING"),
                         stream_answer(log_event("one") + log_event("two"))}));
    const AsyncHfApi api(hub.session(), {.token = "hf_x"});
    asio::io_context io;
    auto walk = [](AsyncHfApi caller) -> awaitable<std::string> {
        AsyncEvents<std::string> lines = caller.fetch_job_logs("j1", {.follow = true});
        std::string out;
        for (;;) {
            std::optional<std::string> line = co_await lines.next();
            if (!line) break;
            out += *line + "|";
        }
        co_return out;
    };
    auto result = asio::co_spawn(io, walk(api), asio::use_future);
    io.run();
    CHECK(result.get() == "one|two|");
}

TEST_CASE("a script that is a local file is refused before anything is sent, and one that is missing too") {
    MockHub hub(in_turn({job("RUNNING")}));
    const HfApi api = api_of(hub);
    const TemporaryFolder folder;
    const std::string script = (folder / "train.py").string();
    write_file_atomically(script, "print(1)\n");
    try {
        api.run_uv_job(script);
        FAIL("no error");
    } catch (const InvalidArgumentError& error) {
        CHECK(std::string(error.what()).find("Xet") != std::string::npos);
    }
    const std::vector<Volume> volumes = {{.type = "bucket", .source = "u/b", .mount_path = "/data"}};
    try {
        api.run_uv_job(script, {.volumes = volumes});
        FAIL("no error");
    } catch (const InvalidArgumentError& error) {
        CHECK(std::string(error.what()).find("'/data'") != std::string::npos);
    }
    CHECK_THROWS_AS(api.run_uv_job("no/such/file.py"), IoError);
    CHECK_THROWS_AS(api.create_scheduled_uv_job("ruff", "@daily", {.script_args = "no.toml"}), IoError);
    CHECK(hub.seen().empty());
    api.run_uv_job("ruff", {.script_args = {"check", "--fix"}});
    CHECK(json::parse(hub.seen().at(1).body).at("command") == json::array{"uv", "run", "ruff", "check", "--fix"});
}

TEST_CASE("scheduled Jobs are made, asked for, changed and ended") {
    const std::string scheduled =
        R"({"id": "s1", "schedule": "@daily", "suspend": true, "jobSpec": {"dockerImage": "i", "timeout": 9},)"
        R"( "status": {"lastJob": {"id": "j1", "at": "2026-01-02T03:04:05Z"}}, "owner": {"id": "1", "name": "ann", "type": "user"}})";
    MockHub hub([&](const Seen& seen) {
        if (seen.target.ends_with("/run")) return job("SCHEDULING");
        const bool list = seen.method == "GET" && seen.target == "/api/scheduled-jobs/org";
        return Answer{.body = list ? "[" + scheduled + "]" : scheduled};
    });
    const HfApi api = api_of(hub);
    const JobOptions org{.namespace_ = "org"};
    const ScheduledJobInfo made =
        api.create_scheduled_job("i", "run", "@daily", {.suspend = true, .namespace_ = "org"});
    CHECK(made.job_spec.docker_image == "i");
    CHECK(made.job_spec.timeout == 9);
    CHECK(made.status.last_job->id == "j1");
    CHECK(json::parse(hub.seen().at(0).body).at("suspend") == true);
    CHECK_FALSE(json::parse(hub.seen().at(0).body).as_object().contains("concurrency"));
    CHECK(api.list_scheduled_jobs({.namespace_ = "org"}).at(0).id == "s1");
    CHECK(api.inspect_scheduled_job("s1", org).suspend == true);
    api.suspend_scheduled_job("s1", org);
    api.resume_scheduled_job("s1", org);
    CHECK(api.trigger_scheduled_job("s1", org).id == "j1");
    const json::value labels = {{"a", "b"}};
    api.update_scheduled_job_labels("s1", labels, org);
    api.delete_scheduled_job("s1", org);
    CHECK(targets(hub) ==
          "POST /api/scheduled-jobs/org\nGET /api/scheduled-jobs/org\nGET /api/scheduled-jobs/org/s1\n"
          "POST /api/scheduled-jobs/org/s1/suspend\nPOST /api/scheduled-jobs/org/s1/resume\n"
          "POST /api/scheduled-jobs/org/s1/run\nPUT /api/scheduled-jobs/org/s1/labels\n"
          "DELETE /api/scheduled-jobs/org/s1\n");
}
