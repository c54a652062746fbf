#include "core/url.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;

TEST_CASE("a URL is split into its parts") {
    const auto url = Url::parse("HTTPS://User:pa%20ss@Hub.Example:8443/a/b%2Fc?x=1&y=%20#part");
    CHECK(url.scheme == "https");
    CHECK(url.user_info == "User:pa%20ss");
    CHECK(url.host == "hub.example");
    CHECK(url.port == 8443);
    CHECK(url.path == "/a/b%2Fc");
    CHECK(url.query == "x=1&y=%20");
    CHECK(url.str() == "https://hub.example:8443/a/b%2Fc?x=1&y=%20");
    CHECK(url.is_https());
}

TEST_CASE("a missing path is the root, a missing or empty port the scheme's") {
    CHECK(Url::parse("http://h").target() == "/");
    CHECK(Url::parse("http://h?q=1").target() == "/?q=1");
    CHECK(Url::parse("http://h#f").target() == "/");
    CHECK(Url::parse("http://h").port == 80);
    CHECK(Url::parse("https://h:/").port == 443);
    CHECK(Url::parse("socks5://h").port == 1080);
    CHECK(Url::parse("socks5h://h").port == 1080);
    CHECK(Url::parse("http://h:65535").port == 65535);
    CHECK(default_port("ftp") == 0);
}

TEST_CASE("the port is named only where it is not the default, except to CONNECT") {
    CHECK(Url::parse("https://h:443/").origin() == "https://h");
    CHECK(Url::parse("https://h:80/").origin() == "https://h:80");
    CHECK(Url::parse("http://h:80/").authority() == "h");
    CHECK(Url::parse("http://h:8080/").authority() == "h:8080");
    CHECK(Url::parse("https://h").host_port() == "h:443");
}

