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

TEST_CASE("an error says how often it was tried, and how long was waited between") {
    ConnectionLostError error("lost");
    error.at("https://hub/x");
    error.tried(1, std::chrono::milliseconds(0));
    CHECK(std::string(error.what()) == "lost (https://hub/x)");
    error.tried(2, std::chrono::milliseconds(0));
    CHECK(std::string(error.what()) == "lost (https://hub/x) after 2 tries");
    error.tried(3, std::chrono::milliseconds(250));
    CHECK(std::string(error.what()) == "lost (https://hub/x) after 3 tries and 250 ms of waiting");
    error.tried(4, std::chrono::milliseconds(1'500));
    CHECK(std::string(error.what()) == "lost (https://hub/x) after 4 tries and 1.5 s of waiting");
    error.tried(6, std::chrono::milliseconds(21'300));
    CHECK(std::string(error.what()) == "lost (https://hub/x) after 6 tries and 21 s of waiting");
    CHECK(error.attempts == 6);
    CHECK(error.waited == std::chrono::milliseconds(21'300));
}
