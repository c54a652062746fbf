#include "hub/transfer.hpp"

#include "../core/temporary_folder.hpp"
#include "core/digest.hpp"
#include "file_server.hpp"
#include "support/loop.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>
#include <hfhub/log.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace hfhub;
using namespace hfhub::test;
namespace fs = std::filesystem;

namespace {

using Requests = std::vector<std::string>;
using Get = std::function<FileAnswer(const FileRequestSeen&, int number)>;

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A Hub with one file, whose GETs are answered by a function, and a cache.
struct OneFile {
    OneFile(std::string bytes, Get get, bool lfs = true)
        : content(std::move(bytes)),
          server(
              [this, get = std::move(get), lfs](const FileRequestSeen& seen) {
                  return seen.method == "HEAD" ? head_of(content, lfs) : get(seen, ++gets);
              },
              home.path().string()) {}

    fs::path download(HfHubDownloadOptions options = {}) const {
        return HfApi(server.session()).hf_hub_download("a/m", "f.bin", options);
    }
    fs::path blobs() const { return home / "hub/models--a--m/blobs"; }
    std::size_t parts() const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(blobs())) count += entry.path().extension() == ".incomplete";
        return count;
    }

    TemporaryFolder home;
    std::string content;
    int gets = 0;
    FileServer server;
};

template <class E, class F>
E caught(F&& f) {
    try {
        f();
    } catch (const E& error) {
        return error;
    }
    FAIL("nothing of that kind was thrown");
    throw std::logic_error("unreachable");
}

FileAnswer cut(FileAnswer answer, std::size_t at) {
    answer.cut_at = at;
    return answer;
}

}  // namespace

TEST_CASE("a transfer that is cut anywhere goes on at the last byte") {
    const std::string content = test_bytes(700'000);
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{262'143}, std::size_t{262'144},
                                 std::size_t{262'145}, content.size() - 1}) {
        CAPTURE(at);
        OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
            return number == 1 ? cut(rest_of(content, seen), at) : rest_of(content, seen);
        });
        CHECK(read(hub.download()) == content);
        const std::string second = at == 0 ? "GET" : "GET bytes=" + std::to_string(at) + "-";
        CHECK(hub.server.summary() == Requests{"HEAD", "GET", second});
        CHECK(hub.parts() == 0);
    }
}

TEST_CASE("the rest is asked for only if the file is still the same, and not encoded") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        return number == 1 ? cut(rest_of(content, seen, "\"v1\""), 10) : rest_of(content, seen, "\"v1\"");
    });
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.seen().at(2).headers.value("if-range") == "\"v1\"");
    CHECK(hub.server.seen().at(1).headers.value("accept-encoding") == "identity");
    CHECK(hub.server.seen().at(2).headers.value("accept-encoding") == "identity");
}

TEST_CASE("a weak ETag is no condition") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        return number == 1 ? cut(rest_of(content, seen, "W/\"v1\""), 10) : rest_of(content, seen);
    });
    CHECK(read(hub.download()) == content);
    CHECK(!hub.server.seen().at(2).headers.contains("if-range"));
}

TEST_CASE("a 200 in place of the rest restarts the file") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        FileRequestSeen without_range = seen;
        without_range.headers.erase("range");
        FileAnswer answer = rest_of(content, without_range);
        if (number == 1) answer.cut_at = 400;
        return answer;
    });
    CHECK(read(hub.download()) == content);
    CHECK(hub.gets == 2);
}

TEST_CASE("a 206 that begins elsewhere is not appended") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) return cut(rest_of(content, seen), 400);
        if (number > 2) return rest_of(content, seen);
        FileRequestSeen other = seen;
        other.headers.set("range", "bytes=300-");
        return rest_of(content, other);
    });
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.summary() == Requests{"HEAD", "GET", "GET bytes=400-", "GET"});
}

TEST_CASE("a 416 in the middle discards what is there, once") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) return cut(rest_of(content, seen), 400);
        return number == 2 ? FileAnswer{.status = 416} : rest_of(content, seen);
    });
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.summary() == Requests{"HEAD", "GET", "GET bytes=400-", "GET"});
}

TEST_CASE("tries without progress are limited, progress resets them") {
    const std::string content = test_bytes(1000);
    OneFile stuck(content, [&](const FileRequestSeen& seen, int) { return cut(rest_of(content, seen), 0); });
    CHECK_THROWS_AS(stuck.download(), TruncatedError);
    CHECK(stuck.gets == 6);
    OneFile slow(content, [&](const FileRequestSeen& seen, int) { return cut(rest_of(content, seen), 50); });
    CHECK(read(slow.download()) == content);
    CHECK(slow.gets == 20);
}

