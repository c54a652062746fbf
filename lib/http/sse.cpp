#include "http/sse.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace hfhub::http {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::size_t find_byte(std::string_view text, std::size_t from, char byte) noexcept {
    const void* found = from < text.size() ? std::memchr(text.data() + from, byte, text.size() - from) : nullptr;
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.size();
}

}  // namespace

void SseParser::feed(std::string_view bytes) {
    if (!used_up_) throw std::logic_error("SseParser::feed: the block before is not used up");
    used_up_ = false;
    block_ = bytes;
    at_ = 0;
    if (mark_seen_ < byte_order_mark.size()) skip_byte_order_mark();
    next_lf_ = find_byte(block_, at_, '\n');
    next_cr_ = find_byte(block_, at_, '\r');
}

void SseParser::finish() {
    finished_ = true;
    skip_lf_ = false;
}

bool SseParser::next(SseEvent& event) {
    if (given_) begin_event();
    std::string_view line;
    while (next_line(line)) {
        if (!take_line(line)) continue;
        given_ = true;
        event = {event_.empty() ? std::string_view("message") : std::string_view(event_), data_, id_};
        return true;
    }
    return false;
}

void SseParser::begin_event() noexcept {
    given_ = false;
    has_data_ = false;
    data_ = {};
    joined_.clear();
    if (mode_ == SseMode::events) event_.clear();
}

/// A byte order mark may be cut too: its first bytes are held until they are known to be one or part of a line.
void SseParser::skip_byte_order_mark() {
    while (at_ < block_.size() && mark_seen_ < byte_order_mark.size()) {
        if (block_[at_] == byte_order_mark[mark_seen_]) {
            ++at_;
            ++mark_seen_;
            continue;
        }
        line_ = byte_order_mark.substr(0, mark_seen_);
        line_is_open_ = mark_seen_ > 0;
        mark_seen_ = byte_order_mark.size();
    }
}

std::size_t SseParser::line_end() noexcept {
    if (next_lf_ < at_) next_lf_ = find_byte(block_, at_, '\n');
    if (next_cr_ < at_) next_cr_ = find_byte(block_, at_, '\r');
    return std::min(next_lf_, next_cr_);
}

bool SseParser::next_line(std::string_view& line) {
    if (skip_lf_ && at_ < block_.size()) {
        skip_lf_ = false;
        if (block_[at_] == '\n') ++at_;
    }
    const std::size_t end = line_end();
    if (end >= block_.size()) {
        keep_rest();
        if (!finished_ || !line_is_open_ || mode_ != SseMode::data_lines) return false;
        line_is_open_ = false;
        line = line_;
        return true;
    }
    line = block_.substr(at_, end - at_);
    if (line.size() > limit_) refuse();
    skip_lf_ = block_[end] == '\r';
    at_ = end + 1;
    if (line_is_open_) {
        if (line.size() + line_.size() > limit_) refuse();
        line_.append(line);
        line_is_open_ = false;
        line = line_;
    }
    return true;
}

/// The block may be gone at the next call: what is needed of it is copied.
void SseParser::keep_rest() {
    used_up_ = true;
    if (has_data_ && data_.data() != joined_.data()) {
        joined_.assign(data_);
        data_ = joined_;
    }
    if (at_ == block_.size()) return;
    const std::string_view rest = block_.substr(at_);
    if (!line_is_open_) line_.clear();
    if (line_.size() + rest.size() > limit_) refuse();
    line_.append(rest);
    line_is_open_ = true;
    at_ = block_.size();
}

/// True where the line completes an event.
bool SseParser::take_line(std::string_view line) {
    if (line.empty()) {
        if (has_data_ && mode_ == SseMode::events) return true;
        event_.clear();
        return false;
    }
    if (line.starts_with("data:")) {  // nearly every line
        add_data(line.substr(line.size() > 5 && line[5] == ' ' ? 6 : 5));
        return mode_ == SseMode::data_lines;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) {
        ++comments_;
        return false;
    }
    if (colon == std::string_view::npos) return take_field(line, {});
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    return take_field(line.substr(0, colon), value);
}

bool SseParser::take_field(std::string_view name, std::string_view value) {
    if (name == "data") {
        add_data(value);
        return mode_ == SseMode::data_lines;
    }
    if (name == "event") {
        event_ = value;
    } else if (name == "id") {
        if (value.find('\0') == std::string_view::npos) id_ = value;
    } else if (name == "retry") {
        std::int64_t milliseconds = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
        const bool digits = !value.empty() && value.front() != '-' && end == value.data() + value.size();
        if (digits && error == std::errc()) retry_ = std::chrono::milliseconds(milliseconds);
    }
    return false;
}

void SseParser::add_data(std::string_view value) {
    if (!has_data_) {
        has_data_ = true;
        data_ = value;
        return;
    }
    if (data_.size() + 1 + value.size() > limit_) refuse();
    if (data_.data() != joined_.data()) joined_.assign(data_);
    joined_ += '\n';
    joined_ += value;
    data_ = joined_;
}

void SseParser::refuse() const {
    throw ProtocolError("the server sent an event of more than " + std::to_string(limit_) + " bytes");
}

}  // namespace hfhub::http
