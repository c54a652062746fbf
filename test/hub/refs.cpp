#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

TEST_CASE("list_repo_refs gives branches, tags and, where asked for, pull requests") {
    MockHub hub([](const Seen& seen) {
        const bool prs = seen.target.ends_with("?include_prs=1");
        return Answer{.body = std::string(R"({"branches": [{"name": "main", "ref": "refs/heads/main",)") +
                              R"( "targetCommit": "abc", "new": 1}], "tags": [], "converts": [])" +
                              (prs ? R"(, "pullRequests": [])" : "") + "}"};
    });
    const HfApi api(hub.session());
    const GitRefs refs = api.list_repo_refs("org/data", {.repo_type = "dataset"});
    CHECK(refs.branches.at(0).name == "main");
    CHECK(refs.branches.at(0).target_commit == "abc");
    CHECK(refs.branches.at(0).raw.at("new") == 1);
    CHECK_FALSE(refs.pull_requests);
    CHECK(api.list_repo_refs("org/model", {.include_pull_requests = true}).pull_requests->empty());
    CHECK(hub.seen().at(0).target == "/api/datasets/org/data/refs");
    CHECK(hub.seen().at(1).target == "/api/models/org/model/refs?include_prs=1");
    CHECK_THROWS_AS(api.list_repo_refs("a/b/c"), HfValidationError);
    CHECK(hub.seen().size() == 2);
}
