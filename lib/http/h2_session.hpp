#pragma once

#include "http/h2_memory.hpp"
#include "http/headers.hpp"
#include "http/receive_buffer.hpp"
#include "http/request.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

struct nghttp2_session;

namespace hfhub::http {

class H2Session;

/// One exchange as the session sees it. Whoever owns it may drop it at any time: an open stream is then reset.
class H2Stream : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    H2Stream() = default;
    H2Stream(const H2Stream&) = delete;
    H2Stream& operator=(const H2Stream&) = delete;
    virtual ~H2Stream() = default;
    /// Something below changed; called after the bytes of one read were all parsed.
    virtual void on_news() = 0;

    std::int32_t id = -1;
    int status = 0;
    Headers headers;
    bool headers_done = false;
    bool ended = false;            ///< The answer is complete.
    bool closed = false;           ///< The session has forgotten it.
    std::uint32_t error_code = 0;  ///< Why the peer or the session reset it.
    bool unprocessed = false;      ///< The peer says that it did not act on it (GOAWAY, REFUSED_STREAM).
    std::string violation;         ///< What the answer did wrong.

    ReceiveBuffer received;
    std::uint64_t received_bytes = 0;
    std::span<std::byte> destination;  ///< A waiting reader's buffer, filled before `received`.
    std::size_t delivered = 0;         ///< Bytes put there.

    std::span<const std::byte> outgoing;  ///< Body bytes not yet framed; replaced when empty.
    bool last_outgoing = true;            ///< Nothing follows `outgoing`.
    bool body_sent = true;
    bool deferred = false;

  private:
    friend class H2Session;
    void unlink_if_linked() noexcept {
        if (is_linked()) unlink();
    }
    bool has_news_ = false;
    bool request_sent_ = false;  // its HEADERS left; until then it waits for the peer's limit
    bool window_raised_ = false;
    int interim_answers_ = 0;
    std::size_t header_bytes_ = 0;
};

/// HTTP/2 for a client as a value: bytes in, bytes out, no sockets (RFC 9113 by nghttp2).
class H2Session {
  public:
    H2Session();
    ~H2Session();
    H2Session(const H2Session&) = delete;
    H2Session& operator=(const H2Session&) = delete;

    /// Opens a stream; `outgoing` and `last_outgoing` are its body where `with_body`. Throws ProtocolError.
    void submit(H2Stream& stream, const Request& request, bool with_body, std::optional<std::uint64_t> content_length);
    /// More of the body is in `outgoing`.
    void resume(H2Stream& stream);
    /// Resets the stream where it is still open, and forgets it.
    void release(H2Stream& stream) noexcept;
    /// The reader took bytes: lets the peer send as many more.
    void consumed(H2Stream& stream, std::size_t bytes);
    /// Parses what arrived. Throws ProtocolError where the connection cannot go on.
    void receive(std::span<const std::byte> bytes);
    /// Appends what is to be sent, up to about `limit` bytes.
    void produce(std::vector<std::byte>& out, std::size_t limit);
    bool wants_write() const;
    /// Asks the peer for a sign of life.
    void ping();
    /// Tells the peer that no more comes.
    void terminate();

    /// Calls on_news() of each stream that has some.
    void deliver();
    /// Marks every stream as failed; the connection is gone.
    void fail_all(const std::string& reason);

    std::size_t open_streams() const noexcept { return open_streams_; }
    std::size_t free_slots() const noexcept;
    /// How many streams may be opened before the peer has told its limit.
    void expect_slots(std::size_t slots) noexcept { expected_slots_ = slots; }
    /// The peer's limit where SETTINGS arrived since the last call.
    std::optional<std::size_t> take_new_limit() noexcept;
    bool going_away() const noexcept { return going_away_; }
    /// Whether the peer wants HTTP/1.1 instead.
    bool http1_required() const noexcept { return http1_required_; }
    /// The error for which the peer ends the connection; 0 where it does not, or in peace.
    std::uint32_t goaway_error() const noexcept { return goaway_error_; }
    /// Whether a peer that goes away has acted on any request of this connection.
    bool processed_any() const noexcept { return last_processed_ > 0; }
    /// Whether so many streams were reset that more of it would look like an attack to the peer.
    bool worn_out() const noexcept { return worn_out_; }
    /// Whether the peer broke the rules such that nothing more will be read, although receive() went well.
    bool broken() const;
    const std::string& failure() const noexcept { return failure_; }

  private:
    struct Callbacks;
    using Streams = boost::intrusive::list<H2Stream, boost::intrusive::constant_time_size<false>>;
    void note(H2Stream& stream);
    bool endure(std::size_t cost);
    void count_reset();
    void note_end(std::uint32_t code, std::string_view why);

    H2Memory memory_;  // of the session
    nghttp2_session* session_ = nullptr;
    Streams quiet_;  // open streams without news
    Streams news_;   // open or closed streams whose owner is to be told
    std::size_t open_streams_ = 0;
    std::size_t expected_slots_ = 100;  // RFC 9113 6.5.2 recommends no lower limit
    bool settled_ = false;              // the peer's SETTINGS have arrived
    bool settings_news_ = false;
    bool going_away_ = false;
    bool http1_required_ = false;
    std::uint32_t goaway_error_ = 0;
    std::int32_t last_processed_ = 0;
    bool worn_out_ = false;
    std::size_t overhead_ = 0;  // of frames that brought nothing forward, since something did
    std::size_t resets_ = 0;    // by this side
    std::chrono::steady_clock::time_point overhead_since_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point resets_since_ = overhead_since_;
    bool terminated_ = false;                     // by this side
    std::unordered_set<std::int32_t> abandoned_;  // released before their HEADERS left, and no longer counted
    std::string failure_;
};

}  // namespace hfhub::http