TEST_CASE("when all files fail their tries are bounded together: one in five more, after a burst") {
    const std::string content = test_bytes(10);
    OneFile hub(content, [&](const FileRequestSeen& seen, int) { return cut(rest_of(content, seen), 0); });
    const HfApi api(hub.server.session());
    constexpr int files = 80;
    for (int i = 0; i < files; ++i) {
        const std::string repo = "a/m" + std::to_string(i);
        CHECK(outcome([&] { (void)api.hf_hub_download(repo, "f.bin"); }) == "TruncatedError");
    }
    // Each HEAD is a request, too.
    CHECK(hub.gets <= files + 100 + 2 * files / 5);
    CHECK(hub.gets >= files + 100);
}

TEST_CASE("a server that ignores ranges and always cuts at one place is not asked for ever") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int) {
        FileRequestSeen without_range = seen;
        without_range.headers.erase("range");
        return cut(rest_of(content, without_range), 400);
    });
    CHECK_THROWS_AS(hub.download(), TruncatedError);
    CHECK(hub.gets == 6);
}

TEST_CASE("a content with another hash is fetched anew once and never appears") {
    const std::string content = test_bytes(1000);
    const std::string wrong = test_bytes(999) + "?";
    for (const bool lfs : {true, false}) {
        CAPTURE(lfs);
        OneFile once(
            content,
            [&](const FileRequestSeen& seen, int number) { return rest_of(number == 1 ? wrong : content, seen); }, lfs);
        CHECK(read(once.download()) == content);
        CHECK(once.gets == 2);
        OneFile always(content, [&](const FileRequestSeen& seen, int) { return rest_of(wrong, seen); }, lfs);
        try {
            always.download();
            FAIL("the wrong content was taken");
        } catch (const IntegrityError& error) {
            CHECK(error.expected == (lfs ? sha256_hex(content) : git_sha1_of(content)));
            CHECK(error.got == (lfs ? sha256_hex(wrong) : git_sha1_of(wrong)));
            CHECK(fs::path(error.path).parent_path() == always.blobs());
        }
        CHECK(always.gets == 2);
        CHECK(fs::is_empty(always.blobs()));
        CHECK(!HfApi(always.server.session()).try_to_load_from_cache("a/m", "f.bin"));
    }
}

TEST_CASE("an answer of another length is refused at once") {
    const std::string content = test_bytes(1000);
    OneFile announced(content, [&](const FileRequestSeen& seen, int) { return rest_of(content + "x", seen); });
    CHECK_THROWS_WITH_AS(announced.download(), doctest::Contains("1001 bytes instead of 1000"), IntegrityError);
    CHECK(announced.gets == 1);
    OneFile endless(content, [&](const FileRequestSeen&, int) { return FileAnswer{.body = content + content}; });
    CHECK_THROWS_AS(endless.download(), IntegrityError);
    CHECK(endless.gets == 1);
}

TEST_CASE("a wrong answer in the middle does not cost what is there") {
    const std::string content = test_bytes(700'000);
    bool portal = true;
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) return cut(rest_of(content, seen), 300'000);
        if (!portal) return rest_of(content, seen);
        return FileAnswer{.body = "<html>please log in</html>", .headers = {{"content-length", "26"}}};
    });
    CHECK_THROWS_AS(hub.download(), IntegrityError);
    CHECK(hub.parts() == 1);
    portal = false;
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.summary().back() == "GET bytes=300000-");
}

TEST_CASE("a whole answer without a length in the middle does not cost what is there") {
    const std::string content = test_bytes(700'000);
    bool portal = true;
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) return cut(rest_of(content, seen), 300'000);
        return portal ? FileAnswer{.body = "<html>please log in</html>"} : rest_of(content, seen);
    });
    CHECK_THROWS_AS(hub.download(), TruncatedError);
    CHECK(hub.gets == 6);
    CHECK(hub.parts() == 1);
    portal = false;
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.summary().back() == "GET bytes=300000-");
}

