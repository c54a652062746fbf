#pragma once

#include "certificates.hpp"
#include "connection.hpp"

#include <cstdint>
#include <memory>

namespace hfhub::local_hub {

/// The listeners of both sites and the threads that serve them. Loopback only.
class Server {
  public:
    Server(Service& service, Statistics& statistics, TlsContext tls, unsigned threads);
    ~Server();
    /// Port 0 picks a free one; the port taken is returned. Throws boost::system::system_error.
    std::uint16_t listen(Site site, std::uint16_t port);
    /// Returns after SIGTERM or SIGINT.
    void run();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hfhub::local_hub
