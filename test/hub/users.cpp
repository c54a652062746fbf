#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/hub/users.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

Answer alice(const Seen&) {
    return {
        .body =
            R"({"name": "alice", "emailVerified": true, "newField": 1, "orgs": [{"name": "acme", "roleInOrg": "admin"}]})"};
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// What whoami says when the server refuses the token.
std::string refusal(int status, const MockHub::Variables& environment, const HfApiOptions& options) {
    MockHub hub([&](const Seen&) { return Answer{.status = status, .body = R"({"error": "no"})"}; }, environment);
    try {
        HfApi(hub.session(), options).whoami();
    } catch (const HfHubHttpError& error) {
        CHECK(error.status() == status);
        CHECK(hub.seen().size() == 1);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("whoami gives the token's owner, and keeps what it does not know") {
    MockHub hub(alice);
    const WhoAmI me = HfApi(hub.session(), {.token = "hf_a"}).whoami();
    CHECK(me.name == "alice");
    CHECK(me.email_verified == true);
    CHECK(me.orgs.at(0).role_in_org == "admin");
    CHECK(me.raw.at("newField") == 1);
    REQUIRE(hub.seen().size() == 1);
    CHECK(hub.seen()[0].target == "/api/whoami-v2");
    CHECK(hub.seen()[0].authorization == "Bearer hf_a");
}

TEST_CASE("whoami remembers answers by token, for the object and its copies, where it is asked to") {
    MockHub hub(alice);
    const HfApi api(hub.session(), {.token = "hf_a"});
    api.whoami({.cache = true});
    api.whoami({.cache = true});
    HfApi(api).whoami({.cache = true});
    CHECK(hub.seen().size() == 1);
    api.whoami({.token = "hf_b", .cache = true});
    CHECK(hub.seen().size() == 2);
    api.whoami();
    CHECK(hub.seen().size() == 3);
    HfApi(hub.session(), {.token = "hf_a"}).whoami({.cache = true});
    CHECK(hub.seen().size() == 4);
}

TEST_CASE("whoami without a token sends nothing") {
    MockHub hub(alice);
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.whoami(), LocalTokenNotFoundError);
    CHECK_THROWS_AS(api.whoami({.token = false}), InvalidArgumentError);
    CHECK_THROWS_AS(HfApi(hub.session(), {.token = false}).whoami(), InvalidArgumentError);
    CHECK(hub.seen().empty());
}

TEST_CASE("whoami says which token was refused, and is not repeated") {
    CHECK(contains(refusal(401, {{"HF_TOKEN", "hf_env"}}, {}), "HF_TOKEN"));
    CHECK(contains(refusal(401, {{"HF_TOKEN", "hf_env"}}, {.token = "hf_other"}), "the token is not valid"));
    CHECK(contains(refusal(429, {{"HF_TOKEN", "hf_env"}}, {}), "cache=true"));
    CHECK(!contains(refusal(500, {{"HF_TOKEN", "hf_env"}}, {}), "HF_TOKEN"));
}
