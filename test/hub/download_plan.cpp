#include "hub/download_plan.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace hfhub::hub;

namespace {

template <class E>
std::optional<Unavailable> why(E error) {
    return classify(std::make_exception_ptr(std::move(error)));
}

template <class E = HfHubHttpError>
E http_error(int status) {
    HttpErrorContext context;
    context.status = status;
    return E("x", context);
}

ConnectError lasting() {
    ConnectError error("certificate");
    error.permanent = true;
    return error;
}

}  // namespace

TEST_CASE("what the Hub knows not to exist is an error whatever is cached") {
    CHECK(!why(http_error<RevisionNotFoundError>(404)));
    CHECK(!why(http_error<RemoteEntryNotFoundError>(404)));
    CHECK(!why(ProxyError("407")));
    CHECK(!why(CancelledError()));
    CHECK(!why(InvalidArgumentError("x")));
    CHECK(!why(std::logic_error("x")));
}

TEST_CASE("failures are told apart by whether they may pass") {
    CHECK(why(OfflineModeIsEnabled("x")) == Unavailable::offline);
    CHECK(why(FileMetadataError("x")) == Unavailable::no_file);
    CHECK(why(http_error<RepositoryNotFoundError>(404)) == Unavailable::refused);
    CHECK(why(http_error<GatedRepoError>(403)) == Unavailable::refused);
    CHECK(why(http_error(401)) == Unavailable::refused);
    for (const int status : {408, 429, 500, 502, 503, 504}) CHECK(why(http_error(status)) == Unavailable::for_now);
    for (const int status : {403, 404, 410, 501}) CHECK(why(http_error(status)) == Unavailable::otherwise);
    CHECK(why(ConnectError("x")) == Unavailable::for_now);
    CHECK(why(lasting()) == Unavailable::otherwise);
    CHECK(why(TimeoutError(TimeoutPhase::headers, std::chrono::seconds(1))) == Unavailable::for_now);
    CHECK(why(ConnectionLostError("x")) == Unavailable::for_now);
    CHECK(why(ProtocolError("x")) == Unavailable::for_now);
}

TEST_CASE("a local file is used, else the Hub is asked again once if that may help") {
    for (const auto reason : {Unavailable::local_only, Unavailable::offline, Unavailable::refused, Unavailable::no_file,
                              Unavailable::for_now, Unavailable::otherwise}) {
        const bool may_pass = reason == Unavailable::for_now;
        CHECK(fallback(reason, true, false, false) == Fallback::use_local);
        CHECK(fallback(reason, true, false, true) == Fallback::use_local);
        CHECK(fallback(reason, false, false, false) == (may_pass ? Fallback::ask_again : Fallback::fail));
        CHECK(fallback(reason, false, false, true) == Fallback::fail);
        CHECK(fallback(reason, true, true, false) == (may_pass ? Fallback::ask_again : Fallback::fail));
        CHECK(fallback(reason, true, true, true) == Fallback::fail);
    }
}

TEST_CASE("callers are told what failed, and by which rule") {
    const auto failure = std::make_exception_ptr(http_error<GatedRepoError>(403));
    CHECK_THROWS_AS(throw_unavailable(Unavailable::refused, failure, false, "f"), GatedRepoError);
    CHECK_THROWS_AS(throw_unavailable(Unavailable::otherwise, failure, false, "f"), LocalEntryNotFoundError);
    CHECK_THROWS_AS(throw_unavailable(Unavailable::local_only, nullptr, false, "f"), LocalEntryNotFoundError);
    CHECK_THROWS_AS(throw_unavailable(Unavailable::refused, failure, true, "f"), InvalidArgumentError);
    CHECK_THROWS_AS(throw_unavailable(Unavailable::local_only, nullptr, true, "f"), InvalidArgumentError);
    CHECK_THROWS_WITH_AS(
        throw_unavailable(Unavailable::for_now, std::make_exception_ptr(ConnectError("no route")), false, "f"),
        doctest::Contains("no route"), LocalEntryNotFoundError);
}

TEST_CASE("a file in the cache is used, its content linked, or it is fetched") {
    CHECK(cache_step(true, true, false) == CacheStep::use);
    CHECK(cache_step(true, false, false) == CacheStep::use);
    CHECK(cache_step(false, true, false) == CacheStep::link);
    CHECK(cache_step(false, false, false) == CacheStep::download);
    CHECK(cache_step(true, true, true) == CacheStep::download);
}

TEST_CASE("a file in a folder is kept, compared or fetched") {
    const std::string sha(64, 'a'), git(40, 'a');
    CHECK(folder_step(true, sha, sha, false) == FolderStep::keep);
    CHECK(folder_step(true, git, sha, false) == FolderStep::download);
    CHECK(folder_step(true, "", sha, false) == FolderStep::compare);
    CHECK(folder_step(true, "", git, false) == FolderStep::download);
    CHECK(folder_step(false, sha, sha, false) == FolderStep::download);
    CHECK(folder_step(true, sha, sha, true) == FolderStep::download);
}
