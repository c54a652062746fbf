#include "hub/client.hpp"

#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "http/session.hpp"
#include "hub/lfs.hpp"
#include "support/loop.hpp"
#include "support/recording_transport.hpp"
#include "support/server.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <doctest/doctest.h>

#include <future>
#include <thread>

using namespace hfhub;
using namespace std::chrono_literals;
using test::RecordingTransport;

namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

SessionOptions options_with(const Variables& variables) {
    return SessionOptions(Environment::from([&](std::string_view name) -> std::optional<std::string> {
        for (const auto& [known, value] : variables) {
            if (known == name) return value;
        }
        return name == "HOME" ? std::optional<std::string>("/nonexistent") : std::nullopt;
    }));
}

/// A session with a saved token, and a client of that endpoint.
struct Fixture {
    explicit Fixture(std::string endpoint, hub::Client::Settings settings = {})
        : client(session.state(), with(std::move(settings), std::move(endpoint))) {}

    static hub::Client::Settings with(hub::Client::Settings settings, std::string endpoint) {
        settings.endpoint = std::move(endpoint);
        return settings;
    }
    std::string sent(std::string_view url, Token token, bool named) const {
        const http::Request request = named ? client.request_named_url(http::Method::get, url, token)
                                            : client.request_url(http::Method::get, url, token);
        return std::string(request.headers.value("authorization"));
    }

    Session session{options_with({{"HF_TOKEN", "hf_saved"}})};
    hub::Client client;
};

struct Place {
    const char* endpoint;
    const char* url;
    bool trusted;
    bool only_named = false;  ///< Where the user has named the URL, and not where a server has.
};

constexpr Place places[] = {
    {"https://huggingface.co", "https://huggingface.co/api/x", true},
    {"https://huggingface.co", "https://HUGGINGFACE.CO:443/api/x", true},
    {"https://huggingface.co", "https://router.huggingface.co/v1", true},
    {"https://huggingface.co", "https://abc.endpoints.huggingface.cloud/v1", true, true},
    {"https://huggingface.co", "https://user:pw@huggingface.co/api/x", true},
    {"https://huggingface.co", "http://huggingface.co/api/x", false},
    {"https://huggingface.co", "http://router.huggingface.co/v1", false},
    {"https://huggingface.co", "https://huggingface.co:8443/api/x", false},
    {"https://huggingface.co", "https://router.huggingface.co:8443/v1", false},
    {"https://huggingface.co", "https://other.test/api/x", false},
    {"https://huggingface.co", "https://evilhuggingface.co/api/x", false},
    {"https://huggingface.co", "https://huggingface.co.evil.com/api/x", false},
    {"https://huggingface.co", "https://huggingface.co@evil.com/api/x", false},
    {"https://huggingface.co", "https://evil.com/huggingface.co", false},
    {"https://huggingface.co", "https://huggingface.co./api/x", false},
    {"http://hub.test", "http://hub.test/api/x", true},
    {"http://hub.test", "https://hub.test/api/x", true},
    {"http://hub.test", "http://hub.test:8080/api/x", false},
    {"http://hub.test", "http://sub.hub.test/api/x", false},
    {"http://hub.test:8080", "http://hub.test:8080/api/x", true},
    {"http://hub.test:8080", "http://hub.test/api/x", false},
    {"http://hub.test:8080", "https://hub.test:8080/api/x", false},
    {"https://hub.test", "http://hub.test/api/x", false},
    {"https://corp.test/hub", "https://corp.test/hub/api/x", true},
    {"https://corp.test/hub", "https://corp.test.evil.com/hub/api/x", false},
    {"https://corp.test/hub", "https://huggingface.co/api/x", true, true},
    {"https://corp.test/hub", "https://abc.endpoints.huggingface.cloud/v1", true, true},
};

}  // namespace

TEST_CASE("no kind of token goes to a place that is not the Hub's, unless the user gave it for that place") {
    for (const Place& place : places) {
        CAPTURE(place.endpoint);
        CAPTURE(place.url);
        const Fixture plain(place.endpoint);
        const Fixture given(place.endpoint, {.token_kind = Token::Kind::given, .token = "hf_client"});
        const Fixture anonymous(place.endpoint, {.token_kind = Token::Kind::anonymous});
        for (const bool named : {false, true}) {
            CAPTURE(named);
            if (!named && hub::is_downgrade(Url::parse(place.endpoint), Url::parse(place.url))) {
                CHECK_THROWS_AS(plain.sent(place.url, {}, named), ProtocolError);
                continue;
            }
            const bool trusted = place.trusted && (named || !place.only_named);
            const auto only_there = [&](const char* text) { return trusted ? std::string(text) : std::string(); };
            CHECK(plain.sent(place.url, {}, named) == only_there("Bearer hf_saved"));
            CHECK(plain.sent(place.url, true, named) == only_there("Bearer hf_saved"));
            CHECK(plain.sent(place.url, false, named).empty());
            CHECK(plain.sent(place.url, "", named).empty());
            CHECK(given.sent(place.url, {}, named) == only_there("Bearer hf_client"));
            CHECK(anonymous.sent(place.url, {}, named).empty());
            const std::string call = named ? "Bearer hf_call" : only_there("Bearer hf_call");
            CHECK(plain.sent(place.url, "hf_call", named) == call);
            CHECK(given.sent(place.url, "hf_call", named) == call);
        }
    }
}

