#include "mock_hub.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/hub/pages.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

using namespace hfhub;
using test::Answer;
using test::MockHub;
using test::Seen;

namespace {

/// Three pages of two models each.
Answer three_pages(const Seen& seen) {
    const bool second = seen.target.ends_with("cursor=2"), third = seen.target.ends_with("cursor=3");
    Answer answer;
    answer.body = third    ? R"([{"id": "e"}, {"id": "f"}])"
                  : second ? R"([{"id": "c"}, {"id": "d"}])"
                           : R"([{"id": "a"}, {"id": "b"}])";
    if (!third)
        answer.headers = {{"link", std::string("</api/models?cursor=") + (second ? "3" : "2") + ">; rel=\"next\""}};
    return answer;
}

std::string ids(Pages<ModelInfo> pages) {
    std::string out;
    for (const ModelInfo& model : pages) out += model.id;
    return out;
}

}  // namespace

TEST_CASE("a listing sends nothing before its first item, and a page only when it is reached") {
    MockHub hub(three_pages);
    Pages<ModelInfo> models = HfApi(hub.session()).list_models({.search = "x"});
    CHECK(hub.seen().empty());
    CHECK(models.next()->id == "a");
    CHECK(models.next()->id == "b");
    REQUIRE(hub.seen().size() == 1);
    CHECK(hub.seen()[0].target == "/api/models?search=x");
    CHECK(models.next()->id == "c");
    REQUIRE(hub.seen().size() == 2);
    CHECK(hub.seen()[1].target == "/api/models?cursor=2");
}

TEST_CASE("a blocking listing is a range over all pages") {
    MockHub hub(three_pages);
    CHECK(ids(HfApi(hub.session()).list_models()) == "abcdef");
    CHECK(hub.seen().size() == 3);
}

TEST_CASE("after the last item a listing stays at its end") {
    MockHub hub(three_pages);
    Pages<ModelInfo> models = HfApi(hub.session()).list_models({.limit = 1});
    CHECK(models.next().has_value());
    CHECK(!models.next());
    CHECK(!models.next());
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("a limit ends a listing in the middle of a page, and none of zero is asked for") {
    MockHub hub(three_pages);
    const HfApi api(hub.session());
    CHECK(ids(api.list_models({.limit = 3})) == "abc");
    CHECK(hub.seen().size() == 2);
    CHECK(ids(api.list_models({.limit = 4})) == "abcd");
    CHECK(hub.seen().size() == 4);
    CHECK(ids(api.list_models({.limit = 0})).empty());
    CHECK(hub.seen().size() == 4);
}

TEST_CASE("a page that failed is asked for again by the next call") {
    int failures = 1;
    MockHub hub([&](const Seen& seen) {
        if (seen.target.ends_with("cursor=2") && failures-- > 0)
            return Answer{.status = 403, .body = R"({"error": "not now"})"};
        return three_pages(seen);
    });
    Pages<ModelInfo> models = HfApi(hub.session()).list_models();
    models.next();
    models.next();
    CHECK_THROWS_AS(models.next(), HfHubHttpError);
    CHECK(models.next()->id == "c");
}

TEST_CASE("the first page is repeated after a transient status, too") {
    int failures = 2;
    MockHub hub([&](const Seen& seen) { return failures-- > 0 ? Answer{.status = 503} : three_pages(seen); });
    CHECK(ids(HfApi(hub.session()).list_models({.limit = 2})) == "ab");
    CHECK(hub.seen().size() == 3);
}

TEST_CASE("pages that are no list, or name themselves as the next, end the listing with an error") {
    MockHub object([](const Seen&) { return Answer{.body = R"({"error": "x"})"}; });
    CHECK_THROWS_AS(ids(HfApi(object.session()).list_models()), JsonError);
    MockHub circle(
        [](const Seen&) { return Answer{.body = "[]", .headers = {{"link", "</api/models>; rel=\"next\""}}}; });
    CHECK_THROWS_AS(ids(HfApi(circle.session()).list_models()), ProtocolError);
}

TEST_CASE("a link to another host is not followed with the token") {
    MockHub hub(
        [](const Seen&) { return Answer{.body = "[]", .headers = {{"link", "<https://evil.test/x>; rel=\"next\""}}}; });
    CHECK_THROWS_AS(ids(HfApi(hub.session(), {.token = "hf_a"}).list_models()), ProtocolError);
    CHECK(hub.seen().size() == 1);
}

TEST_CASE("each page carries the token of the call") {
    MockHub hub(three_pages);
    ids(HfApi(hub.session(), {.token = "hf_own"}).list_models({.token = "hf_call"}));
    for (const Seen& seen : hub.seen()) CHECK(seen.authorization == "Bearer hf_call");
}

TEST_CASE("coroutines walk over the same pages on their own executor") {
    MockHub hub(three_pages);
    const AsyncHfApi api(hub.session());
    asio::io_context io;
    auto walk = [](AsyncHfApi caller) -> awaitable<std::string> {
        AsyncPages<ModelInfo> models = caller.list_models();
        std::string out;
        for (;;) {
            std::optional<ModelInfo> model = co_await models.next();
            if (!model) break;
            out += model->id;
        }
        co_return out;
    };
    auto result = asio::co_spawn(io, walk(api), asio::use_future);
    io.run();
    CHECK(result.get() == "abcdef");
}
