#pragma once

// Server-sent events, parsed as they arrive (WHATWG HTML 9.2.5 and 9.2.6). No I/O.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::http {

/// What ends an event.
enum class SseMode : std::uint8_t {
    events,      ///< A blank line, as the standard says; the lines of one event's data are joined by "\n".
    data_lines,  ///< The end of each `data:` line: some model servers leave the blank line out.
};

/// The views are valid until the next call of the parser, and no longer than the block that was fed.
struct SseEvent {
    std::string_view event;  ///< "message" where the server names none.
    std::string_view data;
    std::string_view id;  ///< The last id that came, with this event or an earlier one.
};

/// Splits a stream into events, with the same outcome wherever the stream is cut. Lines end with CR, LF or CRLF; one
/// byte order mark at the start is skipped. Bytes are passed on as they came, UTF-8 or not: what reads the data (JSON)
/// judges them. Data that lies whole in the fed block is not copied.
class SseParser {
  public:
    static constexpr std::size_t default_limit = std::size_t{16} << 20;

    /// An event or a line of more than `limit` bytes throws ProtocolError.
    explicit SseParser(SseMode mode = SseMode::events, std::size_t limit = default_limit) noexcept
        : mode_(mode), limit_(limit) {}
    SseParser(const SseParser&) = delete;
    SseParser& operator=(const SseParser&) = delete;

    /// Takes the next block of the stream. The bytes must stay where they are until next() has returned false, which it
    /// must have done for the block before.
    void feed(std::string_view bytes);
    /// Gives the next event, or returns false where more bytes are needed.
    bool next(SseEvent& event);
    /// Says that the stream has ended well. An event without its blank line is dropped, as the standard says; in
    /// `data_lines` mode a last line without its line end counts, and next() gives it.
    void finish();

    /// Comment lines so far: servers send them to show that they are alive.
    std::size_t comments() const noexcept { return comments_; }
    /// The last reconnection time that the server named.
    std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }
    std::string_view last_event_id() const noexcept { return id_; }

  private:
    bool next_line(std::string_view& line);
    bool take_line(std::string_view line);
    bool take_field(std::string_view name, std::string_view value);
    void add_data(std::string_view value);
    void keep_rest();
    void skip_byte_order_mark();
    std::size_t line_end() noexcept;
    void begin_event() noexcept;
    [[noreturn]] void refuse() const;

    SseMode mode_;
    std::size_t limit_;
    std::string_view block_;   // what was fed last
    std::size_t at_ = 0;       // first byte of the block that is not parsed
    std::size_t next_lf_ = 0;  // next LF or CR at or after at_, or the block's size; each is searched for only once
    std::size_t next_cr_ = 0;
    std::string line_;  // the start of a line whose end has not come, or the last such line
    bool line_is_open_ = false;
    bool skip_lf_ = false;    // the last line ended with CR, whose LF may come yet
    unsigned mark_seen_ = 0;  // bytes of the byte order mark so far; 3 once that question is settled
    bool used_up_ = true;     // the block is not needed any more
    bool finished_ = false;
    bool given_ = false;  // the last next() gave an event, whose views may go now

    std::string_view data_;  // into the block, line_ or joined_
    std::string joined_;
    bool has_data_ = false;
    std::string event_;
    std::string id_;
    std::size_t comments_ = 0;
    std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace hfhub::http
