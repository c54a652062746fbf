#pragma once

// A server of chat completions whose answers are scripts, over HTTP/1.1 or HTTP/2.

#include "support/server.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::test {

/// One answer, as it goes on the wire.
struct Script {
    struct Step {
        std::string bytes;
        std::chrono::milliseconds pause{0};  ///< Before the bytes.
    };
    enum class End {
        whole,    ///< As the framing says.
        cut,      ///< The connection closes (HTTP/1.1), the stream is reset (HTTP/2).
        never,    ///< Nothing more comes.
        endless,  ///< The last step again and again, as fast as the client takes it.
    };
    std::vector<Step> steps{};
    End end = End::whole;
    std::chrono::milliseconds pause_before_headers{0};
    std::string content_type = "text/event-stream";
};

/// An event with a piece of text; `finish` where it is the last.
std::string event(std::string_view text, bool finish = false);
inline constexpr const char* done_event = "data: [DONE]\n\n";
/// An answer of so many events, each with a letter: "abc…", and its end.
Script letters(int count);

class ModelServer {
  public:
    using Scripts = std::function<Script(int number)>;  ///< Of the requests in order, from 0; on the server's threads.

    ModelServer(bool http2, Scripts scripts);
    /// The same answer to all.
    ModelServer(bool http2, Script script);

    std::string base_url() const { return server_.url("/v1"); }
    int accepted() const noexcept { return server_.accepted(); }
    int requests() const noexcept { return requests_; }
    /// Answers that the client ended: by RST_STREAM with CANCEL, or by closing the connection.
    int cancelled() const noexcept { return cancelled_; }
    /// HTTP/2 streams that the client ended with another code.
    int reset_otherwise() const noexcept { return reset_otherwise_; }
    /// Bytes of answers so far.
    std::size_t sent() const noexcept { return sent_; }
    /// Waits up to 2 s.
    bool sees(const std::function<bool()>& condition) const;
    bool sees_cancelled(int count) const {
        return sees([&] { return cancelled_ == count; });
    }

  private:
    void serve_http1(Peer& peer);
    bool play_http1(Peer& peer, const Script& script);
    void serve_http2(Peer& peer);

    Scripts scripts_;
    std::atomic<int> requests_ = 0, cancelled_ = 0, reset_otherwise_ = 0;
    std::atomic<std::size_t> sent_ = 0;
    Server server_;
};

}  // namespace hfhub::test
