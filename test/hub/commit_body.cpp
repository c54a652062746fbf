#include "hub/commit_body.hpp"

#include "core/base64.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fstream>

using namespace hfhub;
using namespace hfhub::hub;
using hfhub::test::Loop;
using hfhub::test::TempDir;

namespace {

struct Fixture {
    Loop loop;
    http::Workers workers{*loop.waits, 1};

    std::string read(CommitBody& body, std::size_t at_a_time) {
        auto all = [](CommitBody& body, std::size_t at_a_time) -> awaitable<std::string> {
            std::string text;
            std::vector<std::byte> buffer(at_a_time);
            for (;;) {
                const std::size_t n = co_await body.read_some(buffer);
                if (n == 0) break;
                text.append(reinterpret_cast<const char*>(buffer.data()), n);
            }
            co_return text;
        };
        return loop.run(all(body, at_a_time));
    }
};

Content bytes(std::string_view content) { return Content(UploadSource::bytes(content)); }

std::string file_line(std::string_view content, std::string_view path) {
    return R"({"key":"file","value":{"content":")" + base64_encode(content) + R"(","path":")" + std::string(path) +
           "\",\"encoding\":\"base64\"}}\n";
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a commit's body is one line after the other, with contents in base64") {
    CommitBody body(workers);
    body.add_line("{\"key\":\"header\"}\n");
    body.add_file("a.txt", bytes("1"), 1);
    body.add_file("empty", bytes(""), 0);
    body.add_line("{\"key\":\"deletedFile\"}\n");
    body.add_file("b.txt", bytes("héllo"), 6);
    const std::string expected = "{\"key\":\"header\"}\n" + file_line("1", "a.txt") + file_line("", "empty") +
                                 "{\"key\":\"deletedFile\"}\n" + file_line("héllo", "b.txt");
    CHECK(body.size() == expected.size());
    CHECK(read(body, 4096) == expected);
    CHECK(body.rewind());
    CHECK(read(body, 1) == expected);
}

TEST_CASE_FIXTURE(Fixture, "a body that was read in part begins anew after rewinding") {
    CommitBody body(workers);
    body.add_file("a", bytes("content"), 7);
    std::array<std::byte, 50> some{};
    CHECK(loop.run(body.read_some(some)) > 0);
    CHECK(body.rewind());
    CHECK(read(body, 4096) == file_line("content", "a"));
}

TEST_CASE_FIXTURE(Fixture, "a file's content is the same in base64 as in one piece, whatever its length") {
    TempDir folder;
    for (const std::size_t size : {196'607u, 196'608u, 196'609u, 500'000u}) {
        std::string content(size, '\0');
        for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 253);
        const auto path = folder.path() / "file";
        std::ofstream(path, std::ios::binary) << content;
        CommitBody body(workers);
        body.add_file("f", Content(UploadSource(path)), size);
        const std::string expected = file_line(content, "f");
        CAPTURE(size);
        CHECK(body.size() == expected.size());
        CHECK((read(body, 65'536) == expected));
    }
}

TEST_CASE_FIXTURE(Fixture, "a file that became shorter fails the commit instead of changing what it says") {
    TempDir folder;
    const auto path = folder.path() / "file";
    std::ofstream(path) << "abc";
    CommitBody body(workers);
    body.add_file("f", Content(UploadSource(path)), 4);
    CHECK(test::outcome([&] { read(body, 100); }) == "IoError");
}

TEST_CASE_FIXTURE(Fixture, "paths are written as JSON text") {
    CommitBody body(workers);
    body.add_file("q\"\\\n.txt", bytes("1"), 1);
    CHECK(read(body, 100) == file_line("1", R"(q\"\\\n.txt)"));
}
