#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace hfhub::test {

/// What a FaultProxy does to the bytes of a connection.
struct ProxyFaults {
    std::chrono::milliseconds delay{0};    ///< Of each direction: half of the round trip.
    std::size_t slice = 0;                 ///< Bytes that are passed on in one piece; 0: as they come.
    std::chrono::milliseconds pause{0};    ///< For so many bytes, which makes a rate of both.
    std::optional<std::size_t> cut_after;  ///< Bytes of the server after which the connection ends so:
    enum class End : std::uint8_t { fin, rst, stall } end = End::fin;
    /// In place of cut_after: what that is for the connection of this number, from 0 on.
    std::function<std::optional<std::size_t>(int connection)> cut_of{};
    /// Called with each piece of the server's that was passed on, on the connection's own thread.
    std::function<void(int connection, std::string_view bytes)> passed{};
};

/// A TCP proxy on a loopback port, between a client and a server that know nothing of it; or one that clients ask by
/// CONNECT. It passes on ends and resets as such.
class FaultProxy {
  public:
    /// To that port of this machine.
    FaultProxy(std::uint16_t port, ProxyFaults faults);
    /// By CONNECT.
    explicit FaultProxy(ProxyFaults faults);
    ~FaultProxy();
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    int accepted() const noexcept { return accepted_; }

  private:
    struct Link;
    void accept_all();

    std::optional<std::uint16_t> target_;
    ProxyFaults faults_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_ = 0;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::list<std::unique_ptr<Link>> links_;
    std::thread thread_;
};

}  // namespace hfhub::test
