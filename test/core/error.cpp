#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;

TEST_CASE("errors are caught by every name above them in the tree") {
    const HttpErrorContext context{.status = 404};
    CHECK_THROWS_AS(throw GatedRepoError("no", context), RepositoryNotFoundError);
    CHECK_THROWS_AS(throw RemoteEntryNotFoundError("no", context), EntryNotFoundError);
    CHECK_THROWS_AS(throw RemoteEntryNotFoundError("no", context), HfHubHttpError);
    CHECK_THROWS_AS(throw LocalEntryNotFoundError("no"), EntryNotFoundError);
    CHECK_THROWS_AS(throw HfValidationError("no"), InvalidArgumentError);
    CHECK_THROWS_AS(throw TruncatedError(1, 2), TransportError);
}

TEST_CASE("errors name their own class") {
    try {
        throw GatedRepoError("no", HttpErrorContext{});
    } catch (const Error& error) {
        CHECK(error.type() == "GatedRepoError");
    }
}

TEST_CASE("a timeout says which limit passed and whether the server may have acted") {
    TimeoutError connect(TimeoutPhase::connect, std::chrono::seconds(10));
    connect.at("https://hub/x");
    connect.at("https://elsewhere/y");
    CHECK(std::string(connect.what()) == "no connection could be made within 10000 ms (https://hub/x)");
    CHECK(!connect.maybe_processed);
    CHECK(TimeoutError(TimeoutPhase::headers, std::chrono::seconds(1)).maybe_processed);
}

TEST_CASE("a truncated body says how much came") {
    CHECK(std::string(TruncatedError(3, 10).what()) == "the answer ended after 3 bytes of 10");
}
