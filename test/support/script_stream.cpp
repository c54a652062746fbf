#include "script_stream.hpp"

#include <hfhub/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>

namespace hfhub::test {

using http::Direction;
using http::IoResult;
using http::IoState;

class Script::End final : public http::Stream {
  public:
    explicit End(std::shared_ptr<Script> script) : script_(std::move(script)) {}
    ~End() override { close(); }

    IoResult try_read(std::span<std::byte> buffer) override {
        Script& script = *script_;
        if (script.closed || script.reset_) throw ConnectionLostError("the connection was reset");
        if (script.pieces_.empty()) return {0, script.ended_ ? IoState::eof : IoState::want_read};
        std::string& piece = script.pieces_.front();
        const std::size_t n = std::min(buffer.size(), piece.size());
        std::memcpy(buffer.data(), piece.data(), n);
        piece.erase(0, n);
        if (piece.empty()) script.pieces_.pop_front();
        return {n, n == buffer.size() ? IoState::done : IoState::want_read};
    }

    IoResult try_write(std::span<const std::byte> bytes) override {
        Script& script = *script_;
        if (script.closed || script.reset_) throw ConnectionLostError("the connection was reset");
        const std::size_t n = std::min(bytes.size(), script.room);
        if (n == 0) return {0, IoState::want_write};
        if (script.room != static_cast<std::size_t>(-1)) script.room -= n;
        script.written.append(reinterpret_cast<const char*>(bytes.data()), n);
        ++script.writes;
        if (script.on_write) script.on_write();
        return {n, IoState::done};
    }

    void async_wait(Direction direction, std::shared_ptr<http::Readiness> readiness) override {
        script_->waiting_.push_back({direction, std::move(readiness)});
        if (script_->closed) {
            script_->tell(direction, false);
        } else if (script_->ready(direction)) {
            script_->tell(direction, true);
        }
    }

    void close() noexcept override {
        if (std::exchange(script_->closed, true)) return;
        script_->tell(Direction::read, false);
        script_->tell(Direction::write, false);
    }

    bool readable() noexcept override {
        return !script_->pieces_.empty() || script_->ended_ || script_->reset_ || script_->closed;
    }
    std::string_view alpn() const noexcept override { return script_->alpn; }

  private:
    std::shared_ptr<Script> script_;
};

std::unique_ptr<http::Stream> Script::stream() { return std::make_unique<End>(shared_from_this()); }

void Script::send(std::string_view bytes) {
    pieces_.emplace_back(bytes);
    if (!hide_pieces) tell(Direction::read, true);
}

void Script::end() {
    ended_ = true;
    tell(Direction::read, true);
}

void Script::reset() {
    reset_ = true;
    tell(Direction::read, true);
    tell(Direction::write, true);
}

void Script::allow(std::size_t bytes) {
    room += bytes;
    tell(Direction::write, true);
}

bool Script::ready(Direction direction) const {
    if (reset_) return true;
    if (direction == Direction::write) return room > 0;
    return ended_ || (!pieces_.empty() && !hide_pieces);
}

void Script::tell(Direction direction, bool ok) {
    std::vector<Waiting> kept;
    for (Waiting& one : waiting_) {
        if (one.direction != direction) {
            kept.push_back(std::move(one));
            continue;
        }
        asio::post(executor_,
                   [direction, ok, readiness = std::move(one.readiness)] { readiness->on_ready(direction, ok); });
    }
    waiting_ = std::move(kept);
}

}  // namespace hfhub::test
