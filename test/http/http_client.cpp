#include "support/loop.hpp"
#include "support/recording_transport.hpp"

#include <hfhub/http_client.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace std::chrono_literals;
using test::RecordingTransport;

namespace {

struct Fixture {
    Session session{test::distinct_timeouts()};
    RecordingTransport::Requests requests = RecordingTransport::install(session, "0123456789");
    HttpClient client{session};

    const http::Request& last() const { return requests->back(); }
};

}  // namespace

TEST_CASE("a request is what was asked for") {
    Fixture one;
    const HttpHeaders::Field fields[] = {{"X-One", "1"}, {"X-Two", "2"}};
    const auto before = http::Clock::now();
    const HttpResponse response = one.client.request("PUT", "http://h.test/p?q=1",
                                                     {.headers = fields,
                                                      .body = "payload",
                                                      .content_type = "text/x-test",
                                                      .timeout = 5s,
                                                      .max_redirects = 3,
                                                      .max_attempts = 2});
    CHECK(response.status == 200);
    CHECK(response.body == "0123456789");
    CHECK(response.url == "http://h.test/p?q=1");
    const http::Request& sent = one.last();
    CHECK(sent.method == http::Method::put);
    CHECK(sent.url.str() == "http://h.test/p?q=1");
    CHECK(std::get<std::string>(sent.body) == "payload");
    CHECK(sent.headers.value("content-type") == "text/x-test");
    CHECK(sent.headers.value("x-one") == "1");
    CHECK(sent.headers.value("x-two") == "2");
    CHECK(!sent.headers.contains("authorization"));
    CHECK(sent.max_redirects == 3);
    CHECK(sent.max_attempts == 2);
    CHECK(sent.deadline >= before + 5s);
    CHECK(sent.deadline <= http::Clock::now() + 5s);
}

TEST_CASE("what is not asked for has the session's limits, no deadline and no body") {
    Fixture one;
    one.client.get("http://h.test/");
    CHECK(one.last().method == http::Method::get);
    CHECK(test::are_distinct_timeouts(one.last().timeouts));
    CHECK(one.last().deadline == http::Clock::time_point::max());
    CHECK(std::holds_alternative<std::monostate>(one.last().body));
    CHECK(!one.last().headers.contains("content-type"));
    CHECK(one.last().max_redirects == 20);
    CHECK(one.last().max_attempts == 6);
    one.client.post("http://h.test/");
    CHECK(one.last().method == http::Method::post);
}

TEST_CASE("every method has its name, and others are refused before anything is sent") {
    Fixture one;
    for (const char* name : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
        one.client.request(name, "http://h.test/");
        CHECK(http::to_string(one.last().method) == name);
    }
    const std::size_t sent = one.requests->size();
    for (const char* bad : {"get", "TRACE", ""}) {
        CHECK_THROWS_AS(one.client.request(bad, "http://h.test/"), InvalidArgumentError);
    }
    CHECK_THROWS_AS(one.client.get("ftp://h.test/"), InvalidArgumentError);
    CHECK(one.requests->size() == sent);
}

TEST_CASE("an answer larger than max_body is an error, one of that size is not") {
    Fixture one;
    CHECK(one.client.get("http://h.test/", {.max_body = 10}).body.size() == 10);
    CHECK_THROWS_AS(one.client.get("http://h.test/", {.max_body = 9}), ProtocolError);
}

TEST_CASE("the coroutine client sends the same") {
    Fixture one;
    const AsyncHttpClient client(one.session);
    std::optional<awaitable<HttpResponse>> work;
    {
        const std::string url = "http://h.test/" + std::string(60, 'p'), body(60, 'b');
        work = client.post(url, {.body = body, .max_attempts = 1});
    }
    const HttpResponse response = Blocking::run<HttpResponse>(one.session, std::move(*work));
    CHECK(response.body == "0123456789");
    CHECK(one.last().url.path == "/" + std::string(60, 'p'));
    CHECK(std::get<std::string>(one.last().body) == std::string(60, 'b'));
    CHECK(one.last().max_attempts == 1);
}
