#include "http/redirect.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hfhub;
using namespace hfhub::http;

namespace {

Request request_to(std::string_view url, Method method = Method::get) {
    Request request;
    request.method = method;
    request.url = Url::parse(url);
    return request;
}

RedirectDecision decide(const Request& request, int status, std::string_view location,
                        const std::vector<std::string>& visited = {}) {
    Headers headers;
    headers.add("Location", location);
    return redirect_of(request, status, headers, visited);
}

}  // namespace

TEST_CASE("only the five redirect statuses with a Location are followed") {
    const Request request = request_to("https://hub.co/a");
    for (int status : {301, 302, 303, 307, 308}) CHECK(decide(request, status, "/b").follow);
    for (int status : {200, 201, 204, 206, 300, 304, 305, 306, 399, 400, 404, 500}) {
        CHECK(!decide(request, status, "/b").follow);
    }
    CHECK(!redirect_of(request, 302, Headers{}, {}).follow);
    CHECK(!decide(request, 302, "").follow);
    CHECK(!decide(request, 302, "  ").follow);
}

TEST_CASE("where redirects are answers none is followed") {
    Request request = request_to("https://hub.co/a");
    request.max_redirects = 0;
    CHECK(!decide(request, 302, "/b").follow);
    CHECK(!decide(request, 302, "ftp://x/").follow);
}

TEST_CASE("the Location is resolved against the URL") {
    struct Case {
        const char *from, *location, *to;
    };
    for (const Case& test : {
             Case{"https://hub.co/a/b?q=1", "/c", "https://hub.co/c"},
             Case{"https://hub.co/a/b?q=1", "c?x=2", "https://hub.co/a/c?x=2"},
             Case{"https://hub.co/a/b?q=1", "../c", "https://hub.co/c"},
             Case{"https://hub.co/a/b?q=1", "?x=2", "https://hub.co/a/b?x=2"},
             Case{"https://hub.co/a/b", "//cdn.co/c", "https://cdn.co/c"},
             Case{"https://hub.co/a/b", "https://cdn.co", "https://cdn.co/"},
             Case{"https://hub.co/a/b", "HTTPS://CDN.co:443/C", "https://cdn.co/C"},
             Case{"https://hub.co/a/b", " /c ", "https://hub.co/c"},
             Case{"https://hub.co/a/b", "/c#part", "https://hub.co/c"},
             Case{"https://hub.co/a/b", "/a b/ü", "https://hub.co/a%20b/%C3%BC"},
             Case{"http://hub.co:8080/a", "/c", "http://hub.co:8080/c"},
             Case{"http://hub.co/a", "https://hub.co/a", "https://hub.co/a"},
             Case{"http://[::1]:80/a", "http://[::1]/c", "http://[::1]/c"},
         }) {
        CAPTURE(std::string(test.location));
        const RedirectDecision decision = decide(request_to(test.from), 302, test.location);
        CHECK(decision.follow);
        CHECK(decision.url.str() == test.to);
    }
}

TEST_CASE("targets that no client should follow are refused with the reason") {
    struct Case {
        const char *from, *location, *reason;
    };
    for (const Case& test : {
             Case{"https://hub.co/a", "http://hub.co/a2", "unprotected http"},
             Case{"https://hub.co/a", "http://cdn.co/", "unprotected http"},
             Case{"https://localhost/a", "http://localhost/b", "unprotected http"},
             Case{"https://hub.co/a", "ftp://hub.co/a", "http"},
             Case{"https://hub.co/a", "file:///etc/passwd", "http"},
             Case{"https://hub.co/a", "javascript:alert(1)", "http"},
             Case{"https://hub.co/a", "data:text/plain,x", "http"},
             Case{"https://hub.co/a", "socks5://hub.co/", "http"},
             Case{"https://hub.co/a", "https:///a", "not followed"},
             Case{"https://hub.co/a", "https://hub.co:99999/", "not followed"},
             Case{"https://hub.co/a", "/a\r\nX-Injected: 1", "control character"},
         }) {
        CAPTURE(std::string(test.location));
        CHECK_THROWS_WITH_AS(decide(request_to(test.from), 302, test.location), doctest::Contains(test.reason),
                             ProtocolError);
    }
}

TEST_CASE("a refusal shows no signature") {
    try {
        decide(request_to("https://hub.co/a?token=secret1"), 302, "http://cdn.co/x?X-Amz-Signature=secret2");
        FAIL("not refused");
    } catch (const ProtocolError& error) {
        const std::string text = std::string(error.what()) + error.url();
        CHECK(text.find("secret") == std::string::npos);
        CHECK(text.find("http://cdn.co/x") != std::string::npos);
    }
}

