#include "core/owned.hpp"

#include <boost/describe/class.hpp>
#include <doctest/doctest.h>

#include <string>

using namespace hfhub;

namespace {

struct Inner {
    std::string_view name;
    std::optional<std::string_view> note{};
};
BOOST_DESCRIBE_STRUCT(Inner, (), (name, note))

struct Options {
    std::string_view text{};
    std::optional<std::string_view> maybe{};
    StringList list{};
    Token token{};
    std::span<const Inner> inner{};
    std::optional<std::span<const Inner>> optional_inner{};
    std::span<const std::string> strings{};
    int number = 1;
};
BOOST_DESCRIBE_STRUCT(Options, (), (text, maybe, list, token, inner, optional_inner, strings, number))

/// Options that look at texts which are gone when this returns.
Owned<Options> make() {
    const std::string a(40, 'a'), b = "b", c = "c", token = "hf_token";
    const std::vector<std::string> list = {a, b};
    const Inner inner[] = {{.name = c, .note = a}, {.name = b}};
    const std::vector<std::string> strings = {"x", std::string(40, 'y')};
    const Options options{.text = a,
                          .maybe = b,
                          .list = list,
                          .token = token,
                          .inner = inner,
                          .optional_inner = std::span<const Inner>(),
                          .strings = strings,
                          .number = 7};
    return Owned<Options>(options);
}

}  // namespace

TEST_CASE("owned options outlive what they were made from, also after a move") {
    Owned<Options> made = make();
    const Owned<Options> options = std::move(made);
    CHECK(options->text == std::string(40, 'a'));
    CHECK(options->maybe == "b");
    REQUIRE(options->list.size() == 2);
    CHECK(options->list[1] == "b");
    CHECK(options->token.text() == "hf_token");
    REQUIRE(options->inner.size() == 2);
    CHECK(options->inner[0].name == "c");
    CHECK(options->inner[0].note == std::string(40, 'a'));
    CHECK(!options->inner[1].note);
    CHECK(options->optional_inner.has_value());
    CHECK(options->strings[1] == std::string(40, 'y'));
    CHECK(options->number == 7);
}

TEST_CASE("a text longer than the arena's blocks is kept whole") {
    Arena arena;
    const std::string_view small = arena.keep("small");
    const std::string_view large = arena.keep(std::string(10'000, 'x'));
    CHECK(small == "small");
    CHECK(large == std::string(10'000, 'x'));
    CHECK(arena.keep("").empty());
}

TEST_CASE("a string list takes one text, literals and vectors") {
    CHECK(StringList().empty());
    CHECK(StringList("one").size() == 1);
    CHECK(StringList("one")[0] == "one");
    const StringList literals = {"a", "b"};
    CHECK(literals.size() == 2);
    const std::vector<std::string> strings = {"x", "y", "z"};
    std::string joined;
    for (const std::string_view text : StringList(strings)) joined += text;
    CHECK(joined == "xyz");
}

namespace {

// What a declaration leaves behind is on the stack that the next call uses.
[[gnu::noinline]] Options braced() {
    Options options{.list = {"sha", "tags", "safetensors"}};
    return options;
}

[[gnu::noinline]] std::size_t use_stack() {
    volatile unsigned char bytes[4096];
    for (volatile unsigned char& byte : bytes) byte = 0xAA;
    return bytes[17];
}

}  // namespace

TEST_CASE("a braced list in named options does not end with their declaration") {
    const Options named = braced();
    CHECK(use_stack() == 0xAA);
    const Owned<Options> owned(named);
    REQUIRE(owned->list.size() == 3);
    CHECK(owned->list[0] == "sha");
    CHECK(owned->list[1] == "tags");
    CHECK(owned->list[2] == "safetensors");
}

TEST_CASE("a string list takes mixed texts, and as many as it says") {
    const std::string string = "string";
    const StringList mixed = {"literal", string, std::string_view("view")};
    CHECK(mixed.size() == 3);
    CHECK(mixed[1] == "string");
    const StringList most = {"1", "2", "3", "4", "5", "6", "7", "8"};
    CHECK(most.size() == StringList::most_listed);
    CHECK(most[7] == "8");
    static_assert(std::is_trivially_destructible_v<StringList> && std::is_trivially_copyable_v<StringList>);
}

TEST_CASE("an owned token keeps its kind and text") {
    const auto again = [](Token token) { return OwnedToken(token); };
    CHECK(Token(again(Token())).kind() == Token::Kind::implicit);
    CHECK(Token(again(Token(false))).kind() == Token::Kind::anonymous);
    CHECK(Token(again(Token(true))).kind() == Token::Kind::required);
    const OwnedToken given = again(Token(std::string("hf_x")));
    CHECK(Token(given).text() == "hf_x");
}
