#include "core/datetime.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

using namespace hfhub;
using namespace std::chrono;

namespace {
constexpr Datetime at(int y, unsigned m, unsigned d, int h = 0, int min = 0, int s = 0, int micro = 0) {
    return sys_days(year(y) / month(m) / day(d)) + hours(h) + minutes(min) + seconds(s) + microseconds(micro);
}
}  // namespace

TEST_CASE("times are read as the Hub sends them") {
    CHECK(parse_datetime("2025-03-04T05:06:07.000Z") == at(2025, 3, 4, 5, 6, 7));
    CHECK(parse_datetime("2025-03-04T05:06:07Z") == at(2025, 3, 4, 5, 6, 7));
    CHECK(parse_datetime("2022-08-19T07:19:38.123Z") == at(2022, 8, 19, 7, 19, 38, 123000));
    CHECK(parse_datetime("2022-08-19T07:19:38.123456789Z") == at(2022, 8, 19, 7, 19, 38, 123456));
    CHECK(parse_datetime("2022-08-19T07:19:38.9999999999999Z") == at(2022, 8, 19, 7, 19, 38, 999999));
    CHECK(parse_datetime("2022-08-19T07:19:38.5") == at(2022, 8, 19, 7, 19, 38, 500000));
    CHECK(parse_datetime("1969-12-31T23:59:59.5Z").time_since_epoch() == microseconds(-500000));
    CHECK(parse_datetime("2024-02-29 00:00:00z") == at(2024, 2, 29));
}

TEST_CASE("offsets lead to UTC") {
    CHECK(parse_datetime("2025-03-04T05:06:07+01:30") == at(2025, 3, 4, 3, 36, 7));
    CHECK(parse_datetime("2025-03-04T23:06:07.25-0100") == at(2025, 3, 5, 0, 6, 7, 250000));
    CHECK(parse_datetime("2025-03-04T05:06:07+00:00") == at(2025, 3, 4, 5, 6, 7));
}

TEST_CASE("a leap second is the second after") { CHECK(parse_datetime("2016-12-31T23:59:60Z") == at(2017, 1, 1)); }

TEST_CASE("what is no time is refused") {
    for (const char* bad : {"",
                            "2025",
                            "2025-03-04",
                            "2025-03-04T05:06",
                            "2025-13-04T05:06:07Z",
                            "2025-00-04T05:06:07Z",
                            "2025-02-29T00:00:00Z",
                            "2025-03-04T24:06:07Z",
                            "2025-03-04T05:60:07Z",
                            "2025-03-04T05:06:61Z",
                            "2025-03-04T05:06:07.Z",
                            "2025-03-04T05:06:07ZZ",
                            "2025-03-04T05:06:07+1",
                            "2025-03-04T05:06:07+24:00",
                            "2025-03-04T05:06:07 Z",
                            " 2025-03-04T05:06:07Z",
                            "2025-3-4T05:06:07Z",
                            "+025-03-04T05:06:07Z",
                            "0000-01-01T00:00:00Z",
                            "0001-01-01T00:00:00+00:01",
                            "9999-12-31T23:59:59-00:01",
                            "9999-12-31T23:59:60Z"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(parse_datetime(bad), InvalidArgumentError);
    }
}

TEST_CASE("times are written as Python's isoformat does") {
    CHECK(format_datetime(at(2026, 1, 2, 3, 4, 5)) == "2026-01-02T03:04:05+00:00");
    CHECK(format_datetime(at(2026, 1, 2, 3, 4, 5, 7)) == "2026-01-02T03:04:05.000007+00:00");
    CHECK(format_datetime(at(2026, 1, 2, 3, 4, 5, 123000)) == "2026-01-02T03:04:05.123000+00:00");
    CHECK(format_datetime(at(1, 1, 1)) == "0001-01-01T00:00:00+00:00");
    CHECK(format_datetime(Datetime(microseconds(-1))) == "1969-12-31T23:59:59.999999+00:00");
    CHECK(parse_datetime(format_datetime(at(2026, 12, 31, 23, 59, 59, 999999))) ==
          at(2026, 12, 31, 23, 59, 59, 999999));
    for (const char* edge : {"0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"})
        CHECK(format_datetime(parse_datetime(edge)) == edge);
}

TEST_CASE("the three forms of an HTTP date mean the same") {
    const sys_seconds expected = sys_days(year(1994) / 11 / 6) + hours(8) + minutes(49) + seconds(37);
    const auto now = sys_days(year(2026) / 6 / 1);
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == expected);
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == expected);
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", now) == expected);
    CHECK(parse_http_date("Sun Nov 16 08:49:37 1994", now) == expected + days(10));
}

TEST_CASE("a two-digit year lies at most 50 years ahead") {
    const auto now = sys_days(year(2026) / 6 / 1);
    const auto year_of = [&](const char* text) {
        return static_cast<int>(year_month_day(floor<days>(parse_http_date(text, now).value())).year());
    };
    CHECK(year_of("Sunday, 06-Nov-76 08:49:37 GMT") == 2076);
    CHECK(year_of("Sunday, 06-Nov-77 08:49:37 GMT") == 1977);
    CHECK(year_of("Sunday, 06-Nov-00 08:49:37 GMT") == 2000);
    CHECK(year_of("Sunday, 06-Nov-26 08:49:37 GMT") == 2026);
}

TEST_CASE("what is no HTTP date is nothing") {
    for (const char* bad :
         {"", "120", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "sun, 06 Nov 1994 08:49:37 GMT",
          "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
          "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun Nov 6 08:49:37 1994", "Sunday, 06-Nov-1994 08:49:37 GMT"}) {
        CAPTURE(bad);
        CHECK(!parse_http_date(bad));
    }
}
