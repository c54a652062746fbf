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

constexpr const char* own_url = "https://x.endpoints.huggingface.cloud";

std::string endpoint(const std::string& state, const std::string& url = "") {
    return R"({"name": "e", "healthRoute": "/health", "model": {"repository": "r"}, "status": {"state": ")" + state +
           R"(", "url": )" + (url.empty() ? "null" : "\"" + url + "\"") + "}}";
}

std::string targets(const MockHub& hub) {
    std::string out;
    for (const Seen& seen : hub.seen()) out += seen.method + " " + seen.target + "\n";
    return out;
}

HfApi api_of(const MockHub& hub) { return HfApi(hub.session(), {.token = "hf_x"}); }

}  // namespace

TEST_CASE("Inference Endpoints of the owner and of all organizations that show theirs") {
    MockHub hub([](const Seen& seen) {
        if (seen.target == "/api/whoami-v2")
            return Answer{.body = R"({"name": "ann", "type": "user", "orgs": [{"name": "closed"}, {"name": "open"}]})"};
        if (seen.target.ends_with("/closed")) return Answer{.status = 401};
        return Answer{.body = R"({"items": [)" + endpoint("paused") + "]}"};
    });
    const auto found = api_of(hub).list_inference_endpoints({.namespace_ = "*"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].namespace_ == "ann");
    CHECK(found[1].namespace_ == "open");
}

TEST_CASE("an organization's token has no namespace of its own") {
    MockHub hub([](const Seen&) { return Answer{.body = R"({"name": "org", "type": "org"})"}; });
    CHECK_THROWS_AS(api_of(hub).get_inference_endpoint("e"), InvalidArgumentError);
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("one that runs already is resumed where that is no error") {
    MockHub hub([](const Seen& seen) {
        if (seen.method == "GET") return Answer{.body = endpoint("running")};
        return Answer{.status = 400, .body = R"({"error": "Endpoint is already running"})"};
    });
    const HfApi api = api_of(hub);
    CHECK(api.resume_inference_endpoint("e", {.namespace_ = "ann"}).status == "running");
    CHECK(targets(hub) == "POST /v2/endpoint/ann/e/resume\nGET /v2/endpoint/ann/e\n");
    CHECK_THROWS_AS(api.resume_inference_endpoint("e", {.running_ok = false, .namespace_ = "ann"}), BadRequestError);
    CHECK_THROWS_AS(api.resume_inference_endpoint("", {.namespace_ = "ann"}), InvalidArgumentError);
}

TEST_CASE("a wait ends when it runs and its health route answers, to which only the Hub's own gets the token") {
    for (const std::string url : {own_url, "https://own.test/"}) {
        int asked = 0, health = 0;
        std::string token;
        MockHub hub([&](const Seen& seen) {
            if (seen.target == "/health") {
                token = seen.authorization;
                return Answer{.status = ++health == 1 ? 503 : 200};
            }
            return Answer{.body = ++asked == 1 ? endpoint("initializing") : endpoint("running", url)};
        });
        const InferenceEndpoint ready = api_of(hub).wait_for_inference_endpoint(
            "e", {.refresh_every = 1ms, .namespace_ = "ann", .token = "hf_given"});
        CHECK(ready.url == url);
        CHECK(asked == 3);
        CHECK(token == (url == own_url ? "Bearer hf_given" : ""));
    }
}

TEST_CASE("a wait ends with an error where it has failed, with its timeout, and when it is asked to stop") {
    std::string state = "failed";
    MockHub hub([&](const Seen&) { return Answer{.body = endpoint(state)}; });
    const HfApi api = api_of(hub);
    CHECK_THROWS_AS(api.wait_for_inference_endpoint("e", {.namespace_ = "ann"}), InferenceEndpointError);
    state = "updateFailed";
    CHECK_THROWS_AS(api.wait_for_inference_endpoint("e", {.namespace_ = "ann"}), InferenceEndpointError);
    state = "pending";
    CHECK_THROWS_AS(api.wait_for_inference_endpoint("e", {.timeout = 10ms, .namespace_ = "ann"}),
                    InferenceEndpointTimeoutError);
    CHECK_THROWS_AS(api.with_timeout(20ms).wait_for_inference_endpoint("e", {.namespace_ = "ann"}), TimeoutError);
    CHECK_THROWS_AS(api.wait_for_inference_endpoint("e", {.refresh_every = 0ms, .namespace_ = "ann"}),
                    InvalidArgumentError);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_THROWS_AS(api.with_stop(stop.get_token()).wait_for_inference_endpoint("e", {.namespace_ = "ann"}),
                    CancelledError);
}

TEST_CASE("what is deployed from the catalog is in the namespace that was asked for") {
    MockHub hub([](const Seen&) { return Answer{.body = R"({"endpoint": )" + endpoint("pending") + "}"}; });
    const HfApi api = api_of(hub);
    const auto made = api.create_inference_endpoint_from_catalog("org/model", {.name = "e", .namespace_ = "ann"});
    CHECK(made.namespace_ == "ann");
    CHECK(hub.seen().at(0).body == R"({"namespace":"ann","repoId":"org/model","endpointName":"e"})");
    CHECK_THROWS_AS(api.create_inference_endpoint_from_catalog("a/b/c"), HfValidationError);
    CHECK_THROWS_AS(api.create_inference_endpoint_from_catalog("a/b", {.token = false}), InvalidArgumentError);
    CHECK(hub.seen().size() == 1);
}
