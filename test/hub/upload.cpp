#include "core/base64.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"
#include "http/session.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/hub/upload.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <stop_token>

using namespace hfhub;
using namespace std::chrono_literals;
using test::outcome;
using test::TempDir;

namespace {

constexpr std::string_view endpoint = "http://hub.test";

/// A request as the wire would see it.
struct Sent {
    std::string method, url, body;
    http::Headers headers;
    http::Milliseconds headers_timeout{};
};

struct Reply {
    int status = 200;
    std::string body = "{}";
    std::string etag{};
    bool lost = false;  ///< The connection ends before the answer.
    bool late = false;  ///< There is no answer in time.
};

/// A Hub and its storage in memory, as far as uploads need them. What the server decides can be set; used by the test
/// before and after a call only.
class UploadHub final : public http::Transport {
  public:
    UploadHub(http::Waits& waits) : waits_(waits) {}

    awaitable<http::Response> send(const http::Request& request, bool) override {
        Sent sent{std::string(http::to_string(request.method)),
                  request.url.str(),
                  {},
                  request.headers,
                  request.timeouts.headers};
        most_at_once = std::max(most_at_once, ++at_once_);
        sent.body = co_await body_of(request.body, most_taken);
        if (request.method == http::Method::put) {
            // Lets other uploads begin before this one ends.
            http::Event event(waits_);
            if (on_put) on_put();
            const auto until = on_put ? http::Clock::time_point::max() : http::Clock::now() + 5ms;
            const http::Wake wake = co_await event.wait(until);
            if (wake == http::Wake::cancelled) throw CancelledError();
        }
        --at_once_;
        const Reply reply = answer(sent);
        requests.push_back(std::move(sent));
        if (reply.lost) throw ConnectionLostError("the connection was lost");
        if (reply.late) throw_late(request.timeouts.headers);
        http::Response response;
        response.status = reply.status;
        response.url = request.url;
        if (!reply.etag.empty()) response.headers.add("etag", reply.etag);
        response.body = http::memory_body(reply.body);
        co_return response;
    }

    /// Requests whose method and URL begin so.
    std::vector<Sent> find(std::string_view method, std::string_view url) const {
        std::vector<Sent> found;
        for (const Sent& one : requests) {
            if (one.method == method && one.url.starts_with(std::string(endpoint) + std::string(url)))
                found.push_back(one);
        }
        return found;
    }
    std::vector<json::value> committed() const {
        std::vector<json::value> lines;
        std::string_view text = requests.back().body;
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            lines.push_back(parse_json(text.substr(0, end), "a line"));
            text.remove_prefix(end + 1);
        }
        return lines;
    }

    std::set<std::string> large;                       ///< Paths that are stored as large files.
    std::map<std::string, std::string> known;          ///< Ids that the repository has, by path.
    std::uint64_t chunk_size = 0;                      ///< Of uploads in parts; 0: in one.
    std::map<std::string, std::vector<Reply>> faults;  ///< Answers to the first requests whose URL contains the key.
    int looks_until_known = 0;                         ///< How often the Hub is asked until it has made a commit.
    bool learns = false;                               ///< A commit whose answer is lost is made all the same.
    std::size_t most_taken = SIZE_MAX;                 ///< Of a content, before it is answered.
    std::function<void()> on_put;                      ///< Called at each upload, which then does not end by itself.

    std::vector<Sent> requests;
    int most_at_once = 0;

