#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/impl/src.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace hfhub;
namespace asio = boost::asio;

namespace {

asio::awaitable<std::unique_ptr<std::string>> give(std::string text) {
    if (text.empty()) throw InvalidArgumentError("nothing to give");
    co_return std::make_unique<std::string>(std::move(text));
}

asio::awaitable<void> do_or_throw(bool fail) {
    if (fail) throw IoError("failed");
    co_return;
}

/// Runs a coroutine to its end.
void run(asio::awaitable<void> body) {
    asio::io_context context;
    std::exception_ptr thrown;
    asio::co_spawn(context, std::move(body), [&](std::exception_ptr error) { thrown = error; });
    context.run();
    if (thrown) std::rethrow_exception(thrown);
}

asio::awaitable<void> values_come_through() {
    auto given = co_await as_result(give("a text that is long enough to live on the heap"));
    CHECK(given.has_value());
    CHECK(**given == "a text that is long enough to live on the heap");
    const auto done = co_await as_result(do_or_throw(false));
    CHECK(done.has_value());
}

asio::awaitable<void> exceptions_are_kept() {
    const auto given = co_await as_result(give(""));
    CHECK(!given);
    CHECK(given.error_message() == "nothing to give");
    CHECK_THROWS_AS(given.value(), InvalidArgumentError);
    const auto done = co_await as_result(do_or_throw(true));
    CHECK(!done);
    CHECK_THROWS_AS(done.value(), IoError);
}

}  // namespace

TEST_CASE("a call that returns gives its value") {
    auto number = as_result([] { return 42; });
    CHECK(number);
    CHECK(number.value() == 42);
    CHECK(*number == 42);
    CHECK(!number.error());
    CHECK(number.error_message().empty());

    auto text = as_result([] { return std::make_unique<std::string>("moved"); });
    CHECK((*text)->size() == 5);
    const std::unique_ptr<std::string> taken = std::move(text).value();
    CHECK(*taken == "moved");

    std::vector<int> kept = {1, 2};
    const auto copy = as_result([&]() -> const std::vector<int>& { return kept; });
    kept.clear();
    CHECK(copy->size() == 2);
}

TEST_CASE("a call that throws gives its exception, of its own class") {
    const auto failed = as_result([]() -> int { throw GatedRepoError("ask for access", HttpErrorContext{}); });
    CHECK(!failed.has_value());
    CHECK(failed.error_message() == "ask for access");
    CHECK_THROWS_AS(failed.value(), RepositoryNotFoundError);
    CHECK_THROWS_AS(std::rethrow_exception(failed.error()), GatedRepoError);
}

TEST_CASE("calls without a value have results too") {
    int calls = 0;
    CHECK(as_result([&] { ++calls; }));
    CHECK(calls == 1);
    const auto failed = as_result([] { throw IoError("disk"); });
    CHECK(!failed);
    CHECK(failed.error_message() == "disk");
    CHECK_THROWS_AS(failed.value(), IoError);
}

TEST_CASE("an exception of any type has a message") {
    const auto failed = as_result([] { throw 1; });
    CHECK(failed.error_message() == "an exception that is no std::exception");
}

TEST_CASE("an awaited call gives its value") { run(values_come_through()); }
TEST_CASE("an awaited call that throws gives its exception") { run(exceptions_are_kept()); }
