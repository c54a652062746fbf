#include "core/token.hpp"

#include "core/atomic_file.hpp"
#include "temporary_folder.hpp"

#include <hfhub/error.hpp>
#include <hfhub/token.hpp>

#include <doctest/doctest.h>

using namespace hfhub;

TEST_CASE("tokens lose line ends and outer blanks, and blank ones are none") {
    CHECK(clean_token("hf_a\r\n") == "hf_a");
    CHECK(clean_token(" \thf_\r\na\n ") == "hf_a");
    CHECK(!clean_token(""));
    CHECK(!clean_token(" \r\n\t"));
}

TEST_CASE("what stands inside of a given token stays there, for whoever sends it to refuse") {
    CHECK(trimmed_token(" \r\nhf_a\t\n") == "hf_a");
    CHECK(trimmed_token("hf_a\r\nx: y\n") == "hf_a\r\nx: y");
    CHECK(!trimmed_token(" \r\n\t"));
}

TEST_CASE("the environment's token wins over the file's") {
    const TemporaryFolder folder;
    Environment environment;
    environment.token_path = folder / "token";
    CHECK(!active_token(environment));
    write_secret_file(environment.token_path, "from-file\n");
    CHECK(active_token(environment) == "from-file");
    environment.token = "from-environment";
    CHECK(active_token(environment) == "from-environment");
}

TEST_CASE("a login in another process is seen at the next call") {
    const TemporaryFolder folder;
    Environment environment;
    environment.token_path = folder / "token";
    write_secret_file(environment.token_path, "one");
    CHECK(active_token(environment) == "one");
    write_secret_file(environment.token_path, "two");
    CHECK(active_token(environment) == "two");
    write_secret_file(environment.token_path, "\n");
    CHECK(!active_token(environment));
}

TEST_CASE("a token file that cannot be read is an error, not an anonymous call") {
    const TemporaryFolder folder;
    Environment environment;
    environment.token_path = folder.path();
    CHECK_THROWS_AS(active_token(environment), IoError);
}

TEST_CASE("a null pointer, as of an unset variable, chooses no token; an empty text does") {
    const char* const unset = nullptr;
    CHECK(Token(unset).kind() == Token::Kind::implicit);
    CHECK(Token(unset).text().empty());
    CHECK(Token("").kind() == Token::Kind::given);
    CHECK(Token("hf_a").text() == "hf_a");
}
