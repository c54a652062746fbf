#include "hub/endpoint_payload.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace hfhub;

namespace {

const CreateInferenceEndpointOptions needed{.repository = "gpt2",
                                            .framework = "pytorch",
                                            .accelerator = "cpu",
                                            .instance_size = "x2",
                                            .instance_type = "intel-icl",
                                            .region = "us-east-1",
                                            .vendor = "aws"};

}  // namespace

TEST_CASE("a new Inference Endpoint is told what is needed and nothing else") {
    CHECK(json::value(hub::create_payload("e", needed)) ==
          json::parse(R"({"compute": {"accelerator": "cpu", "instanceSize": "x2", "instanceType": "intel-icl",
              "scaling": {"maxReplica": 1, "minReplica": 1}},
              "model": {"repository": "gpt2", "framework": "pytorch", "image": {"huggingface": {}}},
              "name": "e", "provider": {"region": "us-east-1", "vendor": "aws"}, "type": "authenticated"})"));
}

TEST_CASE("what a new Inference Endpoint needs is asked for before anything is sent") {
    CHECK_THROWS_AS(hub::create_payload("", needed), InvalidArgumentError);
    for (std::string_view CreateInferenceEndpointOptions::* member :
         {&CreateInferenceEndpointOptions::repository, &CreateInferenceEndpointOptions::framework,
          &CreateInferenceEndpointOptions::accelerator, &CreateInferenceEndpointOptions::instance_size,
          &CreateInferenceEndpointOptions::instance_type, &CreateInferenceEndpointOptions::region,
          &CreateInferenceEndpointOptions::vendor}) {
        CreateInferenceEndpointOptions options = needed;
        options.*member = {};
        CHECK_THROWS_AS(hub::create_payload("e", options), InvalidArgumentError);
    }
}

TEST_CASE("a container's description stands below 'custom', an engine's under its own name") {
    const json::value container = json::parse(R"({"url": "ghcr.io/a"})"),
                      engine = json::parse(R"({"vLLM": {"url": "v"}})");
    CreateInferenceEndpointOptions options = needed;
    options.custom_image = container;
    CHECK(hub::create_payload("e", options).at("model").at("image") ==
          json::parse(R"({"custom": {"url": "ghcr.io/a"}})"));
    options.custom_image = engine;
    CHECK(hub::create_payload("e", options).at("model").at("image") == engine);
}

TEST_CASE("an update says what is given, empty lists and objects included") {
    CHECK(hub::update_payload({}).empty());
    const json::value none = json::object();
    const std::vector<std::string> no_arguments;
    const json::value payload = hub::update_payload({.min_replica = 0,
                                                     .scaling_metric = "hardwareUsage",
                                                     .container_args = no_arguments,
                                                     .env = none,
                                                     .path = "/p",
                                                     .cache_http_responses = false});
    CHECK(payload == json::parse(R"({"compute": {"scaling": {"minReplica": 0, "measure": {"hardwareUsage": null}}},
        "model": {"args": [], "env": {}}, "route": {"path": "/p"}, "cacheHttpResponses": false})"));
}

TEST_CASE("parallel sizes stand in the engine's settings") {
    const json::object image = json::parse(R"({"vLLM": {"url": "v", "tensorParallelSize": 1}})").as_object();
    CHECK(json::value(hub::with_parallel_sizes(image, {.tensor = 8, .data = 2})) ==
          json::parse(R"({"vLLM": {"url": "v", "tensorParallelSize": 8, "dataParallelSize": 2}})"));
    CHECK_THROWS_AS(hub::with_parallel_sizes({}, {.tensor = 2}), InvalidArgumentError);
    CHECK_THROWS_AS(hub::with_parallel_sizes({{"vLLM", nullptr}}, {.tensor = 2}), InvalidArgumentError);
}

TEST_CASE("the image that runs is not sent back where its credentials are not known") {
    InferenceEndpoint endpoint;
    CHECK(hub::present_image(endpoint).empty());
    endpoint.raw = json::parse(R"({"model": {"image": {"vLLM": {"url": "v"}}}})").as_object();
    CHECK(hub::present_image(endpoint).contains("vLLM"));
    endpoint.raw = json::parse(R"({"model": {"image": {"custom": {"credentials": {"username": "u"}}}}})").as_object();
    CHECK_THROWS_AS(hub::present_image(endpoint), InvalidArgumentError);
}

TEST_CASE("an answer without name or status is no Inference Endpoint") {
    const InferenceEndpoint endpoint = hub::endpoint_of(
        json::parse(R"({"name": "e", "model": {"repository": "r"}, "status": {"state": "new", "url": null}})"), "ann");
    CHECK(endpoint.status == "new");
    CHECK(endpoint.namespace_ == "ann");
    CHECK_FALSE(endpoint.url);
    for (const char* wrong : {"null", "[]", "{}", R"({"name": "e"})", R"({"status": {"state": "x"}})"}) {
        CHECK_THROWS_AS(hub::endpoint_of(json::parse(wrong), "ann"), JsonError);
    }
}

TEST_CASE("which addresses are Inference Endpoints of the Hub's") {
    for (const char* own :
         {"https://x.us-east-1.aws.endpoints.huggingface.cloud", "https://a.endpoints.huggingface.cloud/health"}) {
        CHECK(hub::is_endpoint_host(own));
    }
    for (const char* other :
         {"http://x.endpoints.huggingface.cloud", "https://x.endpoints.huggingface.cloud:444",
          "https://endpoints.huggingface.cloud", "https://x.huggingface.cloud", "https://evil.test",
          "https://x.endpoints.huggingface.cloud.evil.test", "https://xendpoints.huggingface.cloud"}) {
        CAPTURE(other);
        CHECK_FALSE(hub::is_endpoint_host(other));
    }
}
