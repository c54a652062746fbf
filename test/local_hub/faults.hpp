#pragma once

#include "message.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

/// One fault, as ?x_fault= or the header x-local-fault asks for it: parts NAME:VALUE or NAME=VALUE between semicolons.
///   status:503      answer with that status        retry_after:2   …and that Retry-After
///   cut:BYTES       close the connection after so many body bytes
///   reset:BYTES     as cut, with a TCP reset (HTTP/1.1) or RST_STREAM (HTTP/2)
///   stall:BYTES     send so many body bytes, then nothing more
///   delay_ms:N      answer that much later
///   n=2             only the first two requests with the same key; key=TEXT, default: the method, path and fault
struct Fault {
    std::optional<int> status;
    std::string retry_after;
    Interruption interruption;
    std::chrono::milliseconds delay{0};
    std::optional<std::uint64_t> times;
    std::string key;

    /// Throws HubError 400 where the text is no fault.
    static Fault parse(std::string_view text);
};

/// A fault for requests that cannot carry one themselves, set with POST /_local/faults. Its n= counts all requests
/// that the rule fits.
struct FaultRule {
    std::string method, path_part;  ///< Empty: any.
    std::string fault;
};

/// Decides which requests get which fault, and counts them. Safe to call from several threads.
class Faults {
  public:
    /// The fault of that request, counted as used.
    std::optional<Fault> take(const Request& request);
    /// As take, without counting.
    std::optional<Fault> peek(const Request& request);
    void add_rule(FaultRule rule);
    void clear();

  private:
    std::optional<Fault> find(const Request& request, bool count);
    std::optional<Fault> due(std::string_view text, const std::string& default_key, bool count);

    std::mutex mutex_;
    std::vector<FaultRule> rules_;
    std::map<std::string, std::uint64_t> used_;
};

}  // namespace hfhub::local_hub
