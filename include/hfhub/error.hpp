#pragma once

// The tree of what hfhub throws, with the names of huggingface_hub. Every class derives from Error, and that
// from std::runtime_error.
//
//   Error                                  base of all
//   ├── TransportError                     no complete answer: url, attempts, waited, status, request_id, bytes_done
//   │   ├── ConnectError                   DNS, TCP or TLS; says host, reason and what to set
//   │   │   └── ProxyError                 the proxy refused or could not be reached
//   │   ├── TimeoutError                   a limit passed: connect, write, headers, idle, pool or deadline
//   │   ├── ProtocolError                  the peer broke HTTP
//   │   ├── ConnectionLostError            the connection ended before the answer was complete
//   │   │   └── TruncatedError             the body ended early: got and expected bytes
//   │   └── TooManyRedirectsError
//   ├── OfflineModeIsEnabled               HF_HUB_OFFLINE is set
//   ├── CancelledError                     the caller asked to stop
//   ├── HfHubHttpError                     the server answered with an error status
//   │   ├── BadRequestError                400
//   │   ├── RepositoryNotFoundError
//   │   │   └── GatedRepoError
//   │   ├── DisabledRepoError
//   │   ├── RevisionNotFoundError
//   │   ├── BucketNotFoundError
//   │   ├── JobNotFoundError
//   │   └── RemoteEntryNotFoundError       also an EntryNotFoundError
//   ├── EntryNotFoundError                 mixed into RemoteEntryNotFoundError and LocalEntryNotFoundError
//   ├── LocalEntryNotFoundError            not in the cache and not to be had
//   │   └── IncompleteSnapshotError        some files of a commit are here, and the others are not to be had
//   ├── CachedRepoTreeNotFoundError        no list of a commit's files is kept here
//   ├── CacheNotFound                      there is no cache folder
//   ├── DryRunError                        what would be downloaded cannot be told
//   ├── LocalTokenNotFoundError
//   ├── FileMetadataError                  the server's headers do not describe a file
//   ├── IntegrityError                     bytes do not match their hash or length: expected and got; nothing was kept
//   ├── IoError                            a local file or folder: path and reason
//   ├── ResourceError                      the system gives no more threads
//   ├── JsonError                          the answer is not the JSON that was expected
//   ├── TextGenerationError                the model server reported an error
//   │   ├── ValidationError  GenerationError  OverloadedError  IncompleteGenerationError  UnknownError
//   └── InvalidArgumentError               bad input; thrown before anything is sent or written
//       └── HfValidationError              a repo id or similar is malformed
//
//   EntryNotFoundError and SnapshotFailures are mixed into errors and are none themselves: catch them by name.

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hfhub {

/// Base of every exception of the library that is not a programming error.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& message) : std::runtime_error(message) {}
    /// Name of the class as in this header, for example "RepositoryNotFoundError".
    virtual std::string_view type() const noexcept { return "Error"; }
};

/// No complete answer arrived.
class TransportError : public Error {
  public:
    explicit TransportError(const std::string& message) : Error(message), text_(message) {}
    std::string_view type() const noexcept override { return "TransportError"; }
    const char* what() const noexcept override { return text_.c_str(); }
    /// What was asked, without credentials and signed query; empty until the request is known.
    const std::string& url() const noexcept { return url_; }
    /// Completes the message; the first URL stays.
    void at(const std::string& url) {
        if (url_.empty()) url_ = url;
        compose();
    }
    /// Completes the message.
    void tried(int times, std::chrono::milliseconds waits) {
        attempts = times;
        waited = waits;
        compose();
    }
    int attempts = 1;                     ///< How many times the request was tried.
    std::chrono::milliseconds waited{0};  ///< Between the tries, in all.
    /// Of the answer that broke off or was of no use, for a ProxyError the proxy's; 0 where none came.
    int status = 0;
    /// Of that answer, else X-Amzn-Trace-Id as it was sent.
    std::string request_id;
    /// Of the file that is downloaded, else of the answer's body: those that are there. Where no answer came to an
    /// upload from a file: those of it that were handed to the connection.
    std::uint64_t bytes_done = 0;
    bool maybe_processed = true;  ///< False where the server cannot have acted on the request.
    /// True where a kept connection was found dead before any byte of the answer: at once to be tried on a new one.
    bool stale_connection = false;

