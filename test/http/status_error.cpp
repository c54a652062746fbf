#include "http/status_error.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::http;

namespace {

struct Raised {
    std::string type, message;
    HttpErrorContext context;
    bool says(std::string_view text) const { return message.find(text) != std::string::npos; }
};

Raised raised(int status, std::string_view url, const Headers& headers = {}, std::string_view body = {},
              const RequestFacts& facts = {}, int attempts = 1) {
    try {
        raise_for_status(status, Method::get, Url::parse(url), headers, body, attempts, facts);
    } catch (const HfHubHttpError& error) {
        return {std::string(error.type()), error.what(), error.context()};
    }
    return {"none", "", {}};
}

}  // namespace

TEST_CASE("answers below 400 raise nothing") {
    for (int status : {200, 204, 206, 301, 302, 304, 399}) {
        CHECK(raised(status, "https://hub.co/api/models/a/b", {{"X-Error-Code", "RepoNotFound"}}).type == "none");
    }
}

TEST_CASE("the first rule that fits decides the exception") {
    constexpr const char* repo = "https://huggingface.co/api/models/alice/m";
    constexpr const char* bad_token = "Invalid credentials in Authorization header";
    struct Case {
        int status;
        const char *url, *code, *message, *type;
    };
    for (const Case& test : {
             Case{404, repo, "RevisionNotFound", "", "RevisionNotFoundError"},
             Case{404, repo, "EntryNotFound", "", "RemoteEntryNotFoundError"},
             Case{403, repo, "GatedRepo", "", "GatedRepoError"},
             Case{401, repo, "GatedRepo", "", "GatedRepoError"},
             Case{403, repo, "", "Access to this resource is disabled.", "DisabledRepoError"},
             Case{401, repo, "", "Access to this resource is disabled.", "DisabledRepoError"},
             Case{403, repo, "GatedRepo", "Access to this resource is disabled.", "GatedRepoError"},
             Case{404, "https://huggingface.co/api/buckets/a/b", "RepoNotFound", "", "BucketNotFoundError"},
             Case{404, "https://huggingface.co/buckets/a/b/resolve/f", "RepoNotFound", "", "RepositoryNotFoundError"},
             Case{404, "https://huggingface.co/api/jobs/alice/id1", "", "", "JobNotFoundError"},
             Case{404, "https://huggingface.co/api/jobs/alice/id1/logs", "", "", "JobNotFoundError"},
             Case{404, "https://huggingface.co/api/scheduled-jobs/alice/id1", "", "", "JobNotFoundError"},
             Case{404, "https://huggingface.co/api/jobs/alice", "", "", "HfHubHttpError"},
             Case{403, "https://huggingface.co/api/jobs/alice/id1", "", "", "HfHubHttpError"},
             Case{404, repo, "RepoNotFound", "", "RepositoryNotFoundError"},
             Case{404, "https://huggingface.co/api/repos/delete", "RepoNotFound", "", "RepositoryNotFoundError"},
             Case{401, repo, "", "", "RepositoryNotFoundError"},
             Case{401, repo, "", "Invalid username or password.", "RepositoryNotFoundError"},
             Case{401, repo, "", bad_token, "HfHubHttpError"},
             Case{401, repo, "RepoNotFound", bad_token, "RepositoryNotFoundError"},
             Case{401, "http://127.0.0.1:8080/api/models/alice/m", "", "", "HfHubHttpError"},
             Case{401, "https://corp.example/hub/api/datasets/alice/d", "", "", "RepositoryNotFoundError"},
             Case{401, "http://corp.example/hub/alice/m/resolve/main/f", "", "", "HfHubHttpError"},
             Case{401, "https://huggingface.co/api/spaces/a/b", "", "", "RepositoryNotFoundError"},
             Case{401, "https://huggingface.co/api/kernels/a/b", "", "", "RepositoryNotFoundError"},
             Case{401, "https://huggingface.co/api/models/gpt2", "", "", "RepositoryNotFoundError"},
             Case{401, "https://huggingface.co/gpt2/resolve/main/f", "", "", "RepositoryNotFoundError"},
             Case{401, "https://huggingface.co/api/models", "", "", "HfHubHttpError"},
             Case{401, "https://huggingface.co/api/models-tags-by-type", "", "", "HfHubHttpError"},
             Case{401, "https://huggingface.co/api/organizations/o/members", "", "", "HfHubHttpError"},
             Case{401, "https://huggingface.co/api/buckets/a/b", "", "", "HfHubHttpError"},
             Case{401, "https://huggingface.co/api/whoami-v2", "", "", "HfHubHttpError"},
             Case{400, repo, "", "", "BadRequestError"},
             Case{400, repo, "RevisionNotFound", "", "RevisionNotFoundError"},
             Case{403, repo, "", "", "HfHubHttpError"},
             Case{404, repo, "", "", "HfHubHttpError"},
             Case{404, repo, "SomethingNew", "", "HfHubHttpError"},
             Case{409, repo, "", "", "HfHubHttpError"},
             Case{416, repo, "", "", "HfHubHttpError"},
             Case{429, repo, "", "", "HfHubHttpError"},
             Case{500, repo, "", "", "HfHubHttpError"},
             Case{599, repo, "", "", "HfHubHttpError"},
         }) {
        CAPTURE(test.status);
        CAPTURE(std::string(test.url));
        CAPTURE(std::string(test.code));
        Headers headers;
        if (*test.code) headers.add("X-Error-Code", test.code);
        if (*test.message) headers.add("X-Error-Message", test.message);
        const Raised error = raised(test.status, test.url, headers);
        CHECK(error.type == test.type);
        CHECK(error.context.status == test.status);
        CHECK(error.context.error_code == test.code);
        CHECK(error.says(test.message));
        CHECK(error.says(std::to_string(test.status)));
        CHECK(error.says(test.url));
    }
}