TEST_CASE("secret header fields of the client go where its token goes, others everywhere") {
    const Fixture one("https://huggingface.co",
                      {.headers = {{"authorization", "Basic x"}, {"cookie", "a=b"}, {"x-plain", "p"}}});
    const auto fields = [](const http::Request& request) {
        std::string text;
        for (const char* name : {"authorization", "cookie", "x-plain"}) {
            text += std::string(request.headers.value(name)) + ";";
        }
        return text;
    };
    const auto get = http::Method::get;
    CHECK(fields(one.client.request_url(get, "https://huggingface.co/x")) == "Basic x;a=b;p;");
    CHECK(fields(one.client.request_url(get, "https://other.test/x")) == ";;p;");
    CHECK(fields(one.client.request_named_url(get, "https://other.test/x")) == "Basic x;a=b;p;");
}

TEST_CASE("the servers that an answer names for an upload see no token, given or not") {
    const Session session(options_with({{"HF_ENDPOINT", "https://hub.test"}, {"HF_TOKEN", "hf_saved"}}));
    const auto requests = RecordingTransport::install(session, [](const http::Request& request) -> std::string {
        if (request.url.host != "hub.test") return "{}";
        return R"({"objects": [{"oid": "00ff", "size": 3, "actions": {
            "upload": {"href": "https://storage.test/put"}, "verify": {"href": "https://verify.test/"}}}]})";
    });
    for (const Token token : {Token(), Token("hf_call")}) {
        requests->clear();
        hub::LfsObject object{"00ff", "f", hub::Content(UploadSource::bytes("abc"))};
        object.info.size = 3;
        auto work = hub::lfs_upload(hub::Client(session.state(), {}), {"model", "a/b", "main", token}, {object}, 1);
        Blocking::run<void>(session, std::move(work));
        REQUIRE(requests->size() == 3);
        CHECK(requests->at(0).headers.contains("authorization"));
        CHECK(!requests->at(1).headers.contains("authorization"));
        CHECK(requests->at(2).url.host == "verify.test");
        CHECK(!requests->at(2).headers.contains("authorization"));
    }
}

TEST_CASE("get_hf_file_metadata sends a token that was given for its URL, not the saved one") {
    const Session session(options_with({{"HF_TOKEN", "hf_saved"}}));
    const auto requests = RecordingTransport::install(session);
    const HfApi api(session);
    api.get_hf_file_metadata("https://other.test/f", {.token = "hf_call"});
    CHECK(requests->back().headers.value("authorization") == "Bearer hf_call");
    CHECK(requests->back().relative_redirects_only);
    api.get_hf_file_metadata("https://other.test/f");
    CHECK(!requests->back().headers.contains("authorization"));
}

TEST_CASE("the limits of the session reach the requests of a client") {
    const Session session(test::distinct_timeouts());
    const auto requests = RecordingTransport::install(session, R"({"id": "a/b"})");
    HfApi(session).model_info("a/b");
    CHECK(test::are_distinct_timeouts(requests->back().timeouts));
    HfApi(session).with_timeout(1h).model_info("a/b");
    CHECK(test::are_distinct_timeouts(requests->back().timeouts));
    CHECK(requests->back().deadline < http::Clock::now() + 1h);
}

TEST_CASE("the saved token is read when a call begins: on its thread, and anew for each") {
    const test::TempDir home;
    const Session session(options_with({{"HF_HOME", home.path().string()}}));
    const auto requests = RecordingTransport::install(session, R"({"id": "a/b"})");
    const AsyncHfApi api(session);
    const auto authorization = [&](awaitable<ModelInfo> work) {
        Blocking::run<ModelInfo>(session, std::move(work));
        return std::string(requests->back().headers.value("authorization"));
    };
    CHECK(authorization(api.model_info("a/b")).empty());
    write_secret_file(home.path() / "token", "hf_one");
    auto begun = api.model_info("a/b");
    write_secret_file(home.path() / "token", "hf_two");
    CHECK(authorization(std::move(begun)) == "Bearer hf_one");
    CHECK(authorization(api.model_info("a/b")) == "Bearer hf_two");
}

