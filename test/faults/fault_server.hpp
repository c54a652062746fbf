#pragma once

// A Hub, its storage and a model in one server, over HTTP/1.1 or HTTP/2, that shows each cell its fault.

#include "cell.hpp"
#include "support/server.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::test {

inline constexpr std::string_view commit_of_cells = "0123456789abcdef0123456789abcdef01234567";
inline constexpr std::size_t part_size = 1000;

/// What the file of every cell holds; that of the blob, too.
const std::string& file_content();
/// Where a body is cut.
inline constexpr std::size_t half_of_file = 20'000;

struct SeenRequest {
    std::string method, target, range, body;
    bool faulty = false;  ///< Of the kind that the cell's fault is for.
};

/// What a server saw of one cell.
struct Seen {
    std::vector<SeenRequest> requests;
    std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
    std::chrono::milliseconds longest_silence{0};
    bool committed = false;

    void heard();
    std::vector<SeenRequest> faulty() const;
    int count(std::string_view method, std::string_view part_of_target) const;
};

/// What several servers know of all cells.
class Cells {
  public:
    void begin(const Cell& cell);
    Seen seen(const Cell& cell);

  private:
    friend class FaultServer;
    std::mutex mutex_;
    std::map<int, std::pair<Cell, Seen>> cells_;
};

class FaultServer {
  public:
    /// `tls`: with ALPN for the one protocol.
    FaultServer(Cells& cells, bool http2, SslContext tls);
    std::string url(std::string_view target = "") const { return server_.url(target); }
    std::uint16_t port() const noexcept { return server_.port(); }

  private:
    using Fields = std::vector<std::pair<std::string, std::string>>;
    struct Answer {
        int status = 200;
        Fields fields{};
        std::string body{};
        Fault fault = Fault::none;
        std::size_t cut = 0;  ///< Bytes of the body that are sent where the fault cuts it.
    };
    Answer answer(SeenRequest request);
    void heard(std::string_view target);
    Answer answer_of(const Cell& cell, Seen& seen, const SeenRequest& request) const;
    Answer file(const SeenRequest& request) const;
    void serve_http1(Peer& peer);
    void serve_http2(Peer& peer);

    Cells& cells_;
    Server server_;
};

}  // namespace hfhub::test
