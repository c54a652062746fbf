#pragma once

// How a stream of events is read: connections that may break, and what was given already.

#include "core/owned.hpp"
#include "http/response.hpp"
#include "http/sse.hpp"
#include "hub/client.hpp"
#include "hub/pages.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::hub {

/// What is asked for, and when it is over.
struct EventRequest {
    std::string path;  ///< Below the endpoint, percent-encoded.
    OwnedToken token;
    http::Milliseconds silence{0};                     ///< A connection that says nothing for so long has ended.
    bool follow = false;                               ///< Goes on after a break, and after a silence.
    bool replays = true;                               ///< A new connection begins with the first event again.
    std::optional<std::uint64_t> tail{};               ///< Only so many events of those that are there.
    int not_yet = 0;                                   ///< A status that means "ask again", or 0.
    std::function<awaitable<bool>(Client)> is_over{};  ///< Asked after every connection that was not ended well.
    std::function<awaitable<void>(Client, EventRequest&)> complete{};  ///< Makes the path, before the first request.
};

/// How a connection ended.
enum class EventEnd : std::uint8_t { well, silent, broken, not_yet };
enum class AfterEnd : std::uint8_t { stop, fail, again };
/// What follows then. `breaks` are those without an event in between, this one included.
AfterEnd after_end(const EventRequest& request, EventEnd end, int breaks) noexcept;

/// One connection and the events that come over it. Used from the session's executor; may end anywhere.
class EventConnection {
  public:
    EventConnection(std::shared_ptr<http::SessionState> state, http::Response answer);
    ~EventConnection();
    EventConnection(const EventConnection&) = delete;
    EventConnection& operator=(const EventConnection&) = delete;

    /// Reads more bytes; false after the last. Throws TransportError that says what it broke off.
    awaitable<bool> fill(http::Milliseconds silence);
    /// The next event among the bytes that are there. Throws JsonError.
    std::optional<json::object> take();

  private:
    std::shared_ptr<http::SessionState> state_;
    http::Body body_;
    http::AnswerFacts answer_;
    std::uint64_t received_ = 0;
    http::SseParser parser_{http::SseMode::data_lines};
    std::vector<std::byte> buffer_;
};

/// Events over as many connections as it takes.
class EventSource {
  public:
    EventSource(const Client& client, EventRequest request);

    /// At least one event that was not given before, nothing after the last.
    awaitable<std::optional<std::vector<json::object>>> next();

  private:
    struct End {
        EventEnd how = EventEnd::well;
        std::exception_ptr error;
    };
    void begin();
    awaitable<std::optional<End>> open();
    awaitable<std::optional<End>> read();
    awaitable<void> settle(End end);
    std::vector<json::object> take_new();
    bool is_known(const json::object& event);
    void note(const json::object& event);

    Client client_;
    EventRequest request_;
    std::unique_ptr<EventConnection> connection_;
    std::uint64_t given_ = 0;
    std::uint64_t replayed_ = 0;  // of them, those that this connection has brought again
    json::object last_;           // the last one given, where the first request left out what came before the tail
    bool catching_up_ = false;
    std::exception_ptr trouble_;  // with an event that came behind others
    int breaks_ = 0;
    bool begun_ = false;
    bool ended_ = false;
};

/// The events as a listing whose items `convert` makes; what it makes nothing of is left out.
template <class T>
class EventPages final : public PageSource<T> {
  public:
    using Convert = std::optional<T> (*)(json::object& event);
    EventPages(const Client& client, EventRequest request, Convert convert)
        : source_(client, std::move(request)), convert_(convert) {}

    awaitable<std::optional<std::vector<T>>> next_page() override {
        std::optional<std::vector<json::object>> events = co_await source_.next();
        if (!events) co_return std::nullopt;
        std::vector<T> items;
        for (json::object& event : *events) {
            if (std::optional<T> item = convert_(event)) items.push_back(std::move(*item));
        }
        co_return std::optional<std::vector<T>>(std::move(items));
    }

  private:
    EventSource source_;
    Convert convert_;
};

/// The text of a line of a log.
std::optional<std::string> log_line(json::object& event);

}  // namespace hfhub::hub
