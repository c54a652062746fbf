#pragma once

// The wire of the call tool: real hosts are played by the scripted server, and nobody waits for long.

#include "http/transport.hpp"

#include <string>
#include <utility>
#include <vector>

namespace hfhub::conformance {

/// Sends what goes to a real base URL to the server that plays it, and shortens the waits that a server asks for.
class ScriptedTransport final : public http::Transport {
  public:
    struct Place {
        std::string real, played;  ///< Base URLs without '/' at the end.
    };
    ScriptedTransport(http::Transport& wire, std::vector<Place> places) : wire_(wire), places_(std::move(places)) {}

    awaitable<http::Response> send(const http::Request& request, bool fresh) override;

  private:
    http::Transport& wire_;
    std::vector<Place> places_;
};

}  // namespace hfhub::conformance
