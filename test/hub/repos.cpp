#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/hub/repos.hpp>

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <array>
#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

constexpr const char* conflict = R"({"error": "Cannot create repo: another conflicting operation is in progress"})";

Answer created(const Seen&) { return {.body = R"({"url": "http://hub.test/alice/m"})"}; }

json::value sent(const MockHub& hub) { return json::parse(hub.seen().back().body); }

}  // namespace

TEST_CASE("model_info keeps fields that it does not know") {
    MockHub hub(
        [](const Seen&) { return Answer{.body = R"({"id": "a/b", "likes": 3, "gated": "auto", "brandNew": [1]})"}; });
    const ModelInfo info = HfApi(hub.session()).model_info("a/b");
    CHECK(info.id == "a/b");
    CHECK(info.likes == 3);
    CHECK(std::get<std::string>(*info.gated) == "auto");
    CHECK(info.raw.at("brandNew").as_array().size() == 1);
    CHECK(!info.author);
}

TEST_CASE("providers of a model are read from a list and from an object") {
    std::string body =
        R"({"id": "a/b", "inferenceProviderMapping": [{"provider": "novita", "providerId": "n/b", "status": "live", "task": "t"}]})";
    MockHub hub([&](const Seen&) { return Answer{.body = body}; });
    const HfApi api(hub.session());
    CHECK(api.model_info("a/b").inference_provider_mapping->at(0).provider_id == "n/b");
    body =
        R"({"id": "a/b", "inferenceProviderMapping": {"novita": {"providerId": "n/b", "status": "live", "task": "t"}}})";
    const InferenceProviderMapping mapping = api.model_info("a/b").inference_provider_mapping->at(0);
    CHECK(mapping.provider == "novita");
    CHECK(mapping.hf_model_id == "a/b");
}

TEST_CASE("evaluation results that the Hub found faulty are left out") {
    MockHub hub([](const Seen&) {
        return Answer{.body = R"({"id": "a/b", "evalResults": [{"error": "bad", "filename": "x.yaml"},
                                  {"data": {"dataset": {"id": "d", "task_id": "t"}, "value": 1.5}}]})"};
    });
    const ModelInfo info = HfApi(hub.session()).model_info("a/b");
    REQUIRE(info.eval_results->size() == 1);
    CHECK(info.eval_results->at(0).dataset_id == "d");
}

TEST_CASE("bad arguments are refused before anything is sent") {
    MockHub hub(created);
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.model_info("a/b/c"), HfValidationError);
    CHECK_THROWS_AS(api.model_info("a/b", {.files_metadata = true, .expand = "sha"}), InvalidArgumentError);
    CHECK_THROWS_AS(api.repo_info("a/b", {.repo_type = "bucket"}), InvalidArgumentError);
    CHECK_THROWS_AS(api.create_repo("a/b", {.private_ = true, .visibility = "public"}), InvalidArgumentError);
    CHECK_THROWS_AS(api.create_repo("a/b", {.repo_type = "space"}), InvalidArgumentError);
    CHECK_THROWS_AS(api.create_repo("a/b", {.repo_type = "space", .space_sdk = "flash"}), InvalidArgumentError);
    CHECK(hub.seen().empty());
}

TEST_CASE("repo_info returns the kind that was asked for") {
    MockHub hub([](const Seen& seen) { return Answer{.body = R"({"id": ")" + seen.target + R"("})"}; });
    const HfApi api(hub.session());
    CHECK(std::get<ModelInfo>(api.repo_info("a/b")).id == "/api/models/a/b");
    CHECK(std::get<DatasetInfo>(api.repo_info("a/b", {.repo_type = "dataset"})).id == "/api/datasets/a/b");
    CHECK(std::get<SpaceInfo>(api.repo_info("a/b", {.repo_type = "space"})).id == "/api/spaces/a/b");
    CHECK(std::get<KernelInfo>(api.repo_info("a/b", {.repo_type = "kernel"})).id == "/api/kernels/a/b");
}

TEST_CASE("file_exists is false for a missing file, revision or repository, and throws for a gated one") {
    Answer answer;
    MockHub hub([&](const Seen&) { return answer; });
    const HfApi api(hub.session());
    const auto coded = [&](int status, const char* code) {
        answer = Answer{.status = status, .headers = {{"x-error-code", code}}};
        return api.file_exists("a/b", "f");
    };
    CHECK(api.file_exists("a/b", "f"));
    CHECK(hub.seen().back().method == "HEAD");
    CHECK(hub.seen().back().target == "/a/b/resolve/main/f");
    CHECK(!coded(404, "EntryNotFound"));
    CHECK(!coded(404, "RevisionNotFound"));
    CHECK(!coded(404, "RepoNotFound"));
    CHECK_THROWS_AS(coded(403, "GatedRepo"), GatedRepoError);
    CHECK_THROWS_AS(coded(418, ""), HfHubHttpError);
}