TEST_CASE("an answer with two different targets is refused") {
    Headers headers;
    headers.add("location", "/b");
    headers.add("location", "/b");
    CHECK(redirect_of(request_to("https://hub.co/a"), 302, headers, {}).follow);
    headers.add("location", "/c");
    CHECK_THROWS_AS(redirect_of(request_to("https://hub.co/a"), 302, headers, {}), ProtocolError);
}

TEST_CASE("method and body follow the status") {
    struct Case {
        int status;
        Method before, after;
    };
    using enum Method;
    for (const Case& test : {
             Case{301, post, get},        Case{302, post, get},    Case{303, post, get},        Case{307, post, post},
             Case{308, post, post},       Case{301, get, get},     Case{302, get, get},         Case{303, get, get},
             Case{301, head, head},       Case{302, head, head},   Case{303, head, head},       Case{307, head, head},
             Case{301, put, put},         Case{302, put, put},     Case{303, put, get},         Case{307, put, put},
             Case{302, delete_, delete_}, Case{303, delete_, get}, Case{308, delete_, delete_}, Case{302, patch, patch},
         }) {
        CAPTURE(test.status);
        Request request = request_to("https://hub.co/a", test.before);
        request.body = std::string("x");
        request.headers = {{"Content-Type", "text/plain"},
                           {"Content-Length", "1"},
                           {"Content-Encoding", "gzip"},
                           {"Transfer-Encoding", "chunked"},
                           {"Expect", "100-continue"},
                           {"Accept", "*/*"},
                           {"Host", "hub.co"}};
        const RedirectDecision decision = decide(request, test.status, "/b");
        CHECK(decision.method == test.after);
        CHECK(decision.drop_body == (test.before != test.after));
        apply_redirect(request, decision);
        CHECK(request.method == test.after);
        CHECK(request.url.path == "/b");
        CHECK(std::holds_alternative<std::string>(request.body) == !decision.drop_body);
        CHECK(request.headers.contains("content-type") == !decision.drop_body);
        CHECK(request.headers.size() == (decision.drop_body ? 1 : 6));
        CHECK(request.headers.contains("accept"));
        CHECK(!request.headers.contains("host"));
    }
}

TEST_CASE("credentials stay with their origin, over every status, scheme, host and port") {
    struct Case {
        const char *from, *location;
        bool kept;
    };
    for (const Case& test : {
             Case{"https://hub.co/a", "/b", true},
             Case{"https://hub.co/a", "https://hub.co/b", true},
             Case{"https://hub.co/a", "https://HUB.co:443/b", true},
             Case{"https://hub.co/a", "//hub.co/b", true},
             Case{"http://hub.co/a", "https://hub.co/b", true},
             Case{"http://127.0.0.1:8080/a", "http://127.0.0.1:8080/b", true},
             Case{"https://hub.co/a", "https://cdn.co/b", false},
             Case{"https://hub.co/a", "https://www.hub.co/b", false},
             Case{"https://www.hub.co/a", "https://hub.co/b", false},
             Case{"https://hub.co/a", "https://hub.co.evil.org/b", false},
             Case{"https://hub.co/a", "https://hub.co./b", false},
             Case{"https://hub.co/a", "https://hub.co:8443/b", false},
             Case{"https://hub.co:8443/a", "https://hub.co/b", false},
             Case{"http://hub.co/a", "http://hub.co:8080/b", false},
             Case{"http://hub.co:8080/a", "https://hub.co/b", false},
             Case{"http://hub.co/a", "https://hub.co:8443/b", false},
             Case{"http://hub.co/a", "https://cdn.co/b", false},
             Case{"https://hub.co/a", "https://hub.co@cdn.co/b", false},
             Case{"http://127.0.0.1:8080/a", "http://localhost:8080/b", false},
             Case{"http://127.0.0.1:8080/a", "http://127.0.0.1:8081/b", false},
         }) {
        for (int status : {301, 302, 303, 307, 308}) {
            CAPTURE(std::string(test.location));
            CAPTURE(status);
            Request request = request_to(test.from);
            request.headers = {{"Authorization", "Bearer hf_x"},
                               {"Cookie", "a=b"},
                               {"Proxy-Authorization", "Basic x"},
                               {"X-Xet-Access-Token", "t"},
                               {"x-api-key", "k"},
                               {"Range", "bytes=1-"},
                               {"User-Agent", "u"},
                               {"X-HF-Bill-To", "acme"}};
            const RedirectDecision decision = decide(request, status, test.location);
            CHECK(decision.drop_credentials == !test.kept);
            apply_redirect(request, decision);
            for (const char* name :
                 {"authorization", "cookie", "proxy-authorization", "x-xet-access-token", "x-api-key"}) {
                CHECK(request.headers.contains(name) == test.kept);
            }
            for (const char* name : {"range", "user-agent", "x-hf-bill-to"}) CHECK(request.headers.contains(name));
        }
    }
}

