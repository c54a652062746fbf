#include "http/chunked.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace hfhub::http {

namespace {

// What a chunk may say beside its data. More of it than data is an attack on who has to read it.
constexpr std::size_t max_overhead = 16 * 1024;
constexpr std::size_t free_overhead = 16;  // per chunk
constexpr std::size_t max_trailers = 16 * 1024;

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

bool is_text(char c) noexcept { return static_cast<unsigned char>(c) >= 0x20 ? c != 0x7f : c == '\t'; }

bool is_token(char c) noexcept {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

[[noreturn]] void refuse(std::string_view what) {
    throw ProtocolError("the answer's chunked body is not valid HTTP/1.1: " + std::string(what));
}

[[noreturn]] void refuse_size(std::string_view what) {
    throw ProtocolError::lasting("the answer's chunked body is refused: " + std::string(what));
}

}  // namespace

ChunkedDecoder::Progress ChunkedDecoder::read(std::span<const std::byte> in, std::span<std::byte> out) {
    Progress progress;
    while (progress.taken < in.size() && state_ != State::done) {
        if (state_ != State::data) {
            take(static_cast<char>(in[progress.taken++]));
            continue;
        }
        const std::size_t room = std::min(in.size() - progress.taken, out.size() - progress.written);
        const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(room, left_));
        if (n == 0) break;
        std::memcpy(out.data() + progress.written, in.data() + progress.taken, n);
        progress.taken += n;
        progress.written += n;
        left_ -= n;
        if (left_ == 0) state_ = State::data_cr;
    }
    return progress;
}

void ChunkedDecoder::take(char c) {
    if (state_ <= State::size_end) return take_size(c);
    if (state_ >= State::line) return take_trailer(c);
    if (state_ == State::data_cr) {
        if (c != '\r') refuse("a chunk is longer than its size");
        state_ = State::data_lf;
    } else {
        if (c != '\n') refuse("a chunk does not end with CRLF");
        state_ = State::size;
    }
}

void ChunkedDecoder::take_size(char c) {
    if (++overhead_ > max_overhead) refuse_size("it has more chunk extensions than data");
    if (state_ == State::size_end) {
        if (c != '\n') refuse("the line of a chunk's size has a bare CR");
        return begin_chunk();
    }
    if (state_ == State::extension) {
        if (c == '\r') {
            state_ = State::size_end;
        } else if (!is_text(c)) {
            refuse("a chunk extension has a control character");
        }
        return;
    }
    if (const int digit = hex_value(c); state_ == State::size && digit >= 0) {
        if (left_ >> 60 != 0) refuse("a chunk's size is beyond 64 bits");
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        has_digit_ = true;
        return;
    }
    if (!has_digit_) refuse("a chunk has no size");
    if (c == ';') {
        state_ = State::extension;
    } else if (is_blank(c)) {
        state_ = State::blanks;
    } else if (c == '\r' && state_ == State::size) {
        state_ = State::size_end;
    } else {
        refuse("a chunk's size is no hexadecimal number");
    }
}

void ChunkedDecoder::begin_chunk() {
    has_digit_ = false;
    const std::uint64_t made_up = std::min<std::uint64_t>(left_, max_overhead) + free_overhead;
    overhead_ -= static_cast<std::size_t>(std::min<std::uint64_t>(overhead_, made_up));
    state_ = left_ > 0 ? State::data : State::line;
}

void ChunkedDecoder::take_trailer(char c) {
    if (++trailer_bytes_ > max_trailers) refuse_size("its trailers are larger than 16 KiB");
    switch (state_) {
        case State::line:
            if (c == '\r') {
                state_ = State::end;
            } else if (is_token(c)) {
                state_ = State::field_name;
            } else {
                refuse("a trailer field has no name");
            }
            return;
        case State::field_name:
            if (c == ':') {
                state_ = State::field_value;
            } else if (!is_token(c)) {
                refuse("the name of a trailer field is no name");
            }
            return;
        case State::field_value:
            if (c == '\r') {
                state_ = State::field_end;
            } else if (!is_text(c)) {
                refuse("a trailer field has a control character");
            }
            return;
        default:
            if (c != '\n') refuse("a line of the trailers has a bare CR");
            state_ = state_ == State::end ? State::done : State::line;
    }
}

}  // namespace hfhub::http
