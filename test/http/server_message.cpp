#include "http/server_message.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hfhub::http;

TEST_CASE("the server's words are found in header and body and said once") {
    struct Case {
        const char *header, *type, *body, *message;
    };
    for (const Case& test : {
             Case{"", "", "", ""},
             Case{"Forbidden", "", "", "Forbidden"},
             Case{"", "application/json", R"({"error": "Bad ü"})", "Bad ü"},
             Case{"", "", R"( {"error": "no type"} )", "no type"},
             Case{"", "", R"({"error": ["one", "two"]})", "one\ntwo"},
             Case{"", "", R"({"error": {"message": "deep", "code": 502}})", "deep"},
             Case{"", "", R"({"error": "invalid_target", "error_description": "No publisher"})",
                  "invalid_target\nNo publisher"},
             Case{"", "", R"({"message": "m"})", "m"},
             Case{"", "", R"({"detail": [{"loc": ["body"], "msg": "field required"}]})", "field required"},
             Case{"", "", R"({"error": "e", "errors": [{"message": "too long", "path": ["t"]}, {"code": "x"}]})",
                  "e\ntoo long"},
             Case{"", "", R"({"error": "a\n  → at q"})", "a\n  → at q"},
             Case{"", "", R"("just text")", "just text"},
             Case{"", "", R"({"ok": false})", ""},
             Case{"", "", R"({"error": null, "errors": 3})", ""},
             Case{"", "", R"({"error": "cut off)", R"({"error": "cut off)"},
             Case{"Slow down", "", R"({"error": "Slow down"})", "Slow down"},
             Case{"Slow down", "", R"({"error": "slow DOWN"})", "Slow down"},
             Case{"Forbidden", "", R"({"error": "Forbidden: pass create_pr=1"})", "Forbidden: pass create_pr=1"},
             Case{"One", "", R"({"error": "Two"})", "One\nTwo"},
             Case{"", "text/plain", " upstream error\n", "upstream error"},
             Case{"", "text/html; charset=utf-8", "<p>Oops</p>", ""},
             Case{"", "", "<!DOCTYPE html><html>x</html>", ""},
             Case{"", "", "<HTML>x</HTML>", ""},
             Case{"Gone", "text/html", "<p>Oops</p>", "Gone"},
             Case{"", "application/xml",
                  "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
                  "<AWSAccessKeyId>AKIA1</AWSAccessKeyId><SignatureProvided>sig</SignatureProvided></Error>",
                  "AccessDenied\nRequest has expired"},
             Case{"", "", "<Error><Code>X</Code><Message>unclosed", "X"},
             Case{"token hf_abcdefghijklmnopqrstuvwxyz012345 is bad", "", "", "token hf_*** is bad"},
             Case{"", "", R"({"error": "Bearer hf_abcdefghijklmnopqrstuvwxyz012345"})", "Bearer hf_***"},
             Case{"hf_hub_download and hf_short stay", "", "", "hf_hub_download and hf_short stay"},
         }) {
        CAPTURE(std::string(test.body));
        CHECK(server_message(test.header, test.type, test.body) == test.message);
    }
}

TEST_CASE("a message stays short enough to read, whatever the server sends") {
    CHECK(server_message("", "text/plain", std::string(1 << 20, 'x')).size() == 4000);
    std::string characters;
    for (int i = 0; i < 3000; ++i) characters += "ü";
    CHECK(server_message("", "", "a" + characters).size() == 3999);  // not half of one
    std::string list = R"({"error": [)";
    for (int i = 0; i < 10'000; ++i) list += "\"<" + std::to_string(i) + ">\",";
    list.back() = ']';
    CHECK(server_message("", "", list + "}").size() < 200);
    CHECK(server_message("", "", std::string(100'000, '[')).size() == 4000);  // too deep to be read as JSON
}