TEST_CASE("a whole answer in the middle that begins with other bytes is found by the hash") {
    const std::string content = test_bytes(700'000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) {
            FileAnswer answer{.body = std::string(700'000, '?')};
            return cut(answer, 300'000);
        }
        FileRequestSeen without_range = seen;
        without_range.headers.erase("range");
        return rest_of(content, without_range);
    });
    CHECK(read(hub.download()) == content);
    CHECK(hub.gets == 3);
}

TEST_CASE("where neither length nor hash of the beginning fit, a shorter whole answer begins the file again") {
    const std::string content = test_bytes(1000), longer = test_bytes(3000);
    const TemporaryFolder home;
    int gets = 0;
    FileServer server(
        [&](const FileRequestSeen& seen) {
            if (seen.method == "HEAD") {
                FileAnswer head = head_of(content, false);
                head.headers.pop_back();
                return head;
            }
            if (++gets == 1) return cut(FileAnswer{.body = longer}, 2000);
            return FileAnswer{.body = content};
        },
        home.path().string());
    CHECK(read(HfApi(server.session()).hf_hub_download("a/m", "f.bin")) == content);
    CHECK(gets == 3);
}

TEST_CASE("a rest of another version is not appended where the server knows no If-Range") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (number == 1) return cut(rest_of(content, seen, "\"one\""), 400);
        return rest_of(content, seen, "\"two\"");
    });
    CHECK(read(hub.download({.verify_hash = false})) == content);
    CHECK(hub.server.summary() == Requests{"HEAD", "GET", "GET bytes=400-", "GET"});
}

TEST_CASE("statuses that may pass are tried again, others are final") {
    const std::string content = test_bytes(1000);
    OneFile busy(content, [&](const FileRequestSeen& seen, int number) {
        return number < 3 ? FileAnswer{.status = 503} : rest_of(content, seen);
    });
    CHECK(read(busy.download()) == content);
    for (const int status : {400, 401, 403, 404, 410, 416}) {
        CAPTURE(status);
        OneFile refused(content, [&](const FileRequestSeen&, int) { return FileAnswer{.status = status}; });
        CHECK_THROWS_AS(refused.download(), HfHubHttpError);
        CHECK(refused.gets == 1);
    }
}

TEST_CASE("an interrupted download is gone on with by the next one") {
    const std::string content = test_bytes(700'000);
    bool up = false;
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        if (up) return rest_of(content, seen);
        return number == 1 ? cut(rest_of(content, seen), 500'000) : FileAnswer{.refused = true};
    });
    CHECK_THROWS_AS(hub.download(), ConnectError);
    CHECK(hub.parts() == 1);
    up = true;
    CHECK(read(hub.download()) == content);
    CHECK(hub.server.summary().back() == "GET bytes=500000-");
    CHECK(hub.parts() == 0);
}

TEST_CASE("a part that holds all bytes is checked and used without a request") {
    const std::string content = test_bytes(1000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int) { return rest_of(content, seen); });
    {
        fs::create_directories(hub.blobs());
        hub::PartFile part(hub.blobs(), sha256_hex(content), {sha256_hex(content), content.size()});
        part.append(std::as_bytes(std::span(content)));
    }
    CHECK(read(hub.download()) == content);
    CHECK(hub.gets == 0);
}

