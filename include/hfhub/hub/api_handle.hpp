#pragma once

#include <hfhub/session.hpp>
#include <hfhub/token.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace hfhub {

namespace hub {
class Client;
}

/// What an API object is made with; every member may be left out.
struct HfApiOptions {
    std::string endpoint{};                                         ///< Empty: that of the session's environment.
    Token token{};                                                  ///< For calls that name none.
    std::string library_name{};                                     ///< Tells the Hub who calls, in User-Agent.
    std::string library_version{};                                  ///< Of that library.
    std::vector<std::pair<std::string, std::string>> user_agent{};  ///< Further names and values in User-Agent.
    std::vector<std::pair<std::string, std::string>> headers{};     ///< Sent with every request.
};

/// What all topics of an API object share. Cheap to copy, safe to use from any thread.
class ApiHandle {
  public:
    /// The library's own view of the object.
    const hub::Client& client() const noexcept { return *client_; }
    const Session& session() const noexcept { return *session_; }
    /// Ends blocking calls when it is asked to.
    const std::stop_token& stop() const noexcept { return stop_; }
    /// The Hub that is asked, without '/' at its end.
    const std::string& endpoint() const noexcept;

  protected:
    ApiHandle() = default;
    ApiHandle(Session session, const HfApiOptions& options);
    ~ApiHandle() = default;
    ApiHandle(const ApiHandle&) = default;
    ApiHandle& operator=(const ApiHandle&) = default;

    void set_timeout(std::chrono::milliseconds timeout);
    void set_stop(std::stop_token stop) noexcept { stop_ = std::move(stop); }

  private:
    std::optional<Session> session_;  // what keeps it open: the client, which calls under way hold too, does not
    std::shared_ptr<const hub::Client> client_;
    std::stop_token stop_;
};

}  // namespace hfhub