TEST_CASE("file_exists does not follow the way to where the bytes are") {
    MockHub hub([](const Seen&) { return Answer{.status = 302, .headers = {{"location", "https://cdn.test/x"}}}; });
    CHECK(HfApi(hub.session()).file_exists("a/b", "f"));
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("create_repo sends what was asked for, and leaves out what was not") {
    MockHub hub(created);
    const HfApi api(hub.session());
    const RepoUrl url = api.create_repo("alice/m");
    CHECK(url.repo_id == "alice/m");
    CHECK(sent(hub) == json::parse(R"({"name": "m", "organization": "alice"})"));
    const std::array<SpaceKeyValue, 1> secrets = {{{.key = "K", .value = "V"}}};
    const std::vector<Volume> volumes = {{.source = "a/b", .mount_path = "/m", .read_only = true}};
    api.create_repo("alice/s", {.private_ = true,
                                .repo_type = "space",
                                .space_sdk = "docker",
                                .space_sleep_time = 60,
                                .space_secrets = secrets,
                                .space_volumes = volumes});
    CHECK(sent(hub) == json::parse(R"({"name": "s", "organization": "alice", "visibility": "private", "type": "space",
        "sdk": "docker", "sleepTimeSeconds": 60, "secrets": [{"key": "K", "value": "V"}],
        "volumes": [{"type": "model", "source": "a/b", "mountPath": "/m", "readOnly": true}]})"));
}

TEST_CASE("create_repo asks again while the Hub is busy with another change") {
    int busy = 3;
    MockHub hub([&](const Seen& seen) { return busy-- > 0 ? Answer{.status = 409, .body = conflict} : created(seen); });
    CHECK(HfApi(hub.session()).create_repo("alice/m").repo_id == "alice/m");
    CHECK(hub.seen().size() == 4);
}

TEST_CASE("create_repo gives up a busy Hub when its time is over") {
    MockHub hub([](const Seen&) { return Answer{.status = 409, .body = conflict}; });
    const HfApi api = HfApi(hub.session()).with_timeout(30ms);
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(api.create_repo("alice/m"), HfHubHttpError);
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    CHECK(hub.seen().size() > 1);
}

TEST_CASE("create_repo takes an existing repository only where it may") {
    MockHub hub([](const Seen&) {
        return Answer{.status = 409, .body = R"({"error": "exists", "url": "http://hub.test/alice/m"})"};
    });
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.create_repo("alice/m"), HfHubHttpError);
    CHECK(api.create_repo("alice/m", {.exist_ok = true}).repo_id == "alice/m");
    CHECK(hub.seen().size() == 2);
}

TEST_CASE("a repository that was made is told of, whatever the server calls itself") {
    std::string body;
    int status = 200;
    MockHub hub([&](const Seen&) { return Answer{.status = status, .body = body}; });
    const HfApi api(hub.session());
    body = R"({"url": "https://hub.test/alice/m"})";
    CHECK(api.create_repo("alice/m").url == "https://hub.test/alice/m");
    body = R"({"url": "http://internal:3000/alice/m", "name": "alice/m"})";
    CHECK(api.create_repo("m").url == "http://hub.test/alice/m");
    body = "{}";
    CHECK(api.create_repo("alice/m", {.repo_type = "dataset"}).url == "http://hub.test/datasets/alice/m");
    status = 409;
    body = R"({"error": "exists", "url": "http://internal:3000/alice/m"})";
    CHECK(api.create_repo("alice/m", {.exist_ok = true}).url == "http://hub.test/alice/m");
}

TEST_CASE("a conflict that names no repository stays a refusal") {
    std::string body;
    MockHub hub([&](const Seen&) { return Answer{.status = 409, .body = body}; });
    const HfApi api(hub.session());
    for (const char* text : {"{}", R"({"error": "no"})", R"({"url": 1})", "<html>", ""}) {
        CAPTURE(text);
        body = text;
        try {
            api.create_repo("alice/m", {.exist_ok = true});
            FAIL("the refusal was lost");
        } catch (const HfHubHttpError& error) {
            CHECK(error.status() == 409);
        }
    }
}

TEST_CASE("create_repo without the right to create uses what is there, else tells the refusal") {
    bool there = true;
    MockHub hub([&](const Seen& seen) {
        if (seen.method == "POST") return Answer{.status = 403, .body = R"({"error": "no right"})"};
        return there ? Answer{.body = R"({"id": "alice/m"})"}
                     : Answer{.status = 404, .headers = {{"x-error-code", "RepoNotFound"}}};
    });
    const HfApi api(hub.session());
    CHECK(api.create_repo("alice/m", {.exist_ok = true}).url == "http://hub.test/alice/m");
    there = false;
    try {
        api.create_repo("alice/m", {.exist_ok = true});
        FAIL("the refusal was lost");
    } catch (const HfHubHttpError& error) {
        CHECK(error.status() == 403);
    }
}

TEST_CASE("a call ends when its time is over, in the object's or its own limit") {
    MockHub hub([](const Seen&) { return Answer{.never = true}; });
    const HfApi api(hub.session());
    CHECK_THROWS_AS(api.with_timeout(20ms).model_info("a/b"), TimeoutError);
    CHECK_THROWS_AS(api.model_info("a/b", {.timeout = 20ms}), TimeoutError);
    CHECK_THROWS_AS(api.with_timeout(20ms).list_models().next(), TimeoutError);
}

TEST_CASE("a blocking call ends when a stop is requested") {
    std::stop_source stop;
    MockHub hub([&](const Seen&) {
        std::thread([&] { stop.request_stop(); }).detach();
        return Answer{.never = true};
    });
    CHECK_THROWS_AS(HfApi(hub.session()).with_stop(stop.get_token()).model_info("a/b"), CancelledError);
}

TEST_CASE("texts given to a call may end before the coroutine runs") {
    MockHub hub([](const Seen& seen) { return Answer{.body = R"({"id": ")" + seen.target + R"("})"}; });
    const AsyncHfApi api(hub.session());
    std::optional<awaitable<ModelInfo>> work;
    {
        const std::string id = "alice/" + std::string(60, 'm'), revision(60, 'r'), field(60, 'f');
        const std::vector<std::string> expand = {field};
        work = api.model_info(id, {.revision = revision, .expand = expand});
    }
    const ModelInfo info = Blocking::run<ModelInfo>(hub.session(), std::move(*work));
    CHECK(info.id == "/api/models/alice/" + std::string(60, 'm') + "/revision/" + std::string(60, 'r') +
                         "?expand=" + std::string(60, 'f'));
}
