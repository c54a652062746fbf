#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <list>

namespace hfhub::test {

/// An address on the loopback that drops what comes to that port: its queue of connections is full.
class SilentAddress {
  public:
    explicit SilentAddress(boost::asio::ip::tcp::endpoint at) : full_(io_) {
        full_.open(at.protocol());
        full_.bind(at);
        full_.listen(0);
        for (int i = 0; i < 4; ++i) {
            fillers_.emplace_back(io_);
            fillers_.back().async_connect(full_.local_endpoint(), [](boost::system::error_code) {});
        }
        io_.run_for(std::chrono::milliseconds(50));
    }
    std::uint16_t port() const { return full_.local_endpoint().port(); }

  private:
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor full_;
    std::list<boost::asio::ip::tcp::socket> fillers_;
};

}  // namespace hfhub::test
