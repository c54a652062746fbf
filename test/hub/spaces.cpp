#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

Answer runtime(const std::string& stage) {
    return {.body = R"({"stage": ")" + stage + R"(", "hardware": {"current": "cpu-basic", "requested": "t4-small"},)" +
                    R"( "gcTimeout": 300})"};
}

/// Says the stages one after the other; the last one stays.
MockHub::Handler stages(std::vector<std::string> names) {
    auto at = std::make_shared<std::size_t>(0);
    return [names = std::move(names), at](const Seen&) { return runtime(names[std::min((*at)++, names.size() - 1)]); };
}

}  // namespace

TEST_CASE("the state of a Space tells what it runs on and what it was asked to run on") {
    MockHub hub(stages({"RUNNING"}));
    const SpaceRuntime state = HfApi(hub.session()).get_space_runtime("user/app");
    CHECK(state.stage == "RUNNING");
    CHECK(state.hardware == "cpu-basic");
    CHECK(state.requested_hardware == "t4-small");
    CHECK(state.sleep_time == 300);
    CHECK(hub.seen().at(0).target == "/api/spaces/user/app/runtime");
}

TEST_CASE("changes of a Space send what the Hub reads") {
    MockHub hub(stages({"RUNNING"}));
    const HfApi api(hub.session());
    api.request_space_hardware("user/app", "t4-small", {.sleep_time = 60});
    api.set_space_sleep_time("user/app", -1);
    api.pause_space("user/app");
    api.restart_space("user/app", {.factory_reboot = true});
    api.enable_space_dev_mode("user/app");
    api.disable_space_dev_mode("user/app");
    api.request_space_storage("user/app", "small");
    api.delete_space_storage("user/app");
    const std::vector<Volume> volumes = {
        {.type = "dataset", .source = "user/data", .mount_path = "/data", .read_only = true}};
    api.set_space_volumes("user/app", volumes);
    api.delete_space_volumes("user/app");
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"POST /hardware", R"({"flavor":"t4-small","sleepTimeSeconds":60})"},
        {"POST /sleeptime", R"({"seconds":-1})"},
        {"POST /pause", ""},
        {"POST /restart?factory=true", ""},
        {"POST /dev-mode", R"({"enabled":true})"},
        {"POST /dev-mode", R"({"enabled":false})"},
        {"POST /storage", R"({"tier":"small"})"},
        {"DELETE /storage", ""},
        {"PUT /volumes",
         R"({"volumes":[{"type":"dataset","source":"user/data","mountPath":"/data","readOnly":true}]})"},
        {"DELETE /volumes", ""}};
    REQUIRE(hub.seen().size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const Seen& seen = hub.seen()[i];
        CHECK(seen.method + " " + seen.target.substr(std::string("/api/spaces/user/app").size()) == expected[i].first);
        CHECK(seen.body == expected[i].second);
    }
}

TEST_CASE("secrets and variables know the names that they stand under") {
    MockHub hub([](const Seen& seen) {
        if (seen.method == "POST" && seen.target.ends_with("/secrets")) return Answer{.body = ""};
        return Answer{
            .body = R"({"KEY": {"value": "1", "updatedAt": "2026-01-02T03:04:05Z", "new": 2}, "B": {"value": ""}})"};
    });
    const HfApi api(hub.session());
    const SpaceVariables variables = api.add_space_variable("u/s", "KEY", "1", {.description = "d"});
    CHECK(variables.at("KEY").key == "KEY");
    CHECK(variables.at("KEY").value == "1");
    CHECK(variables.at("KEY").updated_at);
    CHECK(variables.at("KEY").raw.at("new") == 2);
    CHECK(variables.at("B").key == "B");
    CHECK(api.get_space_secrets("u/s").at("KEY").key == "KEY");
    api.add_space_secret("u/s", "S", "hidden");
    api.delete_space_secret("u/s", "S");
    CHECK(hub.seen().at(0).body == R"({"key":"KEY","value":"1","description":"d"})");
    CHECK(hub.seen().at(2).body == R"({"key":"S","value":"hidden"})");
    CHECK(hub.seen().at(3).method == "DELETE");
    CHECK(hub.seen().at(3).body == R"({"key":"S"})");
}

TEST_CASE("hardware has prices, also in the server's own spelling") {
    MockHub hub([](const Seen&) {
        return Answer{.body =
                          R"([{"name": "t4-small", "prettyName": "T4", "unitCostMicroUSD": 6667, "unitCostUSD": 0.5,)"
                          R"( "accelerator": {"type": "gpu", "vram": "16 GB"}}])"};
    });
    const JobHardwareInfo info = HfApi(hub.session()).list_spaces_hardware().at(0);
    CHECK(info.pretty_name == "T4");
    CHECK(info.unit_cost_micro_usd == 6667);
    CHECK(info.unit_cost_usd == 0.5);
    CHECK(info.ephemeral_storage == "N/A");
    CHECK(info.accelerator->vram == "16 GB");
}

TEST_CASE("wait_for_space asks until the Space is neither built nor started") {
    MockHub hub(stages({"BUILDING", "APP_STARTING", "RUNNING_BUILDING", "RUNNING_APP_STARTING", "BUILD_ERROR"}));
    CHECK(HfApi(hub.session()).wait_for_space("u/s", {.poll_interval = 1ms}).stage == "BUILD_ERROR");
    CHECK(hub.seen().size() == 5);
}

TEST_CASE("wait_for_space ends with its timeout, and says in which stage the Space is") {
    MockHub hub(stages({"BUILDING"}));
    const HfApi api(hub.session());
    try {
        api.wait_for_space("u/s", {.timeout = 15ms, .poll_interval = 1h});
        FAIL("no error");
    } catch (const TimeoutError& error) {
        CHECK(std::string(error.what()).find("'u/s' is still in stage BUILDING") != std::string::npos);
        CHECK(error.limit == 15ms);
    }
    CHECK(hub.seen().size() == 2);  // at the end of the time the Space is asked once more
    CHECK_THROWS_AS(api.wait_for_space("u/s", {.timeout = -1ms}), InvalidArgumentError);
    CHECK_THROWS_AS(api.wait_for_space("u/s", {.poll_interval = 0ms}), InvalidArgumentError);
    CHECK(hub.seen().size() == 2);
}

TEST_CASE("a wait ends with the limit of the object, and when it is asked to stop") {
    MockHub hub(stages({"BUILDING"}));
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.with_timeout(20ms).wait_for_space("u/s", {.poll_interval = 1h}), TimeoutError);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_THROWS_AS(api.with_stop(stop.get_token()).wait_for_space("u/s", {.poll_interval = 1h}), CancelledError);
}

TEST_CASE("a malformed name is refused before anything is sent") {
    MockHub hub(stages({"RUNNING"}));
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.get_space_runtime("a/b/c"), HfValidationError);
    CHECK_THROWS_AS(api.fetch_space_logs("a/b/c"), HfValidationError);
    CHECK_THROWS_AS(api.add_space_secret("-a/b", "k", "v"), HfValidationError);
    CHECK(hub.seen().empty());
}
