#include "hub/ranges.hpp"

#include "../core/temporary_folder.hpp"
#include "file_server.hpp"
#include "http/session.hpp"
#include "hub/range_memory.hpp"

#include <hfhub/error.hpp>
#include <hfhub/mode.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace hfhub;
using namespace hfhub::hub;
using namespace hfhub::test;

namespace {

constexpr double mebibyte = 1 << 20;

/// A file in memory that is fetched in parts.
struct Parts {
    explicit Parts(FileServer::Handler handler) : server(std::move(handler), home.path().string()) {}

    void fetch(std::uint64_t first, std::uint64_t end, std::uint64_t part_size, std::size_t streams) {
        Client client(server.session().state(), {});
        RangeJob job;
        job.name = "f";
        job.etag = "etag";
        job.first = first;
        job.end = end;
        job.size = size;
        job.part_size = part_size;
        job.streams = streams;
        job.request = [client](std::uint64_t from, std::uint64_t to) {
            http::Request request = client.request(http::Method::get, "/f");
            request.headers.set("range", "bytes=" + std::to_string(from) + "-" + std::to_string(to));
            request.max_attempts = 1;
            return request;
        };
        job.take = [this](std::span<const std::byte> bytes) { return take(bytes); };
        Blocking::run<void>(server.session(), fetch_ranges(client, std::move(job)));
    }
    awaitable<void> take(std::span<const std::byte> bytes) {
        taken.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        co_return;
    }

    TemporaryFolder home;
    FileServer server;
    std::uint64_t size = 0;
    std::string taken;
};

/// A 206 for "bytes=a-b".
FileAnswer part_of(const std::string& content, const FileRequestSeen& request) {
    const std::string range = request.range();
    const std::size_t dash = range.find('-');
    const std::size_t first = std::stoul(range.substr(6, dash - 6)), last = std::stoul(range.substr(dash + 1));
    FileAnswer answer{.status = 206, .body = content.substr(first, last - first + 1)};
    answer.headers = {{"content-range", "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                            std::to_string(content.size())}};
    answer.chunk = 7'000;
    return answer;
}

}  // namespace

TEST_CASE("parts side by side arrive in order and whole") {
    const std::string content = test_bytes(1'000'003);
    Parts parts([&](const FileRequestSeen& request) { return part_of(content, request); });
    parts.size = content.size();
    for (const std::size_t streams : {1, 2, 3, 8}) {
        CAPTURE(streams);
        parts.taken.clear();
        parts.fetch(100, content.size(), 65'536, streams);
        CHECK(parts.taken == content.substr(100));
    }
    parts.taken.clear();
    parts.fetch(5, 6, 65'536, 4);
    CHECK(parts.taken == content.substr(5, 1));
}

TEST_CASE("the first part that fails ends all, and what was taken has no gaps") {
    const std::string content = test_bytes(500'000);
    const auto failing = [&](FileAnswer bad) {
        return [&content, bad](const FileRequestSeen& request) {
            return request.range().starts_with("bytes=200000-") ? bad : part_of(content, request);
        };
    };
    FileAnswer elsewhere{.status = 206, .body = content.substr(200'000, 50'000)};
    elsewhere.headers = {{"content-range", "bytes 200001-250000/500000"}};
    FileAnswer shorter = elsewhere;
    shorter.headers = {{"content-range", "bytes 200000-249998/500000"}};
    shorter.body = content.substr(200'000, 49'999);
    const FileAnswer whole{.status = 200, .body = content};
    for (const FileAnswer& bad : {elsewhere, shorter, whole, FileAnswer{.status = 403}, FileAnswer{.refused = true}}) {
        CAPTURE(bad.status);
        Parts parts(failing(bad));
        parts.size = content.size();
        CHECK_THROWS_AS(parts.fetch(0, content.size(), 50'000, 3), TransportError);
        CHECK(parts.taken.size() <= 220'000);
        CHECK(parts.taken == content.substr(0, parts.taken.size()));
    }
}

TEST_CASE("a part that is cut goes on where it broke, as long as it moves") {
    const std::string content = test_bytes(500'000);
    const auto cutting = [&](std::size_t each) {
        return [&content, each](const FileRequestSeen& request) {
            FileAnswer answer = part_of(content, request);
            if (answer.body.size() > each && request.range().ends_with("-249999")) answer.cut_at = each;
            return answer;
        };
    };
    for (const std::size_t each : {9'000, 20'000, 49'999}) {
        CAPTURE(each);
        Parts parts(cutting(each));
        parts.size = content.size();
        parts.fetch(0, content.size(), 50'000, 3);
        CHECK(parts.taken == content);
        CHECK(parts.server.seen().size() == 10 + (49'999 / each));
    }
    for (const std::size_t each : {0, 7'000}) {
        CAPTURE(each);
        Parts parts(cutting(each));
        parts.size = content.size();
        CHECK_THROWS_AS(parts.fetch(0, content.size(), 50'000, 3), TransportError);
        CHECK(parts.taken == content.substr(0, parts.taken.size()));
    }
}

TEST_CASE("the parts of all files together have a bounded place in memory") {
    RangeMemory first, second;
    CHECK(first.try_take(RangeMemory::most));
    CHECK(RangeMemory::left() == 0);
    CHECK(!second.try_take(1));
    CHECK(first.try_take(10));
    CHECK(second.try_take(RangeMemory::most - 10));
    CHECK(!first.try_take(11));
    second.give_back();
    CHECK(RangeMemory::left() == RangeMemory::most);
}

TEST_CASE("parts are for large rests of slow streams") {
    CHECK(ranges_may_help(20 * mebibyte, 1 << 30));
    CHECK_FALSE(ranges_may_help(800 * mebibyte, 1 << 30));
    CHECK_FALSE(ranges_may_help(20 * mebibyte, 32 << 20));
    CHECK_FALSE(ranges_may_help(100 * mebibyte, 200 << 20));
}

TEST_CASE("the number of parts doubles as long as that brings a quarter more") {
    RangePace throttled(10 * mebibyte);  // each stream gets 10 MiB/s, eight of them are as many as there may be
    for (const double streams : {2, 4, 8}) {
        CHECK(throttled.streams() == static_cast<std::size_t>(streams));
        CHECK_FALSE(throttled.settled());
        throttled.measured(10 * mebibyte * streams);
    }
    CHECK(throttled.settled());
    CHECK(throttled.streams() == 8);

    RangePace full(10 * mebibyte);  // the line is full with one
    full.measured(11 * mebibyte);
    CHECK(full.settled());
    CHECK(full.streams() == 1);

    RangePace between(10 * mebibyte);
    between.measured(20 * mebibyte);
    between.measured(22 * mebibyte);
    CHECK(between.settled());
    CHECK(between.streams() == 2);

    for (const double rate : {0.0, 1e3, 1e7, 1e12}) {
        const RangePace pace(rate);
        CHECK(pace.part_size() >= 1 << 20);
        CHECK(pace.part_size() <= 8 << 20);
        CHECK(pace.round_size() >= 2 * pace.streams() * pace.part_size());
    }
}
