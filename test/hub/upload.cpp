#include "upload_hub.hpp"

#include <hfhub/hub/upload.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <stop_token>

using namespace hfhub;
using namespace hfhub::test::upload_hub;
using namespace std::chrono_literals;
using test::outcome;
using test::TempDir;

namespace {

/// Runs the coroutine on an executor that is not the session's.
CommitInfo await(awaitable<CommitInfo> work) {
    asio::io_context io;
    std::exception_ptr failure;
    CommitInfo result;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr error, CommitInfo info) {
        failure = std::move(error);
        result = std::move(info);
    });
    io.run();
    if (failure) std::rethrow_exception(failure);
    return result;
}

std::string pattern(std::size_t size) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + i / 251);
    return content;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a small file is asked about and committed") {
    const CommitInfo info = api.upload_file(file("héllo"), "/dir/a.txt", "alice/m");
    CHECK(info.oid == "abc");
    CHECK(info.commit_message == "Upload /dir/a.txt with hfhub");
    CHECK(info.repo_url.repo_id == "alice/m");
    REQUIRE(hub->requests.size() == 2);
    CHECK(hub->requests[0].url == "http://hub.test/api/models/alice/m/preupload/main");
    CHECK(hub->requests[0].headers.value("authorization") == "Bearer hf_secret");
    CHECK(hub->requests[1].url == "http://hub.test/api/models/alice/m/commit/main");
    CHECK(hub->requests[1].headers.value("content-type") == "application/x-ndjson");
    CHECK(hub->requests[1].headers_timeout == 120s);
    const auto lines = hub->committed();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].at("value").at("summary") == "Upload /dir/a.txt with hfhub");
    CHECK(lines[1].at("value").at("path") == "dir/a.txt");
    CHECK(base64_decode(lines[1].at("value").at("content").as_string()) == "héllo");
}

