#include "http/http1_parser.hpp"

#include "support/loop.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hfhub;
using namespace hfhub::http;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Parsed {
    int status = 0;
    Headers headers;
    std::string body;
    bool done = false;
    bool keep_alive = false;
    std::size_t left_over = 0;
    std::string error = "ok";
    bool lasting = false;
};

// Feeds the pieces as a connection does: what is not taken comes again with the next piece.
Parsed parse(const std::vector<std::string_view>& pieces, bool head_request = false, bool eof = true,
             std::size_t out_size = 7) {
    Parsed result;
    Http1Parser parser(head_request);
    std::string pending;
    std::vector<std::byte> out(out_size);
    try {
        for (std::size_t at = 0; at < pieces.size() && !parser.body_done(); ++at) {
            pending += pieces[at];
            for (bool moved = true; moved && !parser.body_done();) {
                std::size_t taken = 0;
                std::size_t written = 0;
                if (!parser.head_done()) {
                    taken = parser.read_head(bytes_of(pending));
                } else if (!pending.empty()) {
                    const auto progress = parser.read_body(bytes_of(pending), out);
                    taken = progress.taken;
                    written = progress.written;
                    result.body.append(reinterpret_cast<const char*>(out.data()), written);
                }
                pending.erase(0, taken);
                moved = taken > 0 || written > 0;
            }
        }
        if (eof && parser.head_done() && !parser.body_done()) parser.finish(result.body.size());
        if (!parser.head_done()) result.error = "no head";
    } catch (const TruncatedError& error) {
        result.error = "truncated " + std::to_string(error.got) + "/" +
                       (error.expected ? std::to_string(*error.expected) : std::string("?"));
    } catch (const ProtocolError& error) {
        result.error = error.type();
        result.lasting = error.permanent;
    } catch (const Error& error) {
        result.error = error.type();
    }
    result.status = parser.status();
    result.done = parser.body_done();
    if (parser.head_done()) result.keep_alive = parser.keep_alive();
    result.headers = std::move(parser.headers());
    result.left_over = pending.size();
    return result;
}

std::string head(std::string_view fields, std::string_view first = "HTTP/1.1 200 OK") {
    return std::string(first) + "\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("each framing of a body gives the same bytes however the input is cut in two") {
    struct Case {
        const char* name;
        std::string input;
        bool head_request;
        int status;
        const char* body;
        bool keep_alive;
    };
    const Case cases[] = {
        {"length", head("content-length: 11\r\n") + "hello world", false, 200, "hello world", true},
        {"length 0", head("content-length: 0\r\n"), false, 200, "", true},
        {"chunked", head("transfer-encoding: chunked\r\n") + "5\r\nhello\r\n6;a=\"b;c\"\r\n world\r\n0\r\n\r\n", false,
         200, "hello world", true},
        {"chunked, upper case", head("Transfer-Encoding: Chunked\r\n") + "00A\r\n0123456789\r\n0\r\n\r\n", false, 200,
         "0123456789", true},
        {"chunked with trailers", head("transfer-encoding: chunked\r\n") + "3\r\nabc\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n",
         false, 200, "abc", true},
        {"until the end", head("content-type: text/plain\r\n") + "all of it", false, 200, "all of it", false},
        {"answer to HEAD", head("content-length: 1000\r\n"), true, 200, "", true},
        {"chunked answer to HEAD", head("transfer-encoding: chunked\r\n"), true, 200, "", true},
        {"204", head("", "HTTP/1.1 204 No Content"), false, 204, "", true},
        {"304 with a length", head("content-length: 77\r\netag: \"a\"\r\n", "HTTP/1.1 304 Not Modified"), false, 304,
         "", true},
        {"interim answers",
         head("", "HTTP/1.1 100 Continue") + head("link: <a>\r\n", "HTTP/1.1 103 Early Hints") +
             head("content-length: 2\r\n") + "ok",
         false, 200, "ok", true},
        {"close", head("content-length: 2\r\nconnection: close\r\n") + "ok", false, 200, "ok", false},
        {"HTTP/1.0", head("content-length: 2\r\n", "HTTP/1.0 200 OK") + "ok", false, 200, "ok", false},
        {"HTTP/1.0 kept", head("content-length: 2\r\nconnection: keep-alive\r\n", "HTTP/1.0 200 OK") + "ok", false, 200,
         "ok", true},
        {"no reason", head("content-length: 2\r\n", "HTTP/1.1 200 ") + "ok", false, 200, "ok", true},
        {"equal lengths twice are one", head("content-length: 2\r\n") + "ok", false, 200, "ok", true},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        for (std::size_t cut = 0; cut <= one.input.size(); ++cut) {
            CAPTURE(cut);
            const std::string_view whole(one.input);
            const Parsed parsed = parse({whole.substr(0, cut), whole.substr(cut)}, one.head_request);
            REQUIRE(parsed.error == "ok");
            REQUIRE(parsed.status == one.status);
            REQUIRE(parsed.body == one.body);
            REQUIRE(parsed.done);
            REQUIRE(parsed.keep_alive == one.keep_alive);
            REQUIRE(parsed.left_over == 0);
        }
        std::vector<std::string_view> single;
        for (std::size_t i = 0; i < one.input.size(); ++i) single.push_back(std::string_view(one.input).substr(i, 1));
        CHECK(parse(single, one.head_request, true, 1).body == one.body);
    }
}

