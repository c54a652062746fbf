#pragma once

#include "message.hpp"
#include "statistics.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include <memory>

namespace hfhub::local_hub {

/// What all connections of one listener share.
struct Listener {
    Service& service;
    Statistics& statistics;
    Site site;
    SSL_CTX* tls;  ///< Null on a plain port. Not owned.
};

/// Serves an accepted socket until either side closes it. Must be called on the socket's own executor.
void serve(boost::asio::ip::tcp::socket socket, const Listener& listener);

}  // namespace hfhub::local_hub
