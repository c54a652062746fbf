#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::local_hub {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The two origins of the server: the Hub itself and the host that stores large files.
enum class Site { hub, storage };

/// One request, whichever protocol it came by.
struct Request {
    Site site = Site::hub;
    std::string scheme;  ///< http or https.
    std::string method;
    std::string authority;  ///< Host or :authority, with the port.
    std::string path;       ///< As sent: percent-encoded, without the query.
    std::string raw_query;  ///< As sent.
    Fields query;           ///< Decoded, in order.
    Fields headers;         ///< Names in lower case.
    std::string body;       ///< Empty where a BodySink took it.

    /// Splits a request target (path?query) into path and query.
    void set_target(std::string_view target);
    /// The first field of that (lower-case) name, empty where there is none.
    std::string_view header(std::string_view name) const;
    bool has_header(std::string_view name) const;
    std::optional<std::string_view> parameter(std::string_view name) const;
    std::vector<std::string_view> parameters(std::string_view name) const;
    bool flag(std::string_view name) const;  ///< True for 1, true.
    std::string origin() const { return scheme + "://" + authority; }
    std::string host() const;  ///< Authority without the port.
};

/// Percent-decodes; in a query '+' means a blank. Broken escapes stay as they are.
std::string percent_decoded(std::string_view text, bool plus_is_blank = false);
std::string percent_encoded(std::string_view text, std::string_view keep = {});
Fields parse_form(std::string_view text);
/// The decoded parts of a path between its slashes.
std::vector<std::string> path_segments(std::string_view path);
std::string lower_case(std::string_view text);

/// Where a response's body comes from, pulled by the connection whenever the peer takes more.
class BodySource {
  public:
    enum class State { more, end, waiting };
    struct Read {
        std::size_t size;
        State state;
    };
    virtual ~BodySource() = default;
    virtual Read read(std::span<char> room) = 0;
    virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
    /// Called once before the first read; `ready` is to be called on that executor after a read that was waiting.
    virtual void attach(const boost::asio::any_io_executor&, std::function<void()> /*ready*/) {}
};

/// Takes a request's body as it arrives.
class BodySink {
  public:
    virtual ~BodySink() = default;
    virtual void write(std::string_view bytes) = 0;
};

/// What a fault does to a response's body after so many bytes of it.
struct Interruption {
    enum class Kind { none, cut, reset, stall };
    Kind kind = Kind::none;
    std::uint64_t after = 0;
};

struct Response {
    int status = 200;
    Fields headers;  ///< Without Content-Length, which the connection adds.
    std::string content;
    std::unique_ptr<BodySource> source;          ///< Instead of content.
    std::optional<std::uint64_t> stated_length;  ///< Content-Length of an answer to HEAD.
    Interruption interruption;
    std::chrono::milliseconds delay{0};

    Response& with(std::string name, std::string value) {
        headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    std::optional<std::uint64_t> length() const;
};

Response json_response(std::string text, int status = 200);
Response text_response(std::string text, int status = 200);

/// The part of the program that answers requests. Safe to call from several threads.
class Service {
  public:
    virtual ~Service() = default;
    /// Called when the header section is complete; null: the body is collected in Request::body.
    virtual std::unique_ptr<BodySink> sink_for(const Request& request) = 0;
    /// True where the answer does not depend on the body (asked only where the client waits for 100 Continue).
    virtual bool refuses_early(const Request& request) = 0;
    virtual Response respond(Request& request, std::unique_ptr<BodySink> sink) = 0;
};

/// A response's body with its interruption, as both protocols pull it.
class OutgoingBody {
  public:
    enum class State { more, end, waiting, cut, reset };
    struct Read {
        std::size_t size;
        State state;
    };
    OutgoingBody() = default;
    explicit OutgoingBody(Response& response);
    void attach(const boost::asio::any_io_executor& executor, std::function<void()> ready);
    Read read(std::span<char> room);

  private:
    Read read_unlimited(std::span<char> room);

    std::string content_;
    std::unique_ptr<BodySource> source_;
    Interruption interruption_;
    std::uint64_t sent_ = 0;
};

}  // namespace hfhub::local_hub
