#include "core/datetime.hpp"

#include <hfhub/error.hpp>

#include <cstdint>
#include <cstdio>
#include <span>

namespace hfhub {

namespace {

using namespace std::chrono;

/// Takes a text apart from the left; each function says whether what it was to take was there.
class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}

    bool literal(std::string_view expected) {
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }
    bool one_of(std::string_view characters) {
        if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
        rest_.remove_prefix(1);
        return true;
    }
    /// Exactly `count` digits.
    bool digits(std::size_t count, int& value) {
        if (rest_.size() < count) return false;
        int result = 0;
        for (const char c : rest_.substr(0, count)) {
            if (c < '0' || c > '9') return false;
            result = result * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        value = result;
        return true;
    }
    /// One or more digits behind a decimal point, cut to microseconds.
    bool fraction(microseconds& value) {
        std::int64_t unit = 100'000;
        std::size_t size = 0;
        value = microseconds(0);
        for (; size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '9'; ++size, unit /= 10) {
            value += microseconds((rest_[size] - '0') * unit);
        }
        rest_.remove_prefix(size);
        return size > 0;
    }
    bool word_of(std::span<const std::string_view> words, int& index) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (literal(words[i])) return index = static_cast<int>(i), true;
        }
        return false;
    }
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

struct Fields {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

/// A second of 60 is a leap second and means the one after.
std::optional<sys_seconds> moment(const Fields& fields) {
    const year_month_day date(year(fields.year), month(static_cast<unsigned>(fields.month)),
                              day(static_cast<unsigned>(fields.day)));
    if (!date.ok() || fields.hour > 23 || fields.minute > 59 || fields.second > 60) return std::nullopt;
    return sys_days(date) + hours(fields.hour) + minutes(fields.minute) + seconds(fields.second);
}

/// "Z", "+01:00", "+0100" or nothing.
bool read_offset(Reader& reader, minutes& offset) {
    offset = minutes(0);
    if (reader.at_end() || reader.one_of("Zz")) return true;
    const bool west = reader.literal("-");
    int hour = 0, minute = 0;
    if ((!west && !reader.literal("+")) || !reader.digits(2, hour)) return false;
    reader.literal(":");
    if (!reader.digits(2, minute) || hour > 23 || minute > 59) return false;
    offset = hours(hour) + minutes(minute);
    if (west) offset = -offset;
    return true;
}

constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view long_days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
constexpr std::string_view short_days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

bool read_month(Reader& reader, Fields& fields) {
    int index = 0;
    if (!reader.word_of(months, index)) return false;
    fields.month = index + 1;
    return true;
}

bool read_time(Reader& reader, Fields& fields) {
    return reader.digits(2, fields.hour) && reader.literal(":") && reader.digits(2, fields.minute) &&
           reader.literal(":") && reader.digits(2, fields.second);
}

/// "Sun, 06 Nov 1994 08:49:37 GMT"
bool read_imf_fixdate(Reader reader, Fields& fields) {
    int weekday = 0;
    return reader.word_of(short_days, weekday) && reader.literal(", ") && reader.digits(2, fields.day) &&
           reader.literal(" ") && read_month(reader, fields) && reader.literal(" ") && reader.digits(4, fields.year) &&
           reader.literal(" ") && read_time(reader, fields) && reader.literal(" GMT") && reader.at_end();
}

/// "Sunday, 06-Nov-94 08:49:37 GMT"; the year comes without its century.
bool read_rfc850(Reader reader, Fields& fields) {
    int weekday = 0;
    return reader.word_of(long_days, weekday) && reader.literal(", ") && reader.digits(2, fields.day) &&
           reader.literal("-") && read_month(reader, fields) && reader.literal("-") && reader.digits(2, fields.year) &&
           reader.literal(" ") && read_time(reader, fields) && reader.literal(" GMT") && reader.at_end();
}

/// "Sun Nov  6 08:49:37 1994"
bool read_asctime(Reader reader, Fields& fields) {
    int weekday = 0;
    if (!reader.word_of(short_days, weekday) || !reader.literal(" ") || !read_month(reader, fields) ||
        !reader.literal(" ")) {
        return false;
    }
    return reader.digits(reader.literal(" ") ? 1 : 2, fields.day) && reader.literal(" ") && read_time(reader, fields) &&
           reader.literal(" ") && reader.digits(4, fields.year) && reader.at_end();
}

std::optional<Datetime> read_iso8601(std::string_view text) {
    Reader reader(text);
    Fields fields;
    microseconds fraction(0);
    minutes offset(0);
    const bool read = reader.digits(4, fields.year) && reader.literal("-") && reader.digits(2, fields.month) &&
                      reader.literal("-") && reader.digits(2, fields.day) && reader.one_of("Tt ") &&
                      read_time(reader, fields) && (!reader.literal(".") || reader.fraction(fraction)) &&
                      read_offset(reader, offset) && reader.at_end();
    const auto whole = read ? moment(fields) : std::nullopt;
    if (!whole) return std::nullopt;
    const Datetime time = Datetime(*whole) + fraction - offset;
    // What these years are written as cannot be read again, here or in Python.
    if (time < sys_days(year(1) / January / 1) || time >= sys_days(year(10'000) / January / 1)) return std::nullopt;
    return time;
}

}  // namespace

Datetime parse_datetime(std::string_view text) {
    const auto time = read_iso8601(text);
    if (!time) {
        throw InvalidArgumentError("\"" + std::string(text.substr(0, 64)) +
                                   "\" is not a time such as 2025-03-04T05:06:07.000Z");
    }
    return *time;
}

std::string format_datetime(Datetime time) {
    const auto whole = floor<seconds>(time);
    const auto day = floor<days>(whole);
    const year_month_day date(day);
    const hh_mm_ss clock(whole - day);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    std::string out = text;
    if (const auto fraction = (time - whole).count(); fraction != 0) {
        std::snprintf(text, sizeof text, ".%06d", static_cast<int>(fraction));
        out += text;
    }
    return out + "+00:00";
}

std::optional<sys_seconds> parse_http_date(std::string_view text, system_clock::time_point now) {
    Fields fields;
    if (read_imf_fixdate(Reader(text), fields) || read_asctime(Reader(text), fields)) return moment(fields);
    if (!read_rfc850(Reader(text), fields)) return std::nullopt;
    const int latest = static_cast<int>(year_month_day(floor<days>(now)).year()) + 50;
    fields.year += latest / 100 * 100;
    if (fields.year > latest) fields.year -= 100;
    return moment(fields);
}

}  // namespace hfhub
