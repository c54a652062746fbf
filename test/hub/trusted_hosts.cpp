#include "hub/trusted_hosts.hpp"

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;

namespace {

struct Row {
    const char *endpoint, *url;
    bool server, library, user;
};

constexpr const char* hub_co = "https://huggingface.co";
constexpr const char* own = "https://corp.test/hub";

constexpr Row rows[] = {
    {hub_co, "https://huggingface.co/x", true, true, true},
    {hub_co, "https://HuggingFace.CO:443/x", true, true, true},
    {hub_co, "https://router.huggingface.co/x", true, true, true},
    {hub_co, "https://a.b.huggingface.co/x", true, true, true},
    {hub_co, "https://u:p@huggingface.co/x", true, true, true},
    {hub_co, "https://x.endpoints.huggingface.cloud/x", false, false, true},
    {hub_co, "https://huggingface.cloud/x", false, false, true},
    {hub_co, "http://huggingface.co/x", false, false, false},
    {hub_co, "http://x.endpoints.huggingface.cloud/x", false, false, false},
    {hub_co, "https://huggingface.co:444/x", false, false, false},
    {hub_co, "https://huggingface.co./x", false, false, false},
    {hub_co, "https://evilhuggingface.co/x", false, false, false},
    {hub_co, "https://evilhuggingface.cloud/x", false, false, false},
    {hub_co, "https://huggingface.co.evil.test/x", false, false, false},
    {hub_co, "https://huggingface.co@evil.test/x", false, false, false},
    {hub_co, "https://huggingface.com/x", false, false, false},
    {hub_co, "https://hf.space/x", false, false, false},
    {hub_co, "https://xn--hugingface-k6a.co/x", false, false, false},
    {hub_co, "https://127.0.0.1/x", false, false, false},
    {hub_co, "https://[::1]/huggingface.co", false, false, false},
    {"https://hub-ci.huggingface.co", "https://huggingface.co/x", true, true, true},
    {own, "https://corp.test/elsewhere", true, true, true},
    {own, "https://corp.test:443/hub/x", true, true, true},
    {own, "https://sub.corp.test/hub/x", false, false, false},
    {own, "https://corp.test.evil.test/hub", false, false, false},
    {own, "https://corp.test:8443/hub", false, false, false},
    {own, "http://corp.test/hub", false, false, false},
    {own, "https://huggingface.co/x", false, true, true},
    {own, "https://router.huggingface.co/x", false, true, true},
    {own, "https://x.endpoints.huggingface.cloud/x", false, false, true},
    {"http://hub.test", "https://hub.test/x", true, true, true},
    {"http://hub.test:8080", "https://hub.test:8080/x", false, false, false},
    {"http://[::1]:8080", "http://[::1]:8080/x", true, true, true},
    {"http://[::1]:8080", "http://[::2]:8080/x", false, false, false},
    {"http://127.0.0.1:8080", "http://localhost:8080/x", false, false, false},
    {"http://127.0.0.1:8080", "http://127.0.0.1/x", false, false, false},
};

}  // namespace

TEST_CASE("where the Hub's token may go depends on the endpoint, the URL and who has named it") {
    for (const Row& row : rows) {
        CAPTURE(row.endpoint);
        CAPTURE(row.url);
        const Url endpoint = Url::parse(row.endpoint), url = Url::parse(row.url);
        CHECK(may_have_hub_token(endpoint, url, NamedBy::server) == row.server);
        CHECK(may_have_hub_token(endpoint, url, NamedBy::library) == row.library);
        CHECK(may_have_hub_token(endpoint, url, NamedBy::user) == row.user);
    }
}

TEST_CASE("an answer of a protected endpoint leads to protected places only") {
    CHECK(is_downgrade(Url::parse(hub_co), Url::parse("http://huggingface.co/x")));
    CHECK(is_downgrade(Url::parse(own), Url::parse("http://cdn.test/x")));
    CHECK(!is_downgrade(Url::parse(own), Url::parse("https://cdn.test/x")));
    CHECK(!is_downgrade(Url::parse("http://hub.test"), Url::parse("https://cdn.test/x")));
    CHECK(!is_downgrade(Url::parse("http://hub.test"), Url::parse("http://cdn.test/x")));
}
