#include "support/loop.hpp"
#include "support/recording_transport.hpp"

#include <hfhub/inference/client.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using test::RecordingTransport;

namespace {

constexpr const char* answer = R"({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]})";

struct Fixture {
    Session session{SessionOptions(Environment::from([](std::string_view name) {
        return name == "HF_TOKEN" ? std::optional<std::string>("hf_saved") : std::nullopt;
    }))};
    RecordingTransport::Requests requests = RecordingTransport::install(session, answer);

    std::string authorization(InferenceClientOptions options) const {
        InferenceClient(session, options).chat_completion("Hi");
        return std::string(requests->back().headers.value("authorization"));
    }
};

}  // namespace

TEST_CASE("a token that was given goes to the server that the user named, a saved one does not") {
    const Fixture one;
    const std::string url = "http://models.test/v1";
    CHECK(one.authorization({.token = "key", .base_url = url}) == "Bearer key");
    CHECK(one.authorization({.api_key = "key", .base_url = url}) == "Bearer key");
    CHECK(one.authorization({.model = url, .token = "key"}) == "Bearer key");
    CHECK(one.authorization({.base_url = url}).empty());
    CHECK(one.authorization({.token = true, .base_url = url}).empty());
    CHECK(one.authorization({.base_url = url, .headers = {{"authorization", "Basic x"}}}) == "Basic x");
    CHECK(one.requests->back().url.str() == "http://models.test/v1/chat/completions");
}

TEST_CASE("on the Hub's own router the client's token is sent, given or saved") {
    const Fixture one;
    CHECK(one.authorization({.model = "a/b", .token = "hf_given"}) == "Bearer hf_given");
    CHECK(one.authorization({.model = "a/b"}) == "Bearer hf_saved");
    CHECK(one.authorization({.base_url = "https://abc.endpoints.huggingface.cloud"}) == "Bearer hf_saved");
    CHECK(one.authorization({.model = "a/b", .endpoint = "https://hub.corp"}) == "Bearer hf_saved");
}
