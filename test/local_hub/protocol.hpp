#pragma once

#include "message.hpp"
#include "statistics.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace hfhub::local_hub {

/// Bytes on their way out: appended at the tail, taken from the head.
class OutputBuffer {
  public:
    std::string_view pending() const { return {bytes_.data() + head_, tail_ - head_}; }
    bool empty() const { return head_ == tail_; }
    std::size_t size() const { return tail_ - head_; }
    void consume(std::size_t n) {
        head_ += n;
        if (head_ == tail_) head_ = tail_ = 0;
    }
    /// Room for at least n bytes behind the tail; commit() says how many were written.
    char* room(std::size_t n) {
        if (bytes_.size() - tail_ < n) bytes_.resize(tail_ + n);
        return bytes_.data() + tail_;
    }
    void commit(std::size_t n) { tail_ += n; }
    void append(std::string_view text) {
        std::memcpy(room(text.size()), text.data(), text.size());
        commit(text.size());
    }

  private:
    std::vector<char> bytes_;
    std::size_t head_ = 0, tail_ = 0;
};

/// What a protocol may ask of the connection that carries it.
struct Carrier {
    Service& service;
    Statistics& statistics;
    Site site;
    std::string scheme;
    boost::asio::any_io_executor executor;
    /// Asks for produce() to be called soon; harmless after the connection's end.
    std::function<void()> wake;
};

/// One end of HTTP/1.1 or HTTP/2, without sockets.
class Protocol {
  public:
    virtual ~Protocol() = default;
    virtual void receive(std::string_view bytes) = 0;
    /// Appends about `target` bytes where that many are there to be sent.
    virtual void produce(OutputBuffer& out, std::size_t target) = 0;
    /// False while so much is unanswered that reading on would only pile it up.
    virtual bool accepts_input() const = 0;
    enum class Ending { none, close, abort };
    /// What to do with the socket once all output is written; abort means a TCP reset.
    virtual Ending ending() const = 0;
};

std::unique_ptr<Protocol> make_http1(const Carrier& carrier);
std::unique_ptr<Protocol> make_http2(const Carrier& carrier);

std::string_view reason_phrase(int status);
/// "Sun, 06 Nov 1994 08:49:37 GMT", renewed once a second.
std::string_view http_date();

}  // namespace hfhub::local_hub