TEST_CASE("progress tells bytes once, and the end") {
    const std::string content = test_bytes(700'000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        return number == 1 ? cut(rest_of(content, seen), 300'000) : rest_of(content, seen);
    });
    std::vector<std::uint64_t> done;
    const ProgressCallback progress = [&](const Progress& now) {
        CHECK(now.name == "f.bin");
        CHECK(now.total == 700'000);
        done.push_back(now.done);
    };
    const auto begin = std::chrono::steady_clock::now();
    hub.download({.progress = &progress});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    REQUIRE(!done.empty());
    CHECK(done.back() == 700'000);
    CHECK(std::is_sorted(done.begin(), done.end()));
    CHECK(static_cast<double>(done.size()) <= took.count() * 10 + 2);  // ten a second, the first and the last
}

TEST_CASE("progress does not go back where a content has to be fetched anew") {
    const std::string content = test_bytes(700'000), wrong(700'000, 'x');
    OneFile hub(content,
                [&](const FileRequestSeen& seen, int number) { return rest_of(number == 1 ? wrong : content, seen); });
    std::vector<std::uint64_t> done;
    const ProgressCallback progress = [&](const Progress& now) { done.push_back(now.done); };
    hub.download({.progress = &progress});
    CHECK(hub.gets == 2);
    CHECK(done.back() == 700'000);
    CHECK(std::is_sorted(done.begin(), done.end()));
}

TEST_CASE("what an earlier run fetched counts from the start") {
    const std::string content = test_bytes(700'000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        FileAnswer answer = rest_of(content, seen);
        return number > 6 ? answer : cut(answer, number == 1 ? 300'000 : 0);
    });
    CHECK_THROWS_AS(hub.download(), TruncatedError);
    std::vector<std::uint64_t> done;
    const ProgressCallback progress = [&](const Progress& now) { done.push_back(now.done); };
    hub.download({.progress = &progress});
    CHECK(hub.server.summary().back() == "GET bytes=300000-");
    CHECK(done.front() > 300'000);
    CHECK(done.back() == 700'000);
}

TEST_CASE("the error of a download says how many bytes are there, and of which tries it is") {
    const std::string content = test_bytes(700'000);
    std::vector<std::string> lines;
    OneFile hub(content, [&](const FileRequestSeen& seen, int number) {
        return cut(rest_of(content, seen), number == 1 ? 300'000 : 0);
    });
    set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
    const auto error = caught<TransportError>([&] { hub.download(); });
    set_log_sink({});
    CHECK(error.bytes_done == 300'000);
    CHECK(error.attempts == 6);
    CHECK(error.status == 206);
    CHECK(error.url().find("/a/m/resolve/") != std::string::npos);
    CHECK(std::string(error.what()).find(" after 6 tries") != std::string::npos);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0].starts_with("f.bin: "));
    CHECK(lines[0].find(" ms, then attempt 2 of 6 goes on at byte 300000") != std::string::npos);
    CHECK(lines[4].find("then attempt 6 of 6") != std::string::npos);
    CHECK(lines[4].find("tries") == std::string::npos);
}

TEST_CASE("what a progress callback throws ends the transfer and keeps the part") {
    const std::string content = test_bytes(2'000'000);
    OneFile hub(content, [&](const FileRequestSeen& seen, int) { return rest_of(content, seen); });
    const ProgressCallback progress = [&](const Progress&) { throw std::runtime_error("enough"); };
    CHECK_THROWS_WITH(hub.download({.progress = &progress}), "enough");
    CHECK(!HfApi(hub.server.session()).try_to_load_from_cache("a/m", "f.bin"));
}

TEST_CASE("a signed address that has run out is asked for anew, a new one that is refused is not") {
    const TemporaryFolder home;
    const std::string content = test_bytes(1000);
    int signatures = 0;
    bool expire = true;
    const auto handler = [&](const FileRequestSeen& seen) {
        if (seen.method == "HEAD") {
            FileAnswer head = head_of(content);
            head.status = 302;
            head.headers.emplace_back("x-linked-size", "1000");
            head.headers.emplace_back("location", "https://cdn.test/f?sig=" + std::to_string(++signatures));
            return head;
        }
        CHECK(!seen.headers.contains("authorization"));
        if (!expire) return FileAnswer{.status = 403};
        if (seen.url == "https://cdn.test/f?sig=1" && seen.range().empty()) return cut(rest_of(content, seen), 400);
        return seen.url == "https://cdn.test/f?sig=1" ? FileAnswer{.status = 403} : rest_of(content, seen);
    };
    FileServer server(handler, home.path().string(), {{"HF_TOKEN", "hf_secret"}});
    CHECK(read(HfApi(server.session()).hf_hub_download("a/m", "f.bin")) == content);
    CHECK(server.summary() == Requests{"HEAD", "GET", "GET bytes=400-", "HEAD", "GET bytes=400-"});
    CHECK(server.seen().front().headers.value("authorization") == "Bearer hf_secret");
    expire = false;
    CHECK_THROWS_AS(HfApi(server.session()).hf_hub_download("a/m", "f.bin", {.force_download = true}), HfHubHttpError);
    CHECK(server.summary().size() == 7);
}

TEST_CASE("a file that changes between HEAD and GET is asked about anew") {
    const TemporaryFolder home;
    std::string content = test_bytes(1000);
    int heads = 0;
    FileServer server(
        [&](const FileRequestSeen& seen) {
            if (seen.method == "HEAD") {
                const FileAnswer head = head_of(content);
                if (++heads == 1) content = test_bytes(1234);
                return head;
            }
            return rest_of(content, seen, "\"" + sha256_hex(content) + "\"");
        },
        home.path().string());
    CHECK(read(HfApi(server.session()).hf_hub_download("a/m", "f.bin")) == content);
    CHECK(server.summary() == Requests{"HEAD", "GET", "HEAD", "GET"});
}

TEST_CASE("a length that is not known is learned from the answer") {
    const TemporaryFolder home;
    const std::string content = test_bytes(1000);
    FileServer server(
        [&](const FileRequestSeen& seen) {
            if (seen.method == "GET") return cut(rest_of(content, seen), 900);
            FileAnswer head = head_of(content, false);
            head.headers.pop_back();
            return head;
        },
        home.path().string());
    CHECK(read(HfApi(server.session()).hf_hub_download("a/m", "f.bin")) == content);
    CHECK(server.summary() == Requests{"HEAD", "GET", "GET bytes=900-"});
}