TEST_CASE("a token file that cannot be read fails the calls that need it, and no others") {
    const test::TempDir home;
    std::filesystem::create_directory(home.path() / "token");
    const Session session(options_with({{"HF_HOME", home.path().string()}}));
    const auto requests = RecordingTransport::install(session, R"({"id": "a/b"})");
    CHECK_THROWS_AS(HfApi(session).model_info("a/b"), IoError);
    CHECK(HfApi(session).model_info("a/b", {.token = "hf_a"}).id == "a/b");
    CHECK(HfApi(session).model_info("a/b", {.token = false}).id == "a/b");
    CHECK(HfApi(session, {.token = "hf_a"}).model_info("a/b").id == "a/b");
    CHECK(requests->size() == 3);
}

namespace {

// An io_context on a thread of its own, as an application has one.
struct Application {
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(io);
    std::thread thread{[this] { io.run(); }};
    ~Application() {
        guard.reset();
        thread.join();
    }
    std::future<std::string> start(awaitable<ModelInfo> work) {
        auto promise = std::make_shared<std::promise<std::string>>();
        asio::co_spawn(io, std::move(work),
                       [promise](std::exception_ptr error, ModelInfo) { promise->set_value(test::outcome_of(error)); });
        return promise->get_future();
    }
};

}  // namespace

TEST_CASE("a call under way is no handle: the last client and session end it") {
    for (const bool own_thread : {true, false}) {
        CAPTURE(own_thread);
        test::Server silent([](test::Peer& peer) { peer.wait_for_end(20s); });
        Application application;
        const SessionOptions options = options_with({{"HF_ENDPOINT", silent.url("")}});
        std::optional<Session> session =
            own_thread ? Session(options) : Session(application.io.get_executor(), options);
        const std::weak_ptr<http::SessionState> state = session->state();
        std::optional<AsyncHfApi> api(*session);
        auto call = application.start(api->model_info("a/b"));
        while (silent.accepted() == 0) std::this_thread::sleep_for(1ms);
        const auto begin = http::Clock::now();
        session.reset();
        api.reset();
        CHECK(http::Clock::now() - begin < 1s);
        REQUIRE(call.wait_for(1s) == std::future_status::ready);
        CHECK(call.get() == "CancelledError");
        while (!state.expired() && http::Clock::now() - begin < 1s) std::this_thread::sleep_for(1ms);
        CHECK(state.expired());
    }
}

TEST_CASE("HfApi refuses the thread that runs its session, in handlers, hooks and progress callbacks") {
    test::Server server(test::http1_answers([](const test::ServerRequest& request) {
        if (request.method != "HEAD") return test::ok_answer("abc");
        return std::string("HTTP/1.1 200 OK\r\nX-Repo-Commit: ") + std::string(40, 'c') + "\r\nETag: \"" +
               std::string(40, 'e') + "\"\r\nContent-Length: 3\r\n\r\n";
    }));
    const test::TempDir home;
    Application application;
    SessionOptions options = options_with({{"HF_ENDPOINT", server.url("")}, {"HF_HOME", home.path().string()}});
    std::optional<HfApi> api;
    int refusals = 0;
    const auto call = [&] {
        try {
            api->model_info("a/b");
        } catch (const std::logic_error&) {
            ++refusals;
        }
    };
    options.hooks.on_request = [&](RequestHook&) { call(); };
    api.emplace(Session(application.io.get_executor(), options));
    std::promise<void> done;
    auto future = done.get_future();
    asio::post(application.io, [&] {
        call();
        done.set_value();
    });
    REQUIRE(future.wait_for(1s) == std::future_status::ready);
    CHECK(refusals == 1);
    const ProgressCallback progress = [&](const Progress&) { call(); };
    api->hf_hub_download("a/b", "f", {.verify_hash = false, .progress = &progress});
    CHECK(refusals > 3);  // two requests, and progress
}

TEST_CASE("keys of other servers and proxy passwords are kept out of messages") {
    SessionOptions options = options_with({{"HTTPS_PROXY", "http://user:CANARY-proxy-password@proxy.test:3128"}});
    const HfApi api(Session(options), {.token = "sk-CANARY-provider-key"});
    std::string said;
    set_log_sink([&](LogLevel, std::string_view text) { said += text; });
    log(LogLevel::error, "the server says: bad key sk-CANARY-provider-key, by CANARY-proxy-password");
    set_log_sink({});
    CHECK(said.find("the server says") != std::string::npos);
    CHECK(said.find("CANARY") == std::string::npos);
}

TEST_CASE("an error's text is read though its body is too large, or breaks off") {
    for (const bool whole : {true, false}) {
        CAPTURE(whole);
        test::Server server([whole](test::Peer& peer) {
            if (!peer.read_request()) return;
            const std::string body = "the disk is full" + std::string(100'000, '.');
            peer.write("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, whole ? body.size() : 1000));
        });
        const HfApi api({.endpoint = server.url("")});
        try {
            api.model_info("a/b");
            FAIL("must throw");
        } catch (const BadRequestError& error) {
            CHECK(error.context().server_message.starts_with("the disk is full"));
            CHECK(error.context().body.size() == (whole ? 64 * 1024 : 1000));
        }
    }
}
