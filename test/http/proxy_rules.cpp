#include "http/proxy_rules.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::http;

namespace {

std::string chosen(std::string_view url, const ProxySettings& settings) {
    const auto proxy = proxy_for(Url::parse(url), settings);
    return proxy ? proxy->scheme + "://" + proxy->host_port() : "direct";
}

}  // namespace

TEST_CASE("a password that was pasted as it is, with a bare percent sign, is taken as it is") {
    const auto login = [](const char* user_info) {
        Url url = Url::parse("http://proxy.test:3128");
        url.user_info = user_info;
        const Login found = login_of(url);
        return found.user + "|" + found.password;
    };
    CHECK(login("us%20er:p%40ss") == "us er|p@ss");
    CHECK(login("user:50%") == "user|50%");
    CHECK(login("user:5%0") == "user|5%0");
    CHECK(login("user:%zz%4g%%41") == "user|%zz%4g%A");
    CHECK(login("user:a:b") == "user|a:b");
    CHECK(login("user") == "user|");
    CHECK(login("") == "|");
}

TEST_CASE("a URL goes through the proxy of its scheme, else through the one for all") {
    CHECK(chosen("http://hub.co/", {}) == "direct");
    const ProxySettings both{.http = "http://h:1", .https = "http://s:2"};
    CHECK(chosen("http://hub.co/", both) == "http://h:1");
    CHECK(chosen("https://hub.co/", both) == "http://s:2");
    const ProxySettings all{.http = "http://h:1", .all = "socks5://a:3"};
    CHECK(chosen("http://hub.co/", all) == "http://h:1");
    CHECK(chosen("https://hub.co/", all) == "socks5://a:3");
    CHECK(chosen("https://hub.co/", {.http = "http://h:1"}) == "direct");
}

TEST_CASE("a proxy may lack scheme and port, and keeps its user") {
    struct Case {
        const char *setting, *proxy, *user;
    };
    for (const Case& test : {
             Case{"proxy.corp:3128", "http://proxy.corp:3128", ""},
             Case{"proxy.corp", "http://proxy.corp:80", ""},
             Case{"http://proxy.corp:3128/", "http://proxy.corp:3128", ""},
             Case{"HTTP://proxy.corp:3128", "http://proxy.corp:3128", ""},
             Case{"https://proxy.corp", "https://proxy.corp:443", ""},
             Case{"socks5://p", "socks5://p:1080", ""},
             Case{"socks5h://p:9050", "socks5h://p:9050", ""},
             Case{"http://u:p%40ss@proxy:1", "http://proxy:1", "u:p%40ss"},
             Case{"u:p@proxy:1", "http://proxy:1", "u:p"},
             Case{"http://[::1]:8080", "http://[::1]:8080", ""},
         }) {
        CAPTURE(std::string(test.setting));
        const ProxySettings settings{.all = test.setting};
        CHECK(chosen("https://hub.co/", settings) == test.proxy);
        CHECK(proxy_for(Url::parse("https://hub.co/"), settings)->user_info == test.user);
    }
}

TEST_CASE("a proxy that cannot be used is refused without showing its password") {
    for (const char* setting :
         {"ftp://u:secret@p:1", "socks4://u:secret@p:1", "http://u:secret@p:99999", "http://u:secret@",
          "file:///secret", "http://u:secret@p p:1", "u:secret@proxy:1://", "\x1b[1mftp://p"}) {
        CAPTURE(std::string(setting));
        try {
            chosen("https://hub.co/", {.all = setting});
            FAIL("not refused");
        } catch (const InvalidArgumentError& error) {
            const std::string text = error.what();
            CHECK(text.find("proxy") != std::string::npos);
            CHECK(text.find("u:secret") == std::string::npos);
            CHECK(text.find('\x1b') == std::string::npos);
        }
    }
    CHECK_THROWS_WITH_AS(chosen("https://hub.co/", {.all = "socks4://p:1"}), doctest::Contains("socks5h://"),
                         InvalidArgumentError);
}