  private:
    static awaitable<std::string> body_of(const http::RequestBody& body, std::size_t most) {
        if (const auto* text = std::get_if<std::string>(&body)) co_return *text;
        std::string all;
        const auto* source = std::get_if<std::shared_ptr<http::BodySource>>(&body);
        if (source == nullptr) co_return all;
        std::vector<std::byte> buffer(70'000);
        while (all.size() < most) {
            const std::size_t n = co_await (*source)->read_some(buffer);
            if (n == 0) break;
            all.append(reinterpret_cast<const char*>(buffer.data()), n);
        }
        if (all.size() < most && (*source)->size() != all.size())
            throw std::logic_error("a body's size is not what it said");
        co_return all;
    }

    [[noreturn]] static void throw_late(http::Milliseconds limit) {
        TimeoutError late(TimeoutPhase::headers, limit);
        late.maybe_processed = true;
        throw late;
    }

    Reply answer(const Sent& sent) {
        if (sent.url.find("/preupload/") != sent.url.npos && looks_until_known > 0 && --looks_until_known == 0)
            known["a.txt"] = id_of("1");
        for (auto& [key, replies] : faults) {
            if (sent.url.find(key) == std::string::npos || replies.empty()) continue;
            const Reply reply = replies.front();
            replies.erase(replies.begin());
            if (reply.lost && learns) learn(sent);
            return reply;
        }
        if (sent.url.find("/preupload/") != sent.url.npos)
            return {.body = json::serialize(preupload(parse_json(sent.body, "a body")))};
        if (sent.url.ends_with("/objects/batch"))
            return {.body = json::serialize(batch(parse_json(sent.body, "a body")))};
        if (sent.method == "PUT") return {.etag = "\"" + sha256_hex(sent.body).substr(0, 8) + "\""};
        if (sent.url.find("/commit/") != sent.url.npos) {
            return {.body = R"({"commitOid":"abc","commitUrl":"http://hub.test/alice/m/commit/abc"})"};
        }
        if (sent.url.find("/revision/") != sent.url.npos) return {.body = R"({"id":"alice/m","sha":"head"})"};
        return {};
    }

    void learn(const Sent& sent) {
        for (const std::string_view path : {"a.txt", "b.txt"}) {
            if (sent.body.find(path) != sent.body.npos) known[std::string(path)] = id_of("1");
        }
    }
    static std::string id_of(std::string_view content) {
        GitBlobSha1 hash(content.size());
        hash.update(content);
        return hash.hex();
    }

    json::value preupload(const json::value& asked) const {
        json::array files;
        for (const json::value& file : asked.at("files").as_array()) {
            const std::string path(file.at("path").as_string());
            json::object decision{{"path", path}, {"uploadMode", large.contains(path) ? "lfs" : "regular"}};
            if (const auto id = known.find(path); id != known.end()) decision["oid"] = id->second;
            files.push_back(std::move(decision));
        }
        return json::object{{"files", std::move(files)}};
    }

    json::value batch(const json::value& asked) const {
        json::array objects;
        for (const json::value& object : asked.at("objects").as_array()) {
            const std::string oid(object.at("oid").as_string());
            const auto size = object.at("size").to_number<std::uint64_t>();
            json::object upload{{"href", std::string(endpoint) + "/s3/" + oid + "?X-Amz-Signature=secret"}};
            if (chunk_size > 0) {
                json::object header{{"chunk_size", std::to_string(chunk_size)}};
                for (std::uint64_t part = 1; (part - 1) * chunk_size < size; ++part) {
                    header[std::to_string(part)] = "https://huggingface.co/s3/part" + std::to_string(part);
                }
                upload = {{"href", std::string(endpoint) + "/complete/" + oid}, {"header", std::move(header)}};
            }
            json::object actions{{"upload", std::move(upload)}};
            actions["verify"] = json::object{{"href", std::string(endpoint) + "/verify"}};
            objects.push_back(json::object{{"oid", oid}, {"size", size}, {"actions", std::move(actions)}});
        }
        return json::object{{"objects", std::move(objects)}};
    }

    http::Waits& waits_;
    int at_once_ = 0;
};

struct Fixture {
    explicit Fixture(const SessionOptions& chosen = options()) : session(chosen) {
        auto& state = *session.state();
        auto transport = std::make_unique<UploadHub>(state.waits());
        hub = transport.get();
        state.set_transport(std::move(transport));
    }

    static SessionOptions options() {
        SessionOptions options{Environment()};
        options.backoff_base = 1ms;
        options.backoff_cap = 2ms;
        return options;
    }
    static HfApiOptions api_options() {
        HfApiOptions options;
        options.endpoint = endpoint;
        options.token = "hf_secret";
        options.headers = {{"x-company", "secret"}};
        return options;
    }
    std::filesystem::path file(std::string_view content) const {
        const std::filesystem::path path = folder.path() / "file";
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    TempDir folder;
    Session session;
    UploadHub* hub;
    HfApi api{session, api_options()};
};

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
