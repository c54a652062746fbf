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

std::string interim_answers(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += head("", "HTTP/1.1 103 Early Hints");
    return text;
}

const std::string chunked = head("transfer-encoding: chunked\r\n");

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
        {"HTTP/1.0 chunked, which it does not know",
         head("transfer-encoding: chunked\r\nconnection: keep-alive\r\n", "HTTP/1.0 200 OK") + "1\r\na\r\n0\r\n\r\n",
         false, 200, "a", false},
        {"no reason", head("content-length: 2\r\n", "HTTP/1.1 200 ") + "ok", false, 200, "ok", true},
        {"any bytes in the reason", head("content-length: 2\r\n", "HTTP/1.1 200 \xC3\xA4\t\xFF") + "ok", false, 200,
         "ok", true},
        {"a status of no known class", head("content-length: 2\r\n", "HTTP/1.1 799 What") + "ok", false, 799, "ok",
         true},
        {"one length twice", head("content-length: 2\r\nContent-Length: 2\r\n") + "ok", false, 200, "ok", true},
        {"one length twice in a list", head("content-length: 2, 02\r\n") + "ok", false, 200, "ok", true},
        {"blanks around a value", head("content-length: \t 2 \t\r\n") + "ok", false, 200, "ok", true},
        {"no blank before a value", head("content-length:2\r\nx:\r\n") + "ok", false, 200, "ok", true},
        {"a folded value", head("x: a\r\n\tb\r\ncontent-length:\r\n 2\r\n") + "ok", false, 200, "ok", true},
        {"no chunk but the last", chunked + "0\r\n\r\n", false, 200, "", true},
        {"no chunk but the last, with trailers", chunked + "000;x\r\na: b\r\nc:\r\n\r\n", false, 200, "", true},
        {"blanks before a chunk extension", chunked + "1 \t; x = \"\xFF;\"\r\na\r\n0\r\n\r\n", false, 200, "a", true},
        {"204 with a coding", head("transfer-encoding: chunked\r\n", "HTTP/1.1 204 No Content"), false, 204, "", true},
        {"304 with a coding", head("transfer-encoding: chunked\r\n", "HTTP/1.1 304 Not Modified"), false, 304, "",
         true},
        {"20 interim answers", interim_answers(20) + head("content-length: 2\r\n") + "ok", false, 200, "ok", true},
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
    const std::pair<std::string, std::string> cases[] = {
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"},
        {"HTTP/2 in the first line", head("", "HTTP/2.0 200 OK")},
        {"HTTP/2 frames", std::string("\0\0\x12\4\0\0\0\0\0", 9)},
        {"a TLS alert", "\x15\x03\x01"},
        {"HTTP/0.9", "<html>\r\n\r\n"},
        {"HTTP/1.2", head("", "HTTP/1.2 200 OK")},
        {"HTTP/1.10", head("", "HTTP/1.10 200 OK")},
        {"http in lower case", head("", "http/1.1 200 OK")},
        {"an empty line in front", "\r\n" + head("content-length: 0\r\n")},
        {"two blanks before the status", head("", "HTTP/1.1  200 OK")},
        {"a tab before the status", head("", "HTTP/1.1\t200 OK")},
        {"no status", head("", "HTTP/1.1")},
        {"a status with a sign", head("", "HTTP/1.1 +20 OK")},
        {"a status of letters", head("", "HTTP/1.1 abc OK")},
        {"a status of four digits", head("", "HTTP/1.1 2000 OK")},
        {"no blank after the status", head("", "HTTP/1.1 200")},
        {"NUL in the reason", head("", std::string_view("HTTP/1.1 200 O\0K", 16))},
        {"a bare CR in the reason", head("", "HTTP/1.1 200 O\rK")},
        {"a blank before the first field", head(" x: y\r\n")},
        {"a line without a colon", head("x\r\n")},
        {"a blank in a name", head("x y: z\r\n")},
        {"a name that is no token", head("x(y): z\r\n")},
        {"a name beyond ASCII", head("\xC3\xA4: z\r\n")},
        {"NUL in a name", head(std::string_view("x\0y: z\r\n", 8))},
        {"a control character in a value", head("x: a\x01z\r\n")},
        {"DEL in a value", head("x: a\x7Fz\r\n")},
        {"a bare CR at the end of a line", head("x: a\r\r\n")},
        {"status of two digits", head("", "HTTP/1.1 20 OK")},
        {"status below 100", head("", "HTTP/1.1 099 OK")},
        {"length and chunked", head("content-length: 3\r\ntransfer-encoding: chunked\r\n") + "0\r\n\r\n"},
        {"chunked and length", head("transfer-encoding: chunked\r\ncontent-length: 3\r\n") + "0\r\n\r\n"},
        {"two lengths", head("content-length: 3\r\ncontent-length: 4\r\n") + "abcd"},
        {"length list", head("content-length: 3, 4\r\n") + "abcd"},
        {"negative length", head("content-length: -1\r\n")},
        {"length with sign", head("content-length: +3\r\n") + "abc"},
        {"length of letters", head("content-length: abc\r\n")},
        {"no length", head("content-length:\r\n")},
        {"length in hexadecimal", head("content-length: 0x3\r\n") + "abc"},
        {"length with a blank inside", head("content-length: 1 0\r\n") + "abc"},
        {"length with a fraction", head("content-length: 3.0\r\n") + "abc"},
        {"length of 2^64", head("content-length: 18446744073709551616\r\n")},
        {"lengths of which one is empty", head("content-length: 3,,4\r\n") + "abcd"},
        {"length beyond 64 bit", head("content-length: 99999999999999999999\r\n")},
        {"a coding that is not chunked", head("transfer-encoding: gzip\r\n") + "abc"},
        {"chunked is not the last coding", head("transfer-encoding: chunked, gzip\r\n") + "abc"},
        {"a coding below chunked", head("transfer-encoding: gzip, chunked\r\n") + "0\r\n\r\n"},
        {"a coding below chunked, in two fields",
         head("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n") + "0\r\n\r\n"},
        {"chunked twice", head("transfer-encoding: chunked, chunked\r\n") + "0\r\n\r\n"},
        {"chunked twice, in two fields",
         head("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n") + "0\r\n\r\n"},
        {"chunked with a parameter", head("transfer-encoding: chunked;q=1\r\n") + "0\r\n\r\n"},
        {"chunked in quotes", head("transfer-encoding: \"chunked\"\r\n") + "0\r\n\r\n"},
        {"an unknown coding", head("transfer-encoding: xchunked\r\n") + "0\r\n\r\n"},
        {"no coding at all", head("transfer-encoding:\r\n") + "abc"},
        {"identity", head("transfer-encoding: identity\r\ncontent-length: 3\r\n") + "abc"},
        {"space before the colon", head("content-length : 3\r\n") + "abc"},
        {"field without a name", head(": 3\r\n")},
        {"NUL in a value", head(std::string_view("x: a\0b\r\n", 8))},
        {"bare CR in a value", head("x: a\rb\r\n")},
        {"bare LF", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"},
        {"bare LF after a field", "HTTP/1.1 200 OK\r\nx: y\ncontent-length: 0\r\n\r\n"},
        {"bare LF at the end of the head", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\n"},
        {"chunk size of letters", chunked + "xyz\r\nabc\r\n"},
        {"chunk size empty", chunked + "\r\nabc\r\n"},
        {"chunk size negative", chunked + "-1\r\nabc\r\n"},
        {"chunk size beyond 64 bit", chunked + "fffffffffffffffff\r\nabc\r\n"},
        {"chunk longer than its size", chunked + "2\r\nabc\r\n0\r\n\r\n"},
        {"chunk end without CR", chunked + "3\r\nabc\n0\r\n\r\n"},
        {"chunk end without LF", chunked + "3\r\nabc\r0\r\n\r\n"},
        {"chunk end missing", chunked + "3\r\nabc0\r\n\r\n"},
        {"chunk size of 2^64", chunked + "10000000000000000\r\nabc\r\n"},
        {"chunk size with a sign", chunked + "+3\r\nabc\r\n"},
        {"chunk size with 0x", chunked + "0x3\r\nabc\r\n"},
        {"chunk size with an underscore", chunked + "1_0\r\nabc\r\n"},
        {"blank before a chunk size", chunked + " 3\r\nabc\r\n"},
        {"blank after a chunk size", chunked + "3 \r\nabc\r\n0\r\n\r\n"},
        {"chunk size without CR", chunked + "3\nabc\r\n0\r\n\r\n"},
        {"chunk size without LF", chunked + "3\rabc\r\n0\r\n\r\n"},
        {"chunk extension without a semicolon", chunked + "3 x\r\nabc\r\n0\r\n\r\n"},
        {"bare LF in a chunk extension", chunked + "3;a\nabc\r\n0\r\n\r\n"},
        {"bare CR in a chunk extension", chunked + "3;a\rb\r\nabc\r\n0\r\n\r\n"},
        {"line end within quotes in a chunk extension", chunked + "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n"},
        {"NUL in a chunk extension", chunked + std::string("3;\0\r\nabc\r\n0\r\n\r\n", 15)},
        {"trailer without a name", chunked + "0\r\n: x\r\n\r\n"},
        {"trailer without a colon", chunked + "0\r\nx\r\n\r\n"},
        {"blank before a trailer's colon", chunked + "0\r\nx : y\r\n\r\n"},
        {"trailer that is folded", chunked + "0\r\nx: y\r\n z\r\n\r\n"},
        {"bare LF in the trailers", chunked + "0\r\nx: y\n\r\n"},
        {"bare LF after the last chunk", chunked + "0\r\n\n"},
        {"bare CR after the last chunk", chunked + "0\r\n\rx"},
        {"NUL in a trailer", chunked + std::string("0\r\nx: \0\r\n\r\n", 11)},
        {"nothing where a chunk size belongs", chunked + "\r\n\r\n"},
        {"nothing where the next chunk size belongs", chunked + "1\r\na\r\n\r\n\r\n"},
        {"an extension of no chunk", chunked + ";x\r\n\r\n"},
        {"digits of a chunk size apart", chunked + "1 0;x\r\n0123456789abcdef\r\n0\r\n\r\n"},
        {"a letter for the LF of a chunk's size", chunked + "3\rXabc\r\n0\r\n\r\n"},
        {"a letter for the CR of a chunk's end", chunked + "3\r\nabcX\n0\r\n\r\n"},
        {"a letter for the LF of a chunk's end", chunked + "3\r\nabc\rX0\r\n\r\n"},
        {"interim answers without end", interim_answers(21)},
        {"switching protocols", head("", "HTTP/1.1 101 Switching Protocols")},
    };
    for (const auto& [name, input] : cases) {
        CAPTURE(name);
        CHECK(parse({input}).error == "ProtocolError");
        for (std::size_t cut = 0; cut <= input.size(); ++cut) {
            CAPTURE(cut);
            const std::string_view whole(input);
            REQUIRE(parse({whole.substr(0, cut), whole.substr(cut)}).error == "ProtocolError");
        }
    }
}

TEST_CASE("what cannot become an answer is refused at once, not waited for to its end") {
    for (const char* input : {"SSH", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nx: y\n"}) {
        CAPTURE(input);
        CHECK(parse({input}).error == "ProtocolError");
    }
}

TEST_CASE("a head is refused beyond its limits, and not below, in whatever pieces it comes") {
    const auto fields = [](int count, std::size_t size) {
        std::string text;
        for (int i = 0; i < count; ++i) text += "x: " + std::string(size - 5, 'a') + "\r\n";
        return text;
    };
    const std::string line(16 * 1024, 'a');
    const std::pair<std::string, bool> cases[] = {
        {head("x: " + line.substr(4) + "\r\n"), true},
        {head("x: " + line.substr(3) + "\r\n"), false},
        {head("", "HTTP/1.1 200 " + line.substr(14)), true},
        {head("", "HTTP/1.1 200 " + line.substr(13)), false},
        {head(fields(256, 20)), true},
        {head(fields(257, 20)), false},
        {head(fields(128, 511) + fields(1, 109)), true},   // 64 KiB
        {head(fields(128, 511) + fields(1, 110)), false},  // and one byte
        {head(fields(200, 1000)), false},
    };
    for (const auto& [input, good] : cases) {
        CAPTURE(input.size());
        const std::string_view whole(input);
        for (const std::size_t size : {input.size(), std::size_t{16 * 1024}, std::size_t{1000}, std::size_t{1}}) {
            CAPTURE(size);
            std::vector<std::string_view> pieces;
            for (std::size_t at = 0; at < whole.size(); at += size) pieces.push_back(whole.substr(at, size));
            const Parsed parsed = parse(pieces);
            CHECK(parsed.error == (good ? "ok" : "ProtocolError"));
            CHECK(parsed.lasting == !good);
        }
    }
}

TEST_CASE("chunk extensions and trailers are refused where they are much, and not where they are little") {
    const auto chunks = [](int count, std::size_t extension, std::size_t data) {
        std::string text;
        char size[20];
        std::snprintf(size, sizeof size, "%zx;", data);
        for (int i = 0; i < count; ++i)
            text += size + std::string(extension, 'e') + "\r\n" + std::string(data, 'd') + "\r\n";
        return text;
    };
    const std::string last = "0\r\n\r\n";
    const std::pair<std::string, bool> cases[] = {
        {chunks(1, 10'000, 1) + last, true},
        {chunks(1, 20'000, 1) + last, false},
        {chunks(1, 16'380, 1) + last, true},   // with size and line end 16 KiB
        {chunks(1, 16'381, 1) + last, false},  // and one byte
        {chunks(3, 10'000, 1) + last, false},
        {chunks(3, 10'000, 10'000) + last, true},
        {chunks(10'000, 10, 1) + last, true},
        {chunks(1000, 50, 1) + last, false},
        {"1\r\na\r\n" + std::string(20'000, '0') + "\r\n\r\n", false},
        {"0\r\nx: " + std::string(10'000, 'a') + "\r\n\r\n", true},
        {"0\r\nx: " + std::string(20'000, 'a') + "\r\n\r\n", false},
        {"0\r\nx: " + std::string(16'377, 'a') + "\r\n\r\n", true},   // 16 KiB
        {"0\r\nx: " + std::string(16'378, 'a') + "\r\n\r\n", false},  // and one byte
    };
    for (const auto& [body, good] : cases) {
        CAPTURE(body.substr(0, 20));
        CAPTURE(body.size());
        const std::string input = chunked + body;
        const std::string_view whole(input);
        for (const std::size_t cut : {std::size_t{0}, chunked.size() + 1, whole.size() / 2, whole.size() - 1}) {
            const Parsed parsed = parse({whole.substr(0, cut), whole.substr(cut)}, false, true, 4096);
            CHECK(parsed.error == (good ? "ok" : "ProtocolError"));
            CHECK(parsed.lasting == !good);
        }
    }
}

TEST_CASE("what a peer means as it sent it is told from what may be damaged") {
    CHECK(parse({head("x: " + std::string(70'000, 'a') + "\r\n")}).lasting);
    CHECK(parse({interim_answers(21)}).lasting);
    CHECK(parse({head("", "HTTP/1.1 101 Switching Protocols")}).lasting);
    CHECK(parse({head("transfer-encoding: gzip\r\n") + "abc"}).lasting);
    CHECK_FALSE(parse({"SSH-2.0-OpenSSH\r\n\r\n"}).lasting);
    CHECK_FALSE(parse({head("transfer-encoding: chunked\r\n") + "xyz\r\n"}).lasting);
}

TEST_CASE("a folded value has a blank for the fold, and is no field of its own") {
    const Parsed parsed = parse({head("x: a\r\n content-length: 5\r\ncontent-length: 2\r\n") + "ok"});
    CHECK(parsed.error == "ok");
    CHECK(parsed.body == "ok");
    CHECK(parsed.headers.size() == 2);
    CHECK(parsed.headers.value("x") == "a content-length: 5");
}

TEST_CASE("trailers change nothing of what the head said") {
    const Parsed parsed = parse({chunked + "1\r\na\r\n0\r\ncontent-length: 5\r\ntransfer-encoding: gzip\r\n\r\nrest"});
    CHECK(parsed.error == "ok");
    CHECK(parsed.body == "a");
    CHECK(parsed.headers.size() == 1);
    CHECK(parsed.left_over == 4);
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

TEST_CASE("no beginning of an answer passes for the whole") {
    const std::string answers[] = {
        head("", "HTTP/1.1 103 Early Hints") + head("content-length: 2\r\n") + "ok",
        head("etag: \"x\"\r\n", "HTTP/1.1 304 Not Modified"),
        chunked + "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 1\r\n\r\n",
    };
    for (const std::string& answer : answers) {
        for (std::size_t size = 0; size < answer.size(); ++size) {
            CAPTURE(size);
            const Parsed parsed = parse({std::string_view(answer).substr(0, size)});
            CHECK_FALSE(parsed.done);
            CHECK((parsed.error == "no head" || parsed.error.starts_with("truncated ")));
        }
        CHECK(parse({answer}).done);
    }
}

TEST_CASE("a read without bytes does not end a body that the connection's end ends") {
    Http1Parser parser(false);
    parser.read_head(bytes_of(head("")));
    std::byte out[8];
    CHECK(parser.read_body({}, out).taken == 0);
    CHECK(parser.read_body(bytes_of("abc"), {}).taken == 0);
    CHECK_FALSE(parser.body_done());
    CHECK(parser.read_body(bytes_of("abc"), out).written == 3);
    CHECK_FALSE(parser.body_done());
    parser.finish(3);
    CHECK(parser.body_done());
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