TEST_CASE_FIXTURE(Fixture, "a coroutine uploads the same way, and gets bad paths as exceptions of the awaiting") {
    const AsyncHfApi async(session, api_options());
    const CommitInfo info =
        await(async.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m", {.commit_message = "m"}));
    CHECK(info.commit_message == "m");
    CHECK(hub->requests.size() == 2);
    awaitable<CommitInfo> bad = async.upload_file(UploadSource::bytes("1"), "../a.txt", "alice/m");
    CHECK(outcome([&] { await(std::move(bad)); }) == "InvalidArgumentError");
    CHECK(hub->requests.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "what is not a file is refused before anything is sent") {
    CHECK(outcome([&] { api.upload_file(folder.path() / "missing", "a.txt", "alice/m"); }) == "InvalidArgumentError");
    CHECK(outcome([&] { api.upload_file(folder.path(), "a.txt", "alice/m"); }) == "InvalidArgumentError");
    CHECK(hub->requests.empty());
}

TEST_CASE_FIXTURE(Fixture, "content that the repository has already makes no commit") {
    GitBlobSha1 id(1);
    id.update("1");
    hub->known["a.txt"] = id.hex();
    const CommitInfo info = api.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m");
    CHECK(info.oid == "head");
    CHECK(info.commit_url == "http://hub.test/alice/m/commit/head");
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").empty());
}

TEST_CASE_FIXTURE(Fixture, "a large file goes to the storage without token and fields of the client, and is verified") {
    hub->large = {"a.bin"};
    const std::string content = pattern(3'000'000);
    api.upload_file(file(content), "a.bin", "alice/m");
    const auto puts = hub->find("PUT", "/s3/" + sha256_hex(content));
    REQUIRE(puts.size() == 1);
    CHECK((puts[0].body == content));
    CHECK(!puts[0].headers.contains("authorization"));
    CHECK(!puts[0].headers.contains("x-company"));
    const auto verified = hub->find("POST", "/verify");
    REQUIRE(verified.size() == 1);
    CHECK(verified[0].headers.value("authorization") == "Bearer hf_secret");
    CHECK(hub->committed().at(1).at("key") == "lfsFile");
    CHECK(hub->committed().at(1).at("value").at("oid").as_string() == sha256_hex(content));
}

TEST_CASE_FIXTURE(Fixture, "parts are sent four at a time, each from its own place, and named in their order") {
    hub->large = {"a.bin"};
    hub->chunk_size = 1 << 20;
    const std::string content = pattern((9 << 20) + 5);
    api.upload_file(file(content), "a.bin", "alice/m");
    CHECK(hub->most_at_once == 4);
    const auto done = hub->find("POST", "/complete/");
    REQUIRE(done.size() == 1);
    CHECK(!done[0].headers.contains("authorization"));
    CHECK(done[0].headers_timeout == 120s);
    const json::value completion = parse_json(done[0].body, "the completion");
    REQUIRE(completion.at("parts").as_array().size() == 10);
    for (std::size_t part = 1; part <= 10; ++part) {
        const std::string expected = content.substr((part - 1) << 20, 1 << 20);
        const json::value& named = completion.at("parts").as_array()[part - 1];
        CHECK(named.at("partNumber").to_number<std::size_t>() == part);
        CHECK(named.at("etag").as_string() == "\"" + sha256_hex(expected).substr(0, 8) + "\"");
    }
}

TEST_CASE_FIXTURE(Fixture, "a part that fails is sent again alone, and so is the end of an upload") {
    hub->large = {"a.bin"};
    hub->chunk_size = 1 << 20;
    hub->faults["/s3/part2"] = {{.status = 500}, {.lost = true}};
    hub->faults["/complete/"] = {{.status = 503}};
    const std::string content = pattern((3 << 20) - 1);
    api.upload_file(file(content), "a.bin", "alice/m");
    CHECK(hub->find("PUT", "/s3/part1").size() == 1);
    const auto again = hub->find("PUT", "/s3/part2");
    REQUIRE(again.size() == 3);
    for (const Sent& one : again) CHECK((one.body == content.substr(1 << 20, 1 << 20)));
    CHECK(hub->find("PUT", "/s3/part3").size() == 1);
    CHECK(hub->find("POST", "/complete/").size() == 2);
    CHECK(hub->find("POST", "/alice/m.git/info/lfs/objects/batch").size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a storage that refuses a file ends the upload before the commit, with the file's name") {
    hub->large = {"a.bin"};
    hub->faults["/s3/"] = {{.status = 403, .body = "<Code>AccessDenied</Code>"}};
    const std::string text = test::message([&] { api.upload_file(file("x"), "a.bin", "alice/m"); });
    CHECK(text.find("a.bin") != std::string::npos);
    CHECK(text.find("X-Amz-Signature=secret") == std::string::npos);
    CHECK(hub->find("PUT", "/s3/").size() == 1);
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").empty());
}

TEST_CASE_FIXTURE(Fixture, "an upload of which nothing, or not all, was received is an error, and not committed") {
    hub->large = {"a.bin"};
    const auto refuse = [&](std::uint64_t chunk_size, std::string_view where, int status) {
        CAPTURE(where);
        CAPTURE(status);
        hub->chunk_size = chunk_size;
        hub->faults[std::string(where)] = {{.status = status, .etag = "\"e\""}};
        const std::string text = test::message([&] { api.upload_file(file(pattern(3 << 20)), "a.bin", "alice/m"); });
        CHECK(text.find("a.bin was answered with status " + std::to_string(status)) != std::string::npos);
        CHECK(text.find("secret") == std::string::npos);
    };
    for (const int status : {302, 304}) {
        for (const std::string_view where : {"/s3/", "/verify"}) refuse(0, where, status);
        for (const std::string_view where : {"/s3/part2", "/complete/", "/verify"}) refuse(1 << 20, where, status);
    }
    for (const std::uint64_t chunk_size : {0, 1 << 20}) {
        hub->chunk_size = chunk_size;
        for (const std::size_t taken : {0, 70'000}) {
            hub->most_taken = taken;
            const std::string text =
                test::message([&] { api.upload_file(file(pattern(3 << 20)), "a.bin", "alice/m"); });
            CHECK(text.find("a.bin was answered after " + std::to_string(taken) + " of ") != std::string::npos);
        }
    }
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").empty());
}

TEST_CASE_FIXTURE(Fixture, "where the storage says that a URL is over, the Hub is asked for another one") {
    hub->large = {"a.bin"};
    hub->faults["/s3/"] = {{.status = 403, .body = "<Message>Request has expired</Message>"}};
    CHECK(api.upload_file(file("x"), "a.bin", "alice/m").oid == "abc");
    CHECK(hub->find("PUT", "/s3/").size() == 2);
    CHECK(hub->find("POST", "/alice/m.git/info/lfs/objects/batch").size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a commit that the Hub answers with an error is not sent again") {
    for (const int status : {429, 500, 503}) {
        hub->requests.clear();
        hub->faults["/commit/"] = {{.status = status}};
        CAPTURE(status);
        CHECK(outcome([&] { api.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m"); }) == "HfHubHttpError");
        CHECK(hub->find("POST", "/api/models/alice/m/commit/").size() == 1);
    }
}

TEST_CASE_FIXTURE(Fixture, "a commit whose answer is lost counts where the repository shows its result") {
    hub->faults["/commit/"] = {{.lost = true}};
    hub->learns = true;
    CHECK(api.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m").oid == "head");
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").size() == 1);
}

struct Impatient : Fixture {
    Impatient() : Fixture(options()) {}
    static SessionOptions options() {
        SessionOptions options = Fixture::options();
        options.headers_timeout = options.commit_timeout = 80ms;
        return options;
    }
};

TEST_CASE_FIXTURE(Impatient,
                  "a commit that the Hub is slow to make is looked for until it is there, and not sent again") {
    hub->faults["/commit/"] = {{.late = true}};
    hub->looks_until_known = 5;  // the first is before the commit
    CHECK(api.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m").oid == "head");
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").size() == 1);
    hub->faults["/commit/"] = {{.late = true}};
    const std::string text = test::message([&] { api.upload_file(UploadSource::bytes("2"), "a.txt", "alice/m"); });
    CHECK(text.find("may have been made") != std::string::npos);
    CHECK(hub->find("POST", "/api/models/alice/m/commit/").size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "a commit whose answer is lost is an error that says so where its result is not to be seen") {
    const auto lose = [&](auto call) {
        hub->requests.clear();
        hub->faults["/commit/"] = {{.lost = true}};
        const std::string text = test::message(call);
        CHECK(text.find("may have been made") != std::string::npos);
        CHECK(hub->find("POST", "/api/models/alice/m/commit/").size() == 1);
    };
    lose([&] { api.upload_file(UploadSource::bytes("1"), "a.txt", "alice/m"); });
    lose([&] { api.delete_file("a.txt", "alice/m"); });
    hub->learns = true;
    lose([&] { api.upload_file(UploadSource::bytes("1"), "b.txt", "alice/m", {.create_pr = true}); });
}

TEST_CASE_FIXTURE(Fixture, "files of one commit are uploaded at once, at most as many as the caller allows") {
    std::vector<std::string> names(6), contents(6);
    std::vector<CommitOperation> operations;
    for (std::size_t i = 0; i < names.size(); ++i) {
        names[i] = std::to_string(i) + ".bin";
        contents[i] = "content " + names[i];
        hub->large.insert(names[i]);
        operations.push_back(CommitOperationAdd{names[i], UploadSource::bytes(contents[i])});
    }
    api.create_commit("alice/m", operations, {.commit_message = "m", .num_threads = 3});
    CHECK(hub->most_at_once == 3);
    CHECK(hub->find("PUT", "/s3/").size() == 6);
    CHECK(hub->committed().size() == 7);
}

TEST_CASE_FIXTURE(Fixture, "many files are asked about 256 at a time") {
    std::vector<std::string> names(300);
    std::vector<CommitOperation> operations;
    for (std::size_t i = 0; i < names.size(); ++i) {
        names[i] = std::to_string(i);
        operations.push_back(CommitOperationAdd{names[i], UploadSource::bytes("x")});
    }
    api.create_commit("alice/m", operations, {.commit_message = "m"});
    CHECK(hub->find("POST", "/api/models/alice/m/preupload/").size() == 2);
    CHECK(hub->committed().size() == 301);
}

TEST_CASE_FIXTURE(Fixture, "a file that changes while it is uploaded is not committed") {
    const std::filesystem::path path = file(pattern(1000));
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - 1h);
    auto hooked = options();
    hooked.hooks.on_response = [&](const ResponseInfo& response) {
        if (response.method == "PUT") std::ofstream(path, std::ios::binary) << pattern(1000);
    };
    Session other(hooked);
    auto transport = std::make_unique<UploadHub>(other.state()->waits());
    UploadHub& storage = *transport;
    storage.large = {"a.bin"};
    other.state()->set_transport(std::move(transport));
    CHECK(outcome([&] { HfApi(other, api_options()).upload_file(path, "a.bin", "alice/m"); }) == "IoError");
    CHECK(storage.find("PUT", "/s3/").size() == 1);
    CHECK(storage.find("POST", "/api/models/alice/m/commit/").empty());
}

TEST_CASE_FIXTURE(Fixture, "a card is checked first, and a bad one uploads nothing") {
    hub->faults["/api/validate-yaml"] = {
        {.status = 400, .body = R"({"errors":[{"message":"license is wrong"}],"warnings":[]})"}};
    const auto upload = [&] { api.upload_file(UploadSource::bytes("---\nlicense: x\n---\n"), "README.md", "alice/m"); };
    const std::string text = test::message(upload);
    CHECK(text.find("license is wrong") != std::string::npos);
    CHECK(hub->requests.size() == 1);
    CHECK(parse_json(hub->requests[0].body, "a body").at("repoType") == "model");
    upload();
    CHECK(hub->requests.size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "an upload ends when it is told to stop, all its parts with it") {
    hub->large = {"a.bin"};
    hub->chunk_size = 1 << 20;
    std::stop_source stop;
    int begun = 0;
    hub->on_put = [&] {
        if (++begun == 4) stop.request_stop();
    };
    const std::filesystem::path path = file(pattern(6 << 20));
    CHECK(outcome([&] { api.with_stop(stop.get_token()).upload_file(path, "a.bin", "alice/m"); }) == "CancelledError");
    CHECK(begun == 4);
    CHECK(hub->find("POST", "/complete/").empty());
}
