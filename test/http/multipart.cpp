#include "http/multipart.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace hfhub;
using namespace hfhub::http;

TEST_CASE("fields and files are written as RFC 7578 says") {
    MultipartForm form("XX");
    form.field("model", "whisper");
    form.file("audio", "a.wav", "audio/wav", std::string("R\0\r\n--F", 7));
    form.file("image", "b", "", "");
    const std::string expected =
        "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
        "--XX\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\nContent-Type: "
        "audio/wav\r\n\r\n" +
        std::string("R\0\r\n--F", 7) +
        "\r\n"
        "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"b\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n\r\n"
        "--XX--\r\n";
    CHECK(form.content_type() == "multipart/form-data; boundary=XX");
    CHECK(form.body() == expected);
    CHECK(std::move(form).body() == expected);
}

TEST_CASE("an empty form is the closing boundary") { CHECK(MultipartForm("b").body() == "--b--\r\n"); }

TEST_CASE("no name can end its part") {
    MultipartForm form("b");
    form.field("a\"; x=\"", "v");
    form.file("n\r\nX: 1", "ü \\ ;\r\n\"é", "text/plain", "v");
    const std::string body = form.body();
    CHECK(body.find("name=\"a%22; x=%22\"\r\n") != std::string::npos);
    CHECK(body.find("name=\"n%0D%0AX: 1\"; filename=\"ü \\ ;%0D%0A%22é\"\r\n") != std::string::npos);
    CHECK_THROWS_AS(form.file("n", "f", "text/plain\r\nX: 1", "v"), InvalidArgumentError);
    CHECK(form.body() == body);
}

TEST_CASE("boundaries are random, and of characters that need no quotes") {
    const MultipartForm one, two;
    CHECK(one.content_type() != two.content_type());
    CHECK(one.content_type().size() == std::string("multipart/form-data; boundary=hfhub-").size() + 32);
    for (const char* boundary : {"", "a b", "a\"b", "a\r\nb", "ü"}) {
        CHECK_THROWS_AS(MultipartForm(std::string(boundary)), InvalidArgumentError);
    }
    CHECK_THROWS_AS(MultipartForm(std::string(71, 'a')), InvalidArgumentError);
    CHECK_NOTHROW(MultipartForm(std::string(70, 'a')));
}
