#pragma once

#include "http/request.hpp"
#include "http/response.hpp"
#include "http/workers.hpp"
#include "hub/trusted_hosts.hpp"

#include <hfhub/session.hpp>
#include <hfhub/token.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub::http {
class Pipeline;
class Pool;
class SessionState;
class Waits;
}  // namespace hfhub::http

namespace hfhub::hub {

/// What the operations of one API object share. Cheap to copy; its members do not change after it was made.
class Client {
  public:
    struct Settings {
        std::string endpoint;  ///< Empty: that of the environment.
        Token::Kind token_kind = Token::Kind::implicit;
        std::string token;
        std::string library_name, library_version;
        std::vector<std::pair<std::string, std::string>> user_agent;  ///< Further parts, in order.
        std::vector<std::pair<std::string, std::string>> headers;     ///< Sent with every request.
        std::chrono::milliseconds timeout{0};                         ///< For each whole call, 0: none.
    };
    Client(std::shared_ptr<http::SessionState> state, Settings settings);

    const Environment& environment() const { return options().environment; }
    const SessionOptions& options() const;
    const std::string& endpoint() const { return shared_->settings.endpoint; }
    const Settings& settings() const { return shared_->settings; }
    /// No handle: a call under way does not keep its session from ending.
    const std::shared_ptr<http::SessionState>& state() const { return state_; }
    /// For one call, on its caller's thread: the saved token is read, and the limit of the settings begins now, for all
    /// requests of the call together. In a forked child the call is made with a state of its own.
    Client begin_call() const;
    /// The same, its limit beginning anew.
    Client restarted() const;
    /// The same with a deadline no later than that long from now; 0 changes nothing.
    Client within(std::chrono::milliseconds limit) const;
    /// When the call must have ended.
    http::Clock::time_point deadline() const noexcept { return deadline_; }

    /// A request to `path` (percent-encoded, beginning with '/') below the endpoint, with user agent, the client's
    /// header fields and the authorization that `token` chooses. Throws LocalTokenNotFoundError, InvalidArgumentError.
    http::Request request(http::Method method, std::string_view path, Token token = {}) const;
    /// The same for a whole URL: authorization and other secrets go only where may_have_hub_token allows it. Throws
    /// ProtocolError where a server's URL is_downgrade.
    http::Request request_url(http::Method method, std::string_view url, Token token = {},
                              NamedBy by = NamedBy::server) const;
    /// The same for a URL that the user named: what he gives with it, a `given` token and the client's header fields,
    /// is meant for that server wherever it is. A saved token is the Hub's also here.
    http::Request request_named_url(http::Method method, std::string_view url, Token token = {}) const;
    /// The token that a call would send.
    std::optional<std::string> token(Token choice) const;
    /// The token of the environment, else that of the token file as it was when the call began. Throws IoError.
    std::optional<std::string> saved_token() const;

    // On the session's executor only.
    /// An answer of any status, its body unread. Throws what http::Pipeline::send throws.
    awaitable<http::Response> send(http::Request request) const;
    /// An answer below 400, its body unread; others are read and thrown as the error that their status means.
    awaitable<http::Response> send_checked(http::Request request) const;
    /// The whole body of an answer below 400.
    awaitable<std::string> text(http::Request request) const;
    /// The body as JSON. Throws JsonError.
    awaitable<boost::json::value> json(http::Request request) const;
    http::Pipeline& pipeline() const;
    http::Pool& pool() const;
    /// For what blocks; its waits end with the call's deadline.
    http::CallWorkers workers() const;
    http::Waits& waits() const;
    /// Throws CancelledError, and TimeoutError where the call's deadline comes before.
    awaitable<void> wait_until(http::Clock::time_point when) const;

  private:
    struct Shared {
        Settings settings;
        std::string user_agent;
    };
    struct Saved {
        std::optional<std::string> token;
        std::exception_ptr error;
    };
    http::Request prepared(http::Method method, Url url, Token token, NamedBy by) const;
    static std::shared_ptr<const Saved> read_saved(const Environment& environment);
    std::shared_ptr<http::SessionState> state_;
    std::shared_ptr<const Shared> shared_;
    std::shared_ptr<const Saved> saved_;  // null outside of calls
    http::Clock::time_point deadline_ = http::Clock::time_point::max();
};

/// Sets a JSON body and its content type.
void set_json(http::Request& request, const boost::json::value& body);

}  // namespace hfhub::hub
