#include "http/pagination.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::http;

namespace {

Headers link(std::string_view value) {
    Headers headers;
    headers.add("Link", value);
    return headers;
}

std::string next(std::string_view value, std::string_view endpoint = "https://huggingface.co") {
    const Url hub = Url::parse(endpoint);
    const Url page = Url::parse(std::string(endpoint) + "/api/models?limit=3");
    const auto url = next_page(page, link(value), hub);
    return url ? url->str() : "none";
}

}  // namespace

TEST_CASE("the link with the relation is found however the field is written") {
    struct Case {
        const char *field, *target;  // target: null where there is none
    };
    for (const Case& test : {
             Case{"<https://h/x?c=1>; rel=\"next\"", "https://h/x?c=1"},
             Case{"<https://h/x?c=1>;rel=next", "https://h/x?c=1"},
             Case{"<https://h/x>  ;  rel = \"next\"  ", "https://h/x"},
             Case{"<https://h/x>; REL=\"NEXT\"", "https://h/x"},
             Case{"</a>; rel=\"prev\", </b>; rel=\"next\"", "/b"},
             Case{"</a>; rel=\"next\", </b>; rel=\"next\"", "/a"},
             Case{"</a>; rel=\"prev next\"", "/a"},
             Case{"</a>; rel=\"next  last\"", "/a"},
             Case{"</a,b;c>; rel=\"next\"", "/a,b;c"},
             Case{"</a>; title=\"x, <y>; rel=next\"; rel=\"prev\", </b>; rel=next", "/b"},
             Case{"</a>; title=\"a \\\" ; rel=next\"", nullptr},
             Case{"</a>; rel=\"prev\"; rel=\"next\"", nullptr},
             Case{"</a>; rel=prev; title=next", nullptr},
             Case{"</a>; foo; rel=next", "/a"},
             Case{"</a>; rel=\"nextpage\"", nullptr},
             Case{"</a>; rel=\"\"", nullptr},
             Case{"</a>; rel", nullptr},
             Case{"</a>", nullptr},
             Case{"<>; rel=next", ""},
             Case{"</a; rel=next", nullptr},
             Case{"/a; rel=next", nullptr},
             Case{"</a>; rel=\"next", "/a"},
             Case{", ,</a>; rel=next,", "/a"},
             Case{"", nullptr},
         }) {
        CAPTURE(std::string(test.field));
        const auto target = link_target(link(test.field), "next");
        CHECK(target.has_value() == (test.target != nullptr));
        if (target && test.target) CHECK(*target == test.target);
    }
    CHECK(!link_target(Headers{}, "next"));
    Headers several = link("</a>; rel=prev");
    several.add("link", "</b>; rel=xet-auth");
    CHECK(link_target(several, "xet-auth") == "/b");
}

TEST_CASE("the next page is on the endpoint that was asked") {
    CHECK(next("<https://huggingface.co/api/models?cursor=a%3D%3D&limit=3>; rel=\"next\"") ==
          "https://huggingface.co/api/models?cursor=a%3D%3D&limit=3");
    CHECK(next("</api/models?p=2>; rel=next") == "https://huggingface.co/api/models?p=2");
    CHECK(next("<?p=2>; rel=next") == "https://huggingface.co/api/models?p=2");
    CHECK(next("</api/models?p=2>; rel=prev") == "none");
    CHECK(next("<http://127.0.0.1:9/api/models?p=2>; rel=next", "http://127.0.0.1:9") ==
          "http://127.0.0.1:9/api/models?p=2");
}

TEST_CASE("a mirror's link to the default host comes back to the mirror") {
    const char* field = "<https://huggingface.co/api/models?p=2>; rel=next";
    CHECK(next(field, "https://mirror.org") == "https://mirror.org/api/models?p=2");
    CHECK(next(field, "http://localhost:8080") == "http://localhost:8080/api/models?p=2");
    CHECK(next(field, "https://mirror.org/hf") == "https://mirror.org/hf/api/models?p=2");
    CHECK(next("<https://mirror.org/hf/api/models?p=2>; rel=next", "https://mirror.org/hf") ==
          "https://mirror.org/hf/api/models?p=2");
}

TEST_CASE("a link without TLS to the endpoint's host is read with TLS") {
    CHECK(next("<http://mirror.org/api/models?p=2>; rel=next", "https://mirror.org") ==
          "https://mirror.org/api/models?p=2");
    CHECK_THROWS_AS(next("<http://mirror.org:8080/api?p=2>; rel=next", "https://mirror.org"), ProtocolError);
}

TEST_CASE("a link to another host or to nowhere is refused, without its query in the message") {
    for (const char* target :
         {"https://evil.org/api?secret=1", "//evil.org/api?secret=1", "https://huggingface.co:8443/x?secret=1",
          "http://huggingface.co/x?secret=1", "https://huggingface.co.evil.org/?secret=1", "ftp://mirror.org/?secret=1",
          "https://:bad:/?secret=1", "https://mirror.org@evil.org/?secret"}) {
        CAPTURE(std::string(target));
        try {
            next("<" + std::string(target) + ">; rel=next", "https://mirror.org");
            FAIL("not refused");
        } catch (const ProtocolError& error) {
            CHECK(std::string(error.what()).find("secret") == std::string::npos);
        }
    }
}

TEST_CASE("user info of a link is the endpoint's, not the server's") {
    const Url hub = Url::parse("https://u:p@mirror.org");
    const auto url = next_page(hub, link("<https://x:y@mirror.org/a>; rel=next"), hub);
    REQUIRE(url);
    CHECK(url->user_info == "u:p");
}