TEST_CASE("IPv6 addresses lose their brackets inside and wear them outside") {
    const auto url = Url::parse("http://[2001:DB8::1]:8080/x");
    CHECK(url.host == "2001:db8::1");
    CHECK(url.port == 8080);
    CHECK(url.authority() == "[2001:db8::1]:8080");
    CHECK(url.host_port() == "[2001:db8::1]:8080");
    CHECK(url.str() == "http://[2001:db8::1]:8080/x");
    for (const char* good :
         {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7::"}) {
        CAPTURE(good);
        CHECK_NOTHROW(Url::parse("http://[" + std::string(good) + "]/"));
    }
    for (const char* bad : {"", ":", "1", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1.2.3",
                            "1.2.3.4::", "::256.1.1.1", "1:2:3:4:5:6:7:8::", "::1%25eth0"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(Url::parse("http://[" + std::string(bad) + "]/"), InvalidArgumentError);
    }
}

TEST_CASE("the last @ ends the user info") {
    const auto url = Url::parse("http://user:p@ss@proxy:3128");
    CHECK(url.user_info == "user:p@ss");
    CHECK(url.host == "proxy");
    CHECK(Url::parse("http://h/a@b").user_info.empty());
    CHECK(Url::parse("http://h?a@b").host == "h");
}

TEST_CASE("text that is no usable URL is refused") {
    for (const char* bad : {"",
                            "   ",
                            "huggingface.co",
                            "//h/x",
                            "/x",
                            "ftp://h/",
                            "file:///etc/passwd",
                            "http:h",
                            "http:/h",
                            "http://",
                            "http:///x",
                            "http://:80/",
                            "http://user@/",
                            "http://h:x/",
                            "http://h:65536/",
                            "http://h:-1/",
                            "http://h:80:80/",
                            "http://[::1/",
                            "http://[::1]x/",
                            "http://a b/",
                            "http://a%20b/",
                            "http://h\xc3\xa9/",
                            "http://good\\@evil/",
                            "http://a\\b/",
                            "http://a,b/",
                            "://h",
                            "1http://h",
                            "javascript:alert(1)"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(Url::parse(bad), InvalidArgumentError);
    }
}

TEST_CASE("control characters cannot be smuggled into a request line") {
    using namespace std::string_view_literals;
    const auto base = Url::parse("http://h/");
    for (const auto bad : {"http://h/a\r\nHost: evil"sv, "http://h/a\nb"sv, "http://h/\tb"sv, "http://h/\0b"sv,
                           "http://h/?q=\x7f"sv, "http://u\r\n:p@h/"sv, "http://h/#\r\n"sv, "http://h/\r\n"sv}) {
        CHECK_THROWS_AS(Url::parse(bad), InvalidArgumentError);
        CHECK_THROWS_AS(base.resolve(bad), InvalidArgumentError);
    }
    CHECK_THROWS_AS(base.resolve("/x\r\nSet-Cookie: a"), InvalidArgumentError);
}

TEST_CASE("blanks, non-ASCII bytes and other illegal characters are percent-encoded") {
    CHECK(Url::parse("  http://h/a b?c d  ").target() == "/a%20b?c%20d");
    CHECK(Url::parse("http://h/\xc3\xa9?\xc3\xa9").target() == "/%C3%A9?%C3%A9");
    CHECK(Url::parse("http://h/a\\b\"<>^`{|}").target() == "/a%5Cb%22%3C%3E%5E%60%7B%7C%7D");
    CHECK(Url::parse("http://h/%2F%zz?a=%2F&b=[1]/?").target() == "/%2F%zz?a=%2F&b=[1]/?");
}

TEST_CASE("dot segments are removed") {
    CHECK(Url::parse("http://h/a/./b/../c").path == "/a/c");
    CHECK(Url::parse("http://h/../../x").path == "/x");
    CHECK(Url::parse("http://h/a/..").path == "/");
    CHECK(Url::parse("http://h//a//b").path == "//a//b");
    CHECK(Url::parse("http://h/a/...").path == "/a/...");
}

TEST_CASE("references resolve as the examples of RFC 3986 5.4 say") {
    const auto base = Url::parse("http://a/b/c/d;p?q");
    const std::pair<const char*, const char*> examples[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://z:8/q", "https://z:8/q"},
    };
    for (const auto& [reference, expected] : examples) {
        CAPTURE(reference);
        CHECK(base.resolve(reference).str() == expected);
    }
    CHECK_THROWS_AS(base.resolve("g:h"), InvalidArgumentError);
    CHECK_THROWS_AS(base.resolve("http:g"), InvalidArgumentError);
}

TEST_CASE("a reference leads only to http and https") {
    const auto base = Url::parse("https://h/");
    for (const char* bad : {"socks5://h/", "file:///etc/passwd", "ftp://h/x", "data:,x"}) {
        CHECK_THROWS_AS(base.resolve(bad), InvalidArgumentError);
    }
}

TEST_CASE("references keep scheme, port and escapes as servers send them") {
    const auto base = Url::parse("https://hub:8443/api/x?cursor=1");
    CHECK(base.resolve("/api/resolve-cache/a b?x=%2F").str() == "https://hub:8443/api/resolve-cache/a%20b?x=%2F");
    CHECK(base.resolve("//cdn/x").str() == "https://cdn/x");
    CHECK(base.resolve("?cursor=2").str() == "https://hub:8443/api/x?cursor=2");
    CHECK(base.resolve("y").str() == "https://hub:8443/api/y");
    CHECK(base.resolve(" /y ").str() == "https://hub:8443/y");
}

TEST_CASE("user info stays within its origin") {
    const auto base = Url::parse("https://user:secret@h/a");
    CHECK(base.resolve("/b").user_info == "user:secret");
    CHECK(base.resolve("https://h:443/b").user_info == "user:secret");
    CHECK(base.resolve("https://other/b").user_info.empty());
    CHECK(base.resolve("//other/b").user_info.empty());
    CHECK(base.resolve("http://h/b").user_info.empty());
    CHECK(base.resolve("https://h:444/b").user_info.empty());
    CHECK(base.resolve("https://me@other/b").user_info == "me");
}

TEST_CASE("origins are equal only in scheme, host and port together") {
    const auto url = Url::parse("https://h/a");
    CHECK(url.same_origin(Url::parse("https://H:443/b?c")));
    CHECK(!url.same_origin(Url::parse("http://h:443/a")));
    CHECK(!url.same_origin(Url::parse("https://h:444/a")));
    CHECK(!url.same_origin(Url::parse("https://h.evil/a")));
}

TEST_CASE("what is shown of a URL holds no credentials and no signed values") {
    const auto url = Url::parse("https://user:CANARY1@cdn/x%20y?X-Amz-Signature=CANARY2&flag&Policy=CANARY3==&e=");
    CHECK(url.redacted() == "https://cdn/x%20y?X-Amz-Signature&flag&Policy&e");
    CHECK(Url::parse("https://cdn/x").redacted() == "https://cdn/x");
    CHECK(url.str().find("CANARY1") == std::string::npos);
}

TEST_CASE("the message about a malformed URL holds no secrets") {
    try {
        Url::parse("ftp://user:CANARY1@host/x?token=CANARY2");
        FAIL("accepted");
    } catch (const InvalidArgumentError& error) {
        CHECK(std::string(error.what()) ==
              "\"ftp://host/x\" is not a URL that can be used: only http, https, socks5 and socks5h are supported");
    }
}

TEST_CASE("query parameters are appended percent-encoded") {
    auto url = Url::parse("https://h/a");
    url.add_query("q", "a b&c=d/\xc3\xa9+");
    url.add_query("expand[]", "");
    CHECK(url.query == "q=a%20b%26c%3Dd%2F%C3%A9%2B&expand%5B%5D=");
}

TEST_CASE("percent-encoding leaves unreserved and named characters, and decodes back") {
    CHECK(percent_encode("aZ09-._~/ %") == "aZ09-._~%2F%20%25");
    CHECK(percent_encode("refs/pr/1", "/") == "refs/pr/1");
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    CHECK(percent_decode(percent_encode(all)) == all);
    CHECK(percent_decode("%e9+%E9") == "\xe9+\xe9");
    for (const char* broken : {"%", "%a", "a%", "%zz", "%4", "%%41"}) {
        CHECK_THROWS_AS(percent_decode(broken), InvalidArgumentError);
    }
}
