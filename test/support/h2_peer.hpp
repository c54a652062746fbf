#pragma once

#include "server.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_session;

namespace hfhub::test {

/// The server's side of HTTP/2 as a value: the client's bytes in, the server's bytes out.
class H2Peer {
  public:
    using Fields = std::vector<std::pair<std::string, std::string>>;
    using Settings = std::vector<std::pair<int, std::uint32_t>>;

    /// One request as it came.
    struct Exchange {
        std::int32_t id = 0;
        Fields fields;
        std::string body;
        bool headers_done = false;
        bool ended = false;                  ///< The request is complete.
        std::optional<std::uint32_t> reset;  ///< The client's RST_STREAM.
        bool closed = false;
        std::string field(std::string_view name) const;

        std::string outgoing;
        bool last_outgoing = false;
        Fields trailers;
    };

    /// `hold_windows`: received bytes are not acknowledged until open_windows().
    explicit H2Peer(const Settings& settings = {}, bool hold_windows = false);
    ~H2Peer();
    H2Peer(const H2Peer&) = delete;
    H2Peer& operator=(const H2Peer&) = delete;

    void receive(std::string_view bytes);
    /// What is to be sent to the client.
    std::string take();

    /// Requests by stream id, in the order in which they came.
    std::map<std::int32_t, Exchange> exchanges;
    std::optional<std::uint32_t> goaway;        ///< The client's error code.
    std::function<void(Exchange&)> on_request;  ///< When a request is complete.

    void interim(std::int32_t id, int status, const Fields& fields = {});
    /// The answer's headers and body; `end` false leaves it open for data().
    void respond(std::int32_t id, int status, const Fields& fields = {}, std::string_view body = {}, bool end = true);
    void data(std::int32_t id, std::string_view bytes, bool end);
    void trailers(std::int32_t id, const Fields& fields);
    void reset(std::int32_t id, std::uint32_t code);
    void send_goaway(std::int32_t last_id, std::uint32_t code = 0);
    void send_settings(const Settings& settings);
    /// Acknowledges what was held.
    void open_windows();

  private:
    struct Callbacks;
    nghttp2_session* session_ = nullptr;
    bool hold_windows_;
    std::map<std::int32_t, std::size_t> held_;
};

/// Plays `peer` on a connection until either side ends it: `step` is called after each arrival and every 5 ms; false
/// ends.
void serve_h2(Peer& connection, H2Peer& peer, const std::function<bool()>& step = {});

}  // namespace hfhub::test