TEST_CASE("the repository is read from the URL") {
    struct Case {
        const char *url, *type, *id;
    };
    for (const Case& test : {
             Case{"https://hub.co/api/models/alice/m", "model", "alice/m"},
             Case{"https://hub.co/api/models/alice/m/revision/main", "model", "alice/m"},
             Case{"https://hub.co/api/datasets/alice/d/tree/v1%2F2", "dataset", "alice/d"},
             Case{"https://hub.co/api/spaces/alice/demo.app/restart", "space", "alice/demo.app"},
             Case{"https://hub.co/api/kernels/acme/k", "kernel", "acme/k"},
             Case{"https://hub.co/api/buckets/alice/b/tree", "bucket", "alice/b"},
             Case{"https://hub.co/api/models/gpt2", "model", "gpt2"},
             Case{"https://hub.co/api/models/gpt2/tree/main", "model", "gpt2"},
             Case{"https://hub.co/prefix/x/api/models/alice/m", "model", "alice/m"},
             Case{"https://hub.co/api/models/al%20ice/m", "model", "al ice/m"},
             Case{"https://hub.co/alice/m/resolve/main/a/b.txt", "model", "alice/m"},
             Case{"https://hub.co/gpt2/resolve/main/f", "model", "gpt2"},
             Case{"https://hub.co/datasets/alice/d/resolve/main/f", "dataset", "alice/d"},
             Case{"https://hub.co/datasets/squad/resolve/main/f", "dataset", "squad"},
             Case{"https://hub.co/spaces/alice/s/resolve/main/f", "space", "alice/s"},
             Case{"https://hub.co/buckets/alice/b/resolve/f", "bucket", "alice/b"},
             Case{"https://hub.co/pre/fix/alice/m/resolve/main/f", "model", "alice/m"},
             Case{"https://hub.co/pre/datasets/alice/d/resolve/main/f", "dataset", "alice/d"},
             Case{"https://hub.co/api/whoami-v2", "", ""},
             Case{"https://hub.co/api/models", "", ""},
             Case{"https://hub.co/resolve/main", "", ""},
             Case{"https://hub.co/", "", ""},
         }) {
        CAPTURE(std::string(test.url));
        const HttpErrorContext context = error_context(404, Method::get, Url::parse(test.url), {}, "");
        CHECK(context.repo_type == test.type);
        CHECK(context.repo_id == test.id);
    }
}

