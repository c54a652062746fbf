#pragma once

// A Hub in memory: a session whose requests are answered by a function.

#include "http/body.hpp"
#include "http/wait.hpp"

#include <hfhub/session.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::test {

/// What the mock was asked.
struct Seen {
    std::string method;
    std::string target;  ///< Path and query.
    std::string authorization;
    std::string body;
};

struct Answer {
    int status = 200;
    std::string body = "{}";
    std::vector<std::pair<std::string, std::string>> headers{};
    bool never = false;  ///< No answer: the request waits for its deadline or for being cancelled.
    std::function<http::Body(http::Waits&)> stream{};  ///< Makes the body, instead of the text above.
};

class MockHub {
  public:
    using Handler = std::function<Answer(const Seen&)>;
    using Variables = std::vector<std::pair<std::string, std::string>>;

    /// `environment` holds the variables; HOME is a folder that does not exist.
    explicit MockHub(Handler handler, Variables environment = {});

    Session session() const { return session_; }
    /// The requests so far, in order; to be read while no call is under way.
    const std::vector<Seen>& seen() const { return *seen_; }

    static constexpr std::string_view endpoint = "http://hub.test";

  private:
    std::shared_ptr<std::vector<Seen>> seen_ = std::make_shared<std::vector<Seen>>();
    Session session_;
};

}  // namespace hfhub::test