  private:
    void compose();
    std::string text_;
    std::string url_;
};

class ConnectError : public TransportError {
  public:
    explicit ConnectError(const std::string& message) : TransportError(message) { maybe_processed = false; }
    std::string_view type() const noexcept override { return "ConnectError"; }
    bool permanent = false;  ///< True where another try cannot help, such as a certificate that is not trusted.
};

class ProxyError : public ConnectError {
  public:
    using ConnectError::ConnectError;
    std::string_view type() const noexcept override { return "ProxyError"; }
};

/// Which limit passed.
enum class TimeoutPhase { pool, connect, write, headers, idle, deadline };
std::string_view to_string(TimeoutPhase phase) noexcept;

class TimeoutError : public TransportError {
  public:
    /// `detail` follows what the phase and the limit say.
    TimeoutError(TimeoutPhase phase, std::chrono::milliseconds limit, const std::string& detail = {});
    std::string_view type() const noexcept override { return "TimeoutError"; }
    TimeoutPhase phase;
    std::chrono::milliseconds limit;
};

class ProtocolError : public TransportError {
  public:
    using TransportError::TransportError;
    std::string_view type() const noexcept override { return "ProtocolError"; }
    /// One that another try cannot help.
    static ProtocolError lasting(const std::string& message) {
        ProtocolError error(message);
        error.permanent = true;
        return error;
    }
    bool permanent = false;  ///< True where the peer means what it sent, such as a coding that nobody asked for.
};

class ConnectionLostError : public TransportError {
  public:
    using TransportError::TransportError;
    std::string_view type() const noexcept override { return "ConnectionLostError"; }
};

class TruncatedError : public ConnectionLostError {
  public:
    TruncatedError(std::uint64_t got, std::optional<std::uint64_t> expected);
    std::string_view type() const noexcept override { return "TruncatedError"; }
    std::uint64_t got;                      ///< Body bytes that arrived.
    std::optional<std::uint64_t> expected;  ///< Body bytes announced, where they were.
};

class TooManyRedirectsError : public TransportError {
  public:
    using TransportError::TransportError;
    std::string_view type() const noexcept override { return "TooManyRedirectsError"; }
};

class OfflineModeIsEnabled : public Error {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "OfflineModeIsEnabled"; }
};

class CancelledError : public Error {
  public:
    CancelledError() : Error("cancelled by the caller") {}
    std::string_view type() const noexcept override { return "CancelledError"; }
};

/// What is known of an answer with an error status.
struct HttpErrorContext {
    int status = 0;
    std::string method;
    std::string url;             ///< Without credentials and signed query.
    std::string request_id;      ///< X-Request-Id, X-Amzn-Trace-Id or x-amz-cf-id.
    std::string error_code;      ///< X-Error-Code.
    std::string server_message;  ///< X-Error-Message and the body's error text, without repetition.
    std::string body;            ///< The first 64 KiB of the answer's body.
    std::string repo_type;       ///< Where the URL tells it.
    std::string repo_id;         ///< Where the URL tells it.
    std::string commit_hash;     ///< X-Repo-Commit, where the answer carries one.
    std::optional<std::chrono::seconds> retry_after;
    int attempts = 1;
    std::chrono::milliseconds waited{0};  ///< Between the tries, in all.
    std::uint64_t bytes_done = 0;         ///< Of the file that was being downloaded.
};

/// The server answered with a status of 400 or more.
class HfHubHttpError : public Error {
  public:
    HfHubHttpError(const std::string& message, HttpErrorContext context)
        : Error(message), context_(std::make_shared<const HttpErrorContext>(std::move(context))) {}
    std::string_view type() const noexcept override { return "HfHubHttpError"; }
    const HttpErrorContext& context() const noexcept { return *context_; }
    int status() const noexcept { return context_->status; }

  private:
    std::shared_ptr<const HttpErrorContext> context_;  // shared: copying an exception must not throw
};

/// Something that is not in a repository; base of the remote and the local form. Not an Error itself: catch it by name.
class EntryNotFoundError {
  public:
    virtual ~EntryNotFoundError() = default;
};