TEST_CASE("the error carries what maintainers ask for") {
    const Headers headers = {{"X-Amz-Cf-Id", "cf"},     {"X-Amzn-Trace-Id", "trace"}, {"X-Request-Id", "Root=1-abc"},
                             {"X-Repo-Commit", "0123"}, {"Retry-After", "7"},         {"X-Error-Message", "broken"}};
    const Raised error = raised(503, "https://hub.co/api/x", headers, R"({"error": "really"})", {}, 3);
    CHECK(error.context.request_id == "Root=1-abc");
    CHECK(error.context.commit_hash == "0123");
    CHECK(error.context.retry_after == std::chrono::seconds(7));
    CHECK(error.context.server_message == "broken\nreally");
    CHECK(error.context.body == R"({"error": "really"})");
    CHECK(error.context.attempts == 3);
    CHECK(error.context.method == "GET");
    CHECK(error.message ==
          "The server failed: GET https://hub.co/api/x answered 503 Service Unavailable (request id Root=1-abc) after "
          "3 tries\n"
          "broken\nreally");
    CHECK(raised(500, "https://hub.co/", {{"X-Amz-Cf-Id", "cf"}, {"X-Amzn-Trace-Id", "trace"}}).context.request_id ==
          "trace");
    CHECK(raised(500, "https://hub.co/", {{"X-Amz-Cf-Id", "cf"}}).context.request_id == "cf");
    CHECK(raised(500, "https://hub.co/", {}, std::string(100'000, 'x')).context.body.size() == 65536);
}

TEST_CASE("errors show neither user info nor signatures") {
    const Raised error = raised(403, "https://user:secret1@cdn.co/f?X-Amz-Signature=secret2&Expires=12345");
    CHECK(error.message.find("secret") == std::string::npos);
    CHECK(error.context.url.find("secret") == std::string::npos);
    CHECK(error.context.url.find("12345") == std::string::npos);
    CHECK(error.says("https://cdn.co/f"));
}

TEST_CASE("a refused signed link is said to have run out") {
    CHECK(raised(403, "https://cdn.co/f?X-Amz-Signature=a").says("limited time"));
    CHECK(raised(401, "https://cdn.co/f?Expires=1&Signature=b").says("limited time"));
    CHECK(!raised(403, "https://hub.co/f").says("limited time"));
}

TEST_CASE("missing rights are answered with what to do about the token") {
    CHECK(raised(403, "https://hub.co/api/x").says("Check that the token"));
    CHECK(raised(403, "https://hub.co/api/x", {}, "", {.authenticated = false}).says("set HF_TOKEN"));
    CHECK(raised(401, "https://hub.co/api/x", {}, "", {.authenticated = false}).says("set HF_TOKEN"));
}

TEST_CASE("a gated repository names the page where access is asked for") {
    const Headers headers = {{"X-Error-Code", "GatedRepo"}};
    CHECK(raised(403, "https://hub.co/api/models/alice/m", headers).says("https://hub.co/alice/m,"));
    CHECK(raised(403, "https://hub.co/datasets/alice/d/resolve/main/f", headers)
              .says("https://hub.co/datasets/alice/d,"));
}

TEST_CASE("too many requests: the message says when, how many, and that a token helps") {
    const Headers limited = {{"RateLimit", "\"api\";r=0;t=55"},
                             {"RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300"}};
    const Raised error = raised(429, "https://hub.co/api/x", limited);
    CHECK(error.says("\"api\" is used up; it is renewed in 55 s (500 requests per 300 s)"));
    CHECK(!error.says("HF_TOKEN"));
    CHECK(error.context.retry_after == std::chrono::seconds(55));
    CHECK(raised(429, "https://hub.co/api/x", {{"RateLimit", "\"api\";r=0;t=7"}}).says("renewed in 7 s."));
    CHECK(raised(429, "https://hub.co/api/x", {{"Retry-After", "3"}}).says("asks to wait 3 s."));
    CHECK(raised(429, "https://hub.co/api/x", limited, "", {.authenticated = false}).says("higher quota"));
    CHECK(raised(429, "https://hub.co/api/x", {}, "", {.authenticated = false}).says("higher quota"));
}

TEST_CASE("a range that cannot be had is shown with what the server has") {
    const Raised error = raised(416, "https://hub.co/f", {{"Content-Range", "bytes */10"}}, "", {.range = "bytes=20-"});
    CHECK(error.says("bytes=20-"));
    CHECK(error.says("bytes */10"));
}
