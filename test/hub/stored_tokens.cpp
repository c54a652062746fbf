#include "hub/stored_tokens.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::hub;

TEST_CASE("stored tokens are read as configparser writes them, and as people change them") {
    const StoredTokens tokens = parse_stored_tokens(
        "[one]\nhf_token = hf_1\n\n# a comment\n; another\n[a name]\nHF_Token: hf_2%\r\nrefresh_token=r=1\nexpires_at "
        "= 17\n"
        "[x] y]\nhf_token = hf_3\n    more\n[none]\n");
    CHECK(tokens.at("one").at("hf_token") == "hf_1");
    CHECK(tokens.at("a name").at("hf_token") == "hf_2%");
    CHECK(tokens.at("a name").at("refresh_token") == "r=1");
    CHECK(tokens.at("a name").at("expires_at") == "17");
    CHECK(tokens.at("x] y").at("hf_token") == "hf_3\nmore");
    CHECK(tokens.at("none").empty());
    CHECK(parse_stored_tokens("").empty());
}

TEST_CASE("what was written is read again, with the fields of others") {
    const StoredTokens tokens = {{"b", {{"hf_token", "hf_1"}, {"refresh_token", "r"}}},
                                 {"a", {{"hf_token", "x=:#;%"}}}};
    CHECK(format_stored_tokens(tokens) == "[a]\nhf_token = x=:#;%\n\n[b]\nhf_token = hf_1\nrefresh_token = r\n\n");
    CHECK(parse_stored_tokens(format_stored_tokens(tokens)) == tokens);
    // As Python does, which would not read the file any more otherwise.
    const StoredTokens folded = {{"a", {{"note", "one\ntwo=\n[three]"}}}};
    CHECK(format_stored_tokens(folded) == "[a]\nnote = one\n\ttwo=\n\t[three]\n\n");
    CHECK(parse_stored_tokens(format_stored_tokens(folded)) == folded);
}

TEST_CASE("a file that is damaged is an error that shows no token, lest it is written anew without them") {
    for (const char* text :
         {"hf_token = hf_secretA1\n", "[a]\nhf_secretA1\n", "[a\n", "[]\n", "[a]\n[a]\n", "[a]\n= hf_secretA1\n"}) {
        CAPTURE(text);
        try {
            parse_stored_tokens(text);
            FAIL("must throw");
        } catch (const IoError& error) {
            CHECK(std::string(error.what()).find("secret") == std::string::npos);
        }
    }
}

TEST_CASE("names that would be read as something else are refused") {
    for (const char* name : {"", "DEFAULT", "a]", "a\n[b]", "a\rb", "\x1b[1m", "\xff"}) {
        CHECK_THROWS_AS(validate_token_name(name), InvalidArgumentError);
    }
    for (const char* name : {"a", "my token", "oauth-me", "ä=:#;%", "[a"}) CHECK_NOTHROW(validate_token_name(name));
}