#define HFHUB_HTTP_ERROR(Name, Base)                                      \
    class Name : public Base {                                            \
      public:                                                             \
        using Base::Base;                                                 \
        std::string_view type() const noexcept override { return #Name; } \
    }
HFHUB_HTTP_ERROR(BadRequestError, HfHubHttpError);
HFHUB_HTTP_ERROR(RepositoryNotFoundError, HfHubHttpError);
HFHUB_HTTP_ERROR(GatedRepoError, RepositoryNotFoundError);
HFHUB_HTTP_ERROR(DisabledRepoError, HfHubHttpError);
HFHUB_HTTP_ERROR(RevisionNotFoundError, HfHubHttpError);
HFHUB_HTTP_ERROR(BucketNotFoundError, HfHubHttpError);
HFHUB_HTTP_ERROR(JobNotFoundError, HfHubHttpError);
#undef HFHUB_HTTP_ERROR

class RemoteEntryNotFoundError : public HfHubHttpError, public EntryNotFoundError {
  public:
    using HfHubHttpError::HfHubHttpError;
    std::string_view type() const noexcept override { return "RemoteEntryNotFoundError"; }
};

/// What was fetched is not the file.
class IntegrityError : public Error {
  public:
    using Error::Error;
    IntegrityError(const std::string& message, std::string expected_value, std::string got_value, std::string file)
        : Error(message), expected(std::move(expected_value)), got(std::move(got_value)), path(std::move(file)) {}
    std::string_view type() const noexcept override { return "IntegrityError"; }
    std::string expected, got;  ///< Hashes, or lengths in bytes; empty where it is another difference.
    std::string path;           ///< Of the file on this machine that did not come to be; empty as above.
};

#define HFHUB_ERROR(Name, Base)                                           \
    class Name : public Base {                                            \
      public:                                                             \
        using Base::Base;                                                 \
        std::string_view type() const noexcept override { return #Name; } \
    }
HFHUB_ERROR(LocalTokenNotFoundError, Error);
HFHUB_ERROR(FileMetadataError, Error);
HFHUB_ERROR(IoError, Error);
HFHUB_ERROR(ResourceError, Error);
HFHUB_ERROR(JsonError, Error);
HFHUB_ERROR(TextGenerationError, Error);
HFHUB_ERROR(ValidationError, TextGenerationError);
HFHUB_ERROR(GenerationError, TextGenerationError);
HFHUB_ERROR(OverloadedError, TextGenerationError);
HFHUB_ERROR(IncompleteGenerationError, TextGenerationError);
HFHUB_ERROR(UnknownError, TextGenerationError);
HFHUB_ERROR(CachedRepoTreeNotFoundError, Error);
HFHUB_ERROR(CacheNotFound, Error);
HFHUB_ERROR(DryRunError, Error);
HFHUB_ERROR(InvalidArgumentError, Error);
HFHUB_ERROR(HfValidationError, InvalidArgumentError);
#undef HFHUB_ERROR

class LocalEntryNotFoundError : public Error, public EntryNotFoundError {
  public:
    using Error::Error;
    std::string_view type() const noexcept override { return "LocalEntryNotFoundError"; }
};

/// Some of the wanted files of a commit are on this machine, and the others are not to be had now.
class IncompleteSnapshotError : public LocalEntryNotFoundError {
  public:
    IncompleteSnapshotError(const std::string& message, std::string path)
        : LocalEntryNotFoundError(message), snapshot_path(std::move(path)) {}
    std::string_view type() const noexcept override { return "IncompleteSnapshotError"; }
    std::string snapshot_path;  ///< The folder of the files that are here.
};

/// A file of a snapshot that could not be had.
struct FailedFile {
    std::string filename;
    std::exception_ptr error;
};

/// Several files of a snapshot could not be had; mixed into an error of the class that their errors have in common.
class SnapshotFailures {
  public:
    explicit SnapshotFailures(std::vector<FailedFile> failures)
        : failures_(std::make_shared<const std::vector<FailedFile>>(std::move(failures))) {}
    virtual ~SnapshotFailures() = default;
    /// All of them; the error's message names some.
    const std::vector<FailedFile>& failures() const noexcept { return *failures_; }

  private:
    std::shared_ptr<const std::vector<FailedFile>> failures_;  // shared: copying an exception must not throw
};

}  // namespace hfhub
