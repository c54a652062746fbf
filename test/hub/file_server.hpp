#pragma once

// A server of files in memory: a session whose requests are answered by a function, with bodies that can end early.

#include "http/headers.hpp"

#include <hfhub/session.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::test {

struct FileRequestSeen {
    std::string method;
    std::string url;
    http::Headers headers;

    std::string range() const { return std::string(headers.value("range")); }
};

struct FileAnswer {
    int status = 200;
    std::string body{};
    std::vector<std::pair<std::string, std::string>> headers{};
    std::optional<std::size_t> cut_at{};  ///< After so many bytes the connection is lost.
    bool refused = false;                 ///< No connection at all.
    std::size_t chunk = 1 << 16;          ///< So many bytes come at once.
};

class FileServer {
  public:
    using Handler = std::function<FileAnswer(const FileRequestSeen&)>;
    using Variables = std::vector<std::pair<std::string, std::string>>;

    /// HOME and HF_HOME are `home`; `environment` holds further variables.
    FileServer(Handler handler, std::string home, Variables environment = {});

    Session session() const { return session_; }
    /// To be read while no call is under way.
    const std::vector<FileRequestSeen>& seen() const { return *seen_; }
    /// "HEAD", "GET" or "GET bytes=10-" for each request.
    std::vector<std::string> summary() const;

    static constexpr std::string_view endpoint = "http://hub.test";

  private:
    std::shared_ptr<std::vector<FileRequestSeen>> seen_ = std::make_shared<std::vector<FileRequestSeen>>();
    Session session_;
};

/// The rest of the content that the request's range asks for, as a 206; the whole as a 200 where there is none.
FileAnswer rest_of(const std::string& content, const FileRequestSeen& request, std::string etag = "\"served\"");

/// The answer to HEAD for a file with that content: named by its SHA-256 where `lfs`, by git's SHA-1 otherwise.
FileAnswer head_of(const std::string& content, bool lfs = true);
std::string git_sha1_of(const std::string& content);
inline constexpr std::string_view commit = "0123456789abcdef0123456789abcdef01234567";

/// Bytes that do not repeat soon.
std::string test_bytes(std::size_t size);

}  // namespace hfhub::test