TEST_CASE("an interim answer leaves nothing in the final answer's fields, and trailers are not fields") {
    const std::string input = head("x-interim: 1\r\n", "HTTP/1.1 103 Early Hints") +
                              head("x-final: 2\r\ntransfer-encoding: chunked\r\n") +
                              "1\r\na\r\n0\r\nx-trailer: 3\r\n\r\n";
    const Parsed parsed = parse({input});
    CHECK_FALSE(parsed.headers.contains("x-interim"));
    CHECK(parsed.headers.value("x-final") == "2");
    CHECK_FALSE(parsed.headers.contains("x-trailer"));
}

TEST_CASE("bytes after the answer are left over") {
    CHECK(parse({head("content-length: 2\r\n") + "okHTTP"}).left_over == 4);
    CHECK(parse({head("transfer-encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\nxyz"}).left_over == 3);
}

TEST_CASE("what breaks the grammar is a ProtocolError however it is cut") {
    std::string many_fields, one_large = "x: " + std::string(70'000, 'a') + "\r\n";
    for (int i = 0; i < 300; ++i) many_fields += "x" + std::to_string(i) + ": y\r\n";
    std::string interim;
    for (int i = 0; i < 21; ++i) interim += head("", "HTTP/1.1 103 Early Hints");
    const std::string chunked = head("transfer-encoding: chunked\r\n");
    const std::pair<std::string, std::string> cases[] = {
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"},
        {"HTTP/2 in the first line", head("", "HTTP/2.0 200 OK")},
        {"status of two digits", head("", "HTTP/1.1 20 OK")},
        {"status below 100", head("", "HTTP/1.1 099 OK")},
        {"length and chunked", head("content-length: 3\r\ntransfer-encoding: chunked\r\n") + "0\r\n\r\n"},
        {"chunked and length", head("transfer-encoding: chunked\r\ncontent-length: 3\r\n") + "0\r\n\r\n"},
        {"two lengths", head("content-length: 3\r\ncontent-length: 4\r\n") + "abcd"},
        {"length list", head("content-length: 3, 4\r\n") + "abcd"},
        {"negative length", head("content-length: -1\r\n")},
        {"length with sign", head("content-length: +3\r\n") + "abc"},
        {"length of letters", head("content-length: abc\r\n")},
        {"length beyond 64 bit", head("content-length: 99999999999999999999\r\n")},
        {"a coding that is not chunked", head("transfer-encoding: gzip\r\n") + "abc"},
        {"chunked is not the last coding", head("transfer-encoding: chunked, gzip\r\n") + "abc"},
        {"space before the colon", head("content-length : 3\r\n") + "abc"},
        {"field without a name", head(": 3\r\n")},
        {"NUL in a value", head(std::string_view("x: a\0b\r\n", 8))},
        {"bare CR in a value", head("x: a\rb\r\n")},
        {"bare LF", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"},
        {"chunk size of letters", chunked + "xyz\r\nabc\r\n"},
        {"chunk size empty", chunked + "\r\nabc\r\n"},
        {"chunk size negative", chunked + "-1\r\nabc\r\n"},
        {"chunk size beyond 64 bit", chunked + "fffffffffffffffff\r\nabc\r\n"},
        {"chunk longer than its size", chunked + "2\r\nabc\r\n0\r\n\r\n"},
        {"chunk end without CR", chunked + "3\r\nabc\n0\r\n\r\n"},
        {"head too large", head(one_large)},
        {"too many fields", head(many_fields)},
        {"interim answers without end", interim},
        {"switching protocols", head("", "HTTP/1.1 101 Switching Protocols")},
    };
    for (const auto& [name, input] : cases) {
        CAPTURE(name);
        CHECK(parse({input}).error == "ProtocolError");
        if (input.size() > 2000) continue;
        for (std::size_t cut = 0; cut <= input.size(); ++cut) {
            CAPTURE(cut);
            const std::string_view whole(input);
            const std::string error = parse({whole.substr(0, cut), whole.substr(cut)}).error;
            // Without CRLF a head that comes in pieces has no end; it is never taken for one.
            REQUIRE((error == "ProtocolError" || (name == "bare LF" && error == "no head")));
        }
    }
}

TEST_CASE("what a peer means as it sent it is told from what may be damaged") {
    std::string interim;
    for (int i = 0; i < 21; ++i) interim += head("", "HTTP/1.1 103 Early Hints");
    CHECK(parse({head("x: " + std::string(70'000, 'a') + "\r\n")}).lasting);
    CHECK(parse({interim}).lasting);
    CHECK(parse({head("", "HTTP/1.1 101 Switching Protocols")}).lasting);
    CHECK(parse({head("transfer-encoding: gzip\r\n") + "abc"}).lasting);
    CHECK_FALSE(parse({"SSH-2.0-OpenSSH\r\n\r\n"}).lasting);
    CHECK_FALSE(parse({head("transfer-encoding: chunked\r\n") + "xyz\r\n"}).lasting);
}

TEST_CASE("an old folded field is refused or read as blanks, never as a field of its own") {
    const Parsed parsed = parse({head("x: a\r\n content-length: 5\r\ncontent-length: 2\r\n") + "ok"});
    if (parsed.error == "ok") {
        CHECK(parsed.body == "ok");
        CHECK(parsed.headers.size() == 2);
    } else {
        CHECK(parsed.error == "ProtocolError");
    }
}

TEST_CASE("an end before the body's end is a TruncatedError at every byte") {
    const std::string head_bytes = head("content-length: 10\r\n");
    for (std::size_t got = 0; got < 10; ++got) {
        const std::string input = head_bytes + std::string(got, 'x');
        CHECK(parse({input}).error == "truncated " + std::to_string(got) + "/10");
    }
    const std::string chunked_head = head("transfer-encoding: chunked\r\n");
    const std::string chunked_body = "3\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n";
    for (std::size_t got = 0; got < chunked_body.size(); ++got) {
        CAPTURE(got);
        const std::string error = parse({chunked_head + chunked_body.substr(0, got)}).error;
        CHECK(error.starts_with("truncated "));
        CHECK(error.ends_with("/?"));
    }
    for (std::size_t got = 0; got < head_bytes.size(); ++got)
        CHECK(parse({head_bytes.substr(0, got)}).error == "no head");
}

TEST_CASE("plain bodies may be read around the parser") {
    Http1Parser parser(false);
    const std::string input = head("content-length: 10\r\n");
    CHECK(parser.read_head(bytes_of(input)) == input.size());
    CHECK(parser.remaining() == 10);
    parser.skip_body(4);
    CHECK(parser.remaining() == 6);
    CHECK_FALSE(parser.body_done());
    parser.skip_body(6);
    CHECK(parser.body_done());
}
