#include "http/stream.hpp"

namespace hfhub::http {

struct StreamWait::Shared : Readiness {
    explicit Shared(Waits& waits) : event(waits) {}
    void on_ready(Direction direction, bool ok) override {
        pending[static_cast<int>(direction)] = false;
        closed = !ok;
        event.notify();
    }
    Event event;
    bool pending[2] = {false, false};
    bool closed = false;
};

StreamWait::StreamWait(Waits& waits, Stream& stream) : stream_(stream), shared_(std::make_shared<Shared>(waits)) {}

StreamWait::~StreamWait() = default;

void StreamWait::watch(Direction direction) {
    if (!std::exchange(shared_->pending[static_cast<int>(direction)], true)) stream_.async_wait(direction, shared_);
}

awaitable<void> StreamWait::wait(IoState state, Limit limit) {
    const auto shared = shared_;
    watch(state == IoState::want_write ? Direction::write : Direction::read);
    const Wake wake = co_await shared->event.wait(limit.at);
    if (wake != Wake::notified) stream_.close();
    limit.check(wake);
    if (shared->closed) throw ConnectionLostError("the connection was closed");
}

awaitable<void> StreamWait::write_all(std::span<const std::byte> bytes, std::chrono::milliseconds limit,
                                      Clock::time_point deadline) {
    while (!bytes.empty()) {
        const IoResult result = stream_.try_write(bytes);
        bytes = bytes.subspan(result.bytes);
        if (result.state == IoState::done || bytes.empty()) continue;
        co_await wait(result.state, limit_from_now(TimeoutPhase::write, limit, deadline));
    }
}

}  // namespace hfhub::http
