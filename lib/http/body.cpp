#include "http/body.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <cstring>

namespace hfhub::http {

namespace {

class MemoryBody final : public BodyReader {
  public:
    explicit MemoryBody(std::string bytes) : bytes_(std::move(bytes)) {}
    ReadResult try_read(std::span<std::byte> buffer) override {
        const std::size_t n = std::min(buffer.size(), bytes_.size() - taken_);
        if (n == 0) return {0, ReadState::end};
        std::memcpy(buffer.data(), bytes_.data() + taken_, n);
        taken_ += n;
        return {n, ReadState::data};
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }
    std::optional<std::uint64_t> remaining() const override { return bytes_.size() - taken_; }

  private:
    std::string bytes_;
    std::size_t taken_ = 0;
};

[[noreturn]] void refuse_size(std::size_t limit) {
    throw ProtocolError::lasting("the answer is larger than " + std::to_string(limit) + " bytes");
}

}  // namespace

awaitable<std::size_t> read_some(BodyReader* body, std::span<std::byte> buffer) {
    if (body == nullptr) co_return 0;
    for (;;) {
        const ReadResult result = body->try_read(buffer);
        if (result.state == ReadState::data) co_return result.bytes;
        if (result.state == ReadState::end) co_return 0;
        const std::size_t n = co_await body->wait(buffer);
        if (n > 0) co_return n;
    }
}

bool read_arrived(BodyReader& body, std::size_t limit, std::string& text) {
    constexpr std::size_t least = 1024, most = 64 * 1024;
    for (;;) {
        const std::size_t size = text.size();
        std::size_t room = std::clamp(size, least, most);
        if (const auto left = body.remaining()) {
            if (*left > limit - std::min(limit, size)) refuse_size(limit);
            room = static_cast<std::size_t>(std::clamp<std::uint64_t>(*left, 1, most));
        }
        text.resize(size + room);
        ReadResult result;
        try {
            result = body.try_read(std::as_writable_bytes(std::span(text)).subspan(size));
        } catch (...) {
            text.resize(size);
            throw;
        }
        text.resize(size + result.bytes);
        if (text.size() > limit) refuse_size(limit);
        if (result.state != ReadState::data) return result.state == ReadState::end;
    }
}

awaitable<std::string> read_all(BodyReader* body, std::size_t limit) {
    std::string text;
    if (body == nullptr) co_return text;
    while (!read_arrived(*body, limit, text)) co_await body->wait({});
    co_return text;
}

awaitable<std::string> read_beginning(BodyReader* body, std::size_t limit) {
    std::string text(limit, '\0');
    std::size_t size = 0;
    try {
        while (size < limit) {
            const std::size_t n = co_await read_some(body, std::as_writable_bytes(std::span(text)).subspan(size));
            if (n == 0) break;
            size += n;
        }
    } catch (const TransportError&) {
    }
    text.resize(size);
    co_return text;
}

Body memory_body(std::string bytes) { return std::make_unique<MemoryBody>(std::move(bytes)); }

}  // namespace hfhub::http
