#pragma once

#include <hfhub/environment.hpp>
#include <hfhub/fwd.hpp>
#include <hfhub/trace.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace hfhub {

/// What a hook sees of a request before it is sent; it may add or replace header fields.
class RequestHook {
  public:
    virtual ~RequestHook() = default;
    virtual std::string_view method() const = 0;
    virtual std::string url() const = 0;  ///< Without credentials and signed query.
    virtual std::string header(std::string_view name) const = 0;
    virtual void set_header(std::string_view name, std::string_view value) = 0;
};

/// What a hook sees of an answer, after redirects and retries. A body that is wanted as a whole has been read by then,
/// others have not.
struct ResponseInfo {
    std::string_view method;
    std::string_view url;  ///< Without credentials and signed query.
    int status = 0;
    std::string_view protocol;    ///< "HTTP/1.1" or "HTTP/2".
    std::string_view request_id;  ///< X-Request-Id or X-Amzn-Trace-Id.
    int attempts = 1;
    std::chrono::microseconds elapsed{0};  ///< Until the answer's headers.
};

/// Called on the session's executor; must not block. What on_request throws fails the request.
struct Hooks {
    std::function<void(RequestHook&)> on_request;
    std::function<void(const ResponseInfo&)> on_response;
    std::function<void(const AttemptTrace&)> on_attempt;  ///< What it throws is dropped.
};

/// Whether HTTP/2 is used.
enum class HttpVersion : std::uint8_t {
    negotiate,              ///< HTTP/2 over TLS where the server agrees.
    http1,                  ///< HTTP/1.1 only.
    http2_prior_knowledge,  ///< HTTP/2 also without TLS.
};

/// How a session is set up; every member has the default that suits the Hub.
struct SessionOptions {
    SessionOptions();  ///< From the process's environment (HF_*, proxies, certificates).
    explicit SessionOptions(Environment environment);

    Environment environment;
    std::string user_agent;  ///< Prepended to hfhub's own, for example "my-tool/1.2".
    HttpVersion http_version = HttpVersion::negotiate;
    bool verify_tls = true;                             ///< False accepts any certificate; for tests only.
    std::chrono::milliseconds connect_timeout{10'000};  ///< Name look-up, TCP, proxy and TLS together.
    std::chrono::milliseconds write_timeout{30'000};    ///< Between two moments at which the peer takes bytes.
    std::chrono::milliseconds headers_timeout{10'000};  ///< From the last byte sent to the answer's headers.
    std::chrono::milliseconds idle_timeout{10'000};     ///< Between two arrivals of body bytes.
    /// As headers_timeout, of a commit or an upload's completion. A commit that was not answered by then is looked for
    /// in the repository for as long again.
    std::chrono::milliseconds commit_timeout{120'000};
    std::chrono::milliseconds pool_timeout{60'000};  ///< Waiting for a connection.
    int max_attempts = 6;                            ///< Tries of a request in all.
    std::chrono::milliseconds backoff_base{1'000};   ///< Upper bound of the first wait between tries; doubles.
    std::chrono::milliseconds backoff_cap{8'000};    ///< Upper bound of every such wait.
    std::size_t max_connections = 100;               ///< In all; those of one host over HTTP/1.1: 7/8 of it.
    std::size_t max_idle_connections = 20;
    unsigned worker_threads = 4;  ///< For disk and hashing; made when first needed.
    Hooks hooks;
};

/// Counters of a session, of the time since it was made where no moment is named.
struct SessionStats {
    std::uint64_t connections_opened = 0;
    std::uint64_t connects_failed = 0;
    std::size_t open_connections = 0;  ///< Of this moment, as the next two.
    std::size_t idle_connections = 0;
    std::size_t active_requests = 0;
    std::uint64_t requests = 0;            ///< With all their tries and redirects.
    std::uint64_t retries = 0;             ///< Further tries; also what resumes a download.
    std::chrono::milliseconds waited{0};   ///< Between tries.
    std::uint64_t redirects = 0;           ///< That were followed.
    std::uint64_t requests_refused = 0;    ///< Tries that a server sent away without acting on them.
    std::uint64_t requests_cancelled = 0;  ///< Ended by their caller before they were answered.
    std::uint64_t connections_reused = 0;  ///< Tries over a connection that had carried one before.
    std::uint64_t tls_handshakes = 0;      ///< Whole ones.
    std::uint64_t tls_resumptions = 0;     ///< Handshakes cut short by what an earlier one left.
    std::uint64_t bytes_sent = 0;          ///< By all sockets: headers, framing and TLS included.
    std::uint64_t bytes_received = 0;
};

namespace http {
class SessionState;
class SessionHandles;
}  // namespace http

/// One connection pool with its TLS context, limits and environment: a handle that is cheap to copy and safe to use
/// from any thread. Blocking and coroutine clients of one session share its connections. When the last handle goes,
/// requests under way end with CancelledError. In a forked child a handle gets connections and a thread of the child's
/// own when it is used; on the application's executor it throws std::logic_error there.
class Session {
  public:
    /// The process-wide session, made on first use (see set_client_factory).
    Session();
    /// A session with an I/O thread of its own. Throws ResourceError where the system gives none.
    explicit Session(SessionOptions options);
    /// A session on the application's executor: no thread of its own, and no hop for coroutines that run there. An
    /// executor with several threads is to be wrapped in a strand. Blocking calls need another thread to run it: on a
    /// thread that does they throw std::logic_error.
    Session(asio::any_io_executor executor, SessionOptions options);

    const Environment& environment() const noexcept;
    const SessionOptions& options() const noexcept;
    asio::any_io_executor executor() const;
    /// Connection counters of this moment; never waits.
    SessionStats stats() const;
    /// Ends requests under way with CancelledError and closes all connections; the session is of no use afterwards.
    void close();

    /// The library's own view of the session.
    std::shared_ptr<http::SessionState> state() const;
    /// A handle of the session with that state; nothing where the last one has gone.
    static std::optional<Session> of(const std::shared_ptr<http::SessionState>& state);

  private:
    explicit Session(std::shared_ptr<http::SessionHandles> handles) noexcept : handles_(std::move(handles)) {}
    std::shared_ptr<http::SessionHandles> handles_;
};

/// How the process-wide session of blocking clients is made; the present one is closed. An empty function brings back
/// the default.
void set_client_factory(std::function<Session()> factory);
/// As set_client_factory, for coroutine clients; without one they share the session of blocking clients.
void set_async_client_factory(std::function<Session()> factory);
/// The process-wide session of coroutine clients.
Session default_async_session();

}  // namespace hfhub
