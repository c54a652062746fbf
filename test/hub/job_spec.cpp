#include "hub/job_spec.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace std::chrono_literals;

TEST_CASE("a Job's timeout is a span of time or text") {
    CHECK(JobTimeout().seconds() == 0s);
    CHECK(JobTimeout(90min).seconds() == 5400s);
    CHECK(JobTimeout(90700ms).seconds() == 90s);
    CHECK(JobTimeout("90").seconds() == 90s);
    CHECK(JobTimeout("45s").seconds() == 45s);
    CHECK(JobTimeout("5m").seconds() == 300s);
    CHECK(JobTimeout("1.5h").seconds() == 5400s);
    CHECK(JobTimeout("2d").seconds() == 172800s);
    for (const char* wrong : {"", "m", "5 min", "-1", "-1h", "1e300", "nan", "inf", "5x", "1.5.h", " 5"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(JobTimeout{wrong}, InvalidArgumentError);
    }
}

TEST_CASE("a Job without a name is named by its image and a hash of its command") {
    const std::vector<std::string> hello = {"python", "-c", "print('Hello from the cloud!')"};
    CHECK(hub::job_name("python:3.12", hello) == "python-3-12-c94be69f");
    CHECK(hub::job_name("registry.example.org:5000/ns/My_img:1.0/", {}) == "My_img-1-0-ac0b4fa1");
    CHECK(hub::job_name("hf.co/spaces/lhoestq/duckdb", {"duckdb", "-c", "select 'hello'"}) ==
          "lhoestq-duckdb-ff3ee72f");
    CHECK(hub::job_name("huggingface.co/spaces/lhoestq/duckdb", {"duckdb", "-c", "select 'hello'"}) ==
          "lhoestq-duckdb-f3d26188");
    CHECK(hub::job_name("é", {}).starts_with("--"));
    CHECK(hub::job_name("/", {}).starts_with("--"));
    CHECK(hub::uv_job_name("https://example.org/a/train.py", {}) == "train-c491c332");
    CHECK(hub::uv_job_name("ruff", {"check"}) == "ruff-4e53642e");
    CHECK(hub::uv_job_name("https://raw.githubusercontent.com/huggingface/trl/main/trl/scripts/sft.py?raw=1#L2", {}) ==
          "sft-a4b0b558");
}

TEST_CASE("a Job's specification leaves out what was not given") {
    hub::JobSettings settings;
    settings.image = "python:3.12";
    settings.command = {"python"};
    CHECK(hub::job_spec(settings) == json::object{{"command", {"python"}},
                                                  {"arguments", json::array()},
                                                  {"environment", json::object()},
                                                  {"flavor", "cpu-basic"},
                                                  {"dockerImage", "python:3.12"}});
}

TEST_CASE("a Job's specification says everything that was given") {
    const json::value env = {{"A", 1}, {"B", nullptr}}, secrets = {{"S", "x"}}, labels = {{"k", "v"}};
    const std::vector<Volume> volumes = {{.type = "bucket", .source = "u/b", .mount_path = "/m"}};
    const std::vector<std::int64_t> ports = {80, 443};
    hub::JobSettings settings;
    settings.image = "https://hf.co/spaces/u/app";
    settings.env = env;
    settings.secrets = secrets;
    settings.labels = labels;
    settings.flavor = "t4-small";
    settings.timeout = 5min;
    settings.name = "n";
    settings.volumes = volumes;
    settings.expose = ports;
    settings.ssh = true;
    settings.resource_group_id = "r";
    CHECK(hub::job_spec(settings) ==
          json::object{{"command", json::array()},
                       {"arguments", json::array()},
                       {"environment", {{"A", 1}, {"B", nullptr}}},
                       {"flavor", "t4-small"},
                       {"secrets", {{"S", "x"}}},
                       {"timeoutSeconds", 300},
                       {"labels", {{"k", "v"}, {"name", "n"}}},
                       {"volumes", json::array{{{"type", "bucket"}, {"source", "u/b"}, {"mountPath", "/m"}}}},
                       {"expose", {{"ports", {80, 443}}}},
                       {"ssh", {{"enabled", true}}},
                       {"resourceGroupId", "r"},
                       {"spaceId", "u/app"}});
    const json::value named = {{"name", "other"}}, no_object = 1;
    settings.labels = named;
    CHECK_THROWS_AS(hub::job_spec(settings), InvalidArgumentError);
    settings.labels = no_object;
    CHECK_THROWS_AS(hub::job_spec(settings), InvalidArgumentError);
}

TEST_CASE("uv's command line names packages and interpreter before the script") {
    const hub::UvCommand uv{"s.py", {"--n", "2"}, {"a", "b"}, "3.13"};
    CHECK(hub::command_line(uv) ==
          std::vector<std::string>{"uv", "run", "--with", "a", "--with", "b", "--python", "3.13", "s.py", "--n", "2"});
}

TEST_CASE("words that look like local files") {
    for (const char* file : {"train.py", "a/b.sh", "c.yaml", "c.yml", "c.toml", "ftp://h/x.py"}) {
        CHECK(hub::looks_like_file(file));
    }
    for (const char* other : {"https://h/x.py", "http://h/x.py", "lighteval", "--n", "", ".py", "a/.py", "model.bin"}) {
        CHECK_FALSE(hub::looks_like_file(other));
    }
}