TEST_CASE("user info goes only where it came from") {
    CHECK(decide(request_to("https://u:p@hub.co/a"), 302, "/b").url.user_info == "u:p");
    CHECK(decide(request_to("https://u:p@hub.co/a"), 302, "https://cdn.co/b").url.user_info.empty());
    CHECK(decide(request_to("https://hub.co/a"), 302, "https://x:y@hub.co/b").url.user_info.empty());
    CHECK(decide(request_to("https://hub.co/a"), 302, "https://x:y@cdn.co/b").url.user_info.empty());
}

TEST_CASE("credentials that were dropped do not come back on the way home") {
    Request request = request_to("https://hub.co/a");
    request.headers = {{"Authorization", "Bearer hf_x"}};
    std::vector<std::string> visited;
    for (const char* location : {"https://cdn.co/b", "https://hub.co/c"}) {
        const RedirectDecision decision = decide(request, 302, location, visited);
        visited.push_back(redirect_key(request));
        apply_redirect(request, decision);
        CHECK(!request.headers.contains("authorization"));
    }
    CHECK(request.url.str() == "https://hub.co/c");
}

TEST_CASE("for a file's metadata only relative Locations are followed, and the query stays") {
    struct Case {
        const char *location, *to;  // to: null where the redirect is the answer
    };
    for (const Case& test : {
             Case{"/alice/new/resolve/main/f", "https://hub.co/alice/new/resolve/main/f?download=1"},
             Case{"/alice/new/resolve/main/f?other=2", "https://hub.co/alice/new/resolve/main/f?download=1"},
             Case{"/a/b%2Fc#x", "https://hub.co/a/b%2Fc?download=1"},
             Case{"/with:colon", "https://hub.co/with:colon?download=1"},
             Case{"https://hub.co/alice/new", nullptr},
             Case{"https://cdn.co/x?sig=1", nullptr},
             Case{"http://cdn.co/x", nullptr},
             Case{"//hub.co/x", nullptr},
             Case{"ftp:x", nullptr},
         }) {
        CAPTURE(std::string(test.location));
        Request request = request_to("https://hub.co/alice/old/resolve/main/f?download=1", Method::head);
        request.relative_redirects_only = true;
        const RedirectDecision decision = decide(request, 307, test.location);
        CHECK(decision.follow == (test.to != nullptr));
        if (test.to) CHECK(decision.url.str() == test.to);
        if (test.to) CHECK(!decision.drop_credentials);
    }
}

TEST_CASE("redirects end at the limit and in a circle") {
    Request request = request_to("https://hub.co/0");
    request.max_redirects = 5;
    std::vector<std::string> visited;
    for (int hop = 1; hop <= 5; ++hop) {
        const RedirectDecision decision = decide(request, 302, "/" + std::to_string(hop), visited);
        visited.push_back(redirect_key(request));
        apply_redirect(request, decision);
    }
    CHECK_THROWS_WITH_AS(decide(request, 302, "/6", visited), doctest::Contains("5 redirects"), TooManyRedirectsError);
    CHECK(decide(request, 200, "/6", visited).follow == false);

    const Request home = request_to("https://hub.co/a");
    CHECK_THROWS_WITH_AS(decide(home, 302, "/a"), doctest::Contains("circle"), TooManyRedirectsError);
    CHECK_THROWS_AS(decide(home, 302, "https://hub.co:443/a"), TooManyRedirectsError);
    CHECK_THROWS_AS(decide(home, 302, "/b", {"GET https://hub.co/b"}), TooManyRedirectsError);
    CHECK(decide(request_to("https://hub.co/a", Method::post), 303, "/a").follow);  // another request: GET
}

TEST_CASE("credential fields are told by their names") {
    for (const char* name :
         {"Authorization", "proxy-authorization", "Cookie", "set-cookie", "X-Sandbox-Token", "x-amz-security-token",
          "X-API-KEY", "xi-api-key", "X-Webhook-Secret", "X-Amz-Signature"}) {
        CHECK(is_credential_field(name));
    }
    for (const char* name :
         {"accept", "range", "user-agent", "x-hf-bill-to", "x-request-id", "content-type", "if-range"}) {
        CHECK(!is_credential_field(name));
    }
}