TEST_CASE("a host that NO_PROXY names is reached directly") {
    struct Case {
        const char *no_proxy, *url;
        bool direct;
    };
    for (const Case& test : {
             Case{"", "https://hub.co/", false},
             Case{"*", "https://hub.co/", true},
             Case{"other.org, *", "https://hub.co/", true},
             Case{"hub.co", "https://hub.co/", true},
             Case{"HUB.CO", "https://hub.co/", true},
             Case{"hub.co", "https://hub.co./", true},
             Case{"hub.co.", "https://hub.co/", true},
             Case{"hub.co", "https://api.hub.co/", true},
             Case{"hub.co", "https://a.b.hub.co:8443/", true},
             Case{"hub.co", "https://myhub.co/", false},
             Case{"hub.co", "https://hub.co.evil.org/", false},
             Case{"co", "https://hub.co/", true},
             Case{".hub.co", "https://api.hub.co/", true},
             Case{".hub.co", "https://hub.co/", false},
             Case{"*.hub.co", "https://api.hub.co/", true},
             Case{"*.hub.co", "https://hub.co/", false},
             Case{"localhost", "http://localhost:8080/", true},
             Case{"hub.co:443", "https://hub.co/", true},
             Case{"hub.co:443", "https://api.hub.co/", true},
             Case{"hub.co:8443", "https://hub.co/", false},
             Case{"hub.co:8443", "https://hub.co:8443/", true},
             Case{"hub.co:x", "https://hub.co/", false},
             Case{"hub.co:", "https://hub.co/", false},
             Case{"https://hub.co", "https://hub.co/", true},
             Case{"http://hub.co", "https://hub.co/", false},
             Case{"https://hub.co:8443", "https://hub.co/", false},
             Case{"a.org,hub.co", "https://hub.co/", true},
             Case{"a.org hub.co\tb.org", "https://hub.co/", true},
             Case{" , ,, hub.co ,", "https://hub.co/", true},
             Case{"a.org,b.org", "https://hub.co/", false},
             Case{"127.0.0.1", "http://127.0.0.1:9000/", true},
             Case{"127.0.0.1:9000", "http://127.0.0.1:9000/", true},
             Case{"127.0.0.1:9001", "http://127.0.0.1:9000/", false},
             Case{"27.0.0.1", "http://127.0.0.1/", false},
             Case{"0.0.1", "http://127.0.0.1/", false},
             Case{"127.0.0.1", "http://localhost/", false},
             Case{"10.0.0.0/8", "http://10.200.3.4/", true},
             Case{"10.0.0.0/8", "http://11.0.0.1/", false},
             Case{"192.168.1.0/24", "http://192.168.1.255/", true},
             Case{"192.168.1.7/24", "http://192.168.1.255/", true},
             Case{"192.168.1.0/24", "http://192.168.2.1/", false},
             Case{"192.168.1.128/25", "http://192.168.1.127/", false},
             Case{"0.0.0.0/0", "http://8.8.8.8/", true},
             Case{"10.0.0.1/32", "http://10.0.0.1/", true},
             Case{"10.0.0.1/32", "http://10.0.0.2/", false},
             Case{"10.0.0.0/33", "http://10.0.0.1/", false},
             Case{"10.0.0.0/", "http://10.0.0.1/", false},
             Case{"10.0.0.0/8", "http://hub.co/", false},
             Case{"10.0.0.0/8", "http://[::1]/", false},
             Case{"::1", "http://[::1]:8080/", true},
             Case{"[::1]", "http://[::1]:8080/", true},
             Case{"[::1]:8080", "http://[::1]:8080/", true},
             Case{"[::1]:8081", "http://[::1]:8080/", false},
             Case{"0:0:0:0:0:0:0:1", "http://[::1]/", true},
             Case{"::2", "http://[::1]/", false},
             Case{"fd00::/8", "http://[fd12:3456::1]/", true},
             Case{"fd00::/8", "http://[fe80::1]/", false},
             Case{"2001:db8::/33", "http://[2001:db8:7fff::1]/", true},
             Case{"2001:db8::/33", "http://[2001:db8:8000::1]/", false},
             Case{"::/0", "http://[2001:db8::1]/", true},
             Case{"::1/128", "http://[::1]/", true},
             Case{"fd00::/129", "http://[fd00::1]/", false},
             Case{"fd00::/8", "http://10.0.0.1/", false},
             Case{".", "https://hub.co/", false},
             Case{"[", "https://hub.co/", false},
             Case{"[]", "https://hub.co/", false},
             Case{":", "https://hub.co/", false},
             Case{"://", "https://hub.co/", false},
             Case{"*.", "https://hub.co/", false},
         }) {
        CAPTURE(std::string(test.no_proxy));
        CAPTURE(std::string(test.url));
        CHECK(bypasses_proxy(Url::parse(test.url), test.no_proxy) == test.direct);
        CHECK((chosen(test.url, {.all = "p:1", .no_proxy = test.no_proxy}) == "direct") == test.direct);
    }
}

TEST_CASE("credentials are decoded before they are encoded again") {
    const auto credentials = [](std::string_view url) { return basic_credentials(Url::parse(url)); };
    CHECK(credentials("http://Aladdin:open%20sesame@p/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    CHECK(credentials("http://u:a%3Ab%40c@p/") == "Basic dTphOmJAYw==");
    CHECK(credentials("http://u@p/") == "Basic dTo=");
    CHECK(credentials("http://u:@p/") == "Basic dTo=");
    CHECK(credentials("http://p/").empty());
    CHECK(credentials("http://u%zz@p/") == "Basic dSV6ejo=");
}
