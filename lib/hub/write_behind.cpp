#include "hub/write_behind.hpp"

#include "core/page_buffer.hpp"
#include "http/session.hpp"
#include "http/wait.hpp"
#include "http/workers.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace hfhub::hub {

namespace {

constexpr std::size_t buffer_size = 256 * 1024;
constexpr std::size_t max_buffers = 4;
constexpr std::chrono::seconds longest_held{1};  // so that a process that is killed loses little of a slow transfer

struct Buffer {
    PageBuffer bytes;
    std::size_t size = 0, used = 0;
};
using Buffers = std::vector<Buffer>;

}  // namespace

struct WriteBehind::State {
    State(const Client& made_by, std::shared_ptr<PartFile> file, std::size_t size)
        : client(made_by), part(std::move(file)), changed(client.waits()), size_of_buffers(size) {}

    Client client;
    std::shared_ptr<PartFile> part;
    http::Event changed;
    std::optional<Buffer> current;
    http::Clock::time_point handed_on = http::Clock::now();
    Buffers full, free;
    std::size_t size_of_buffers, made = 0;
    bool writing = false;
    std::exception_ptr error;

    static awaitable<void> write(std::shared_ptr<State> state);
    static void start(const std::shared_ptr<State>& state);
    std::optional<Buffer> take();
};

awaitable<void> WriteBehind::State::write(std::shared_ptr<State> state) {
    while (!state->full.empty() && !state->error) {
        auto batch = std::make_shared<Buffers>(std::move(state->full));
        state->full.clear();
        auto work = [part = state->part, batch] {
            for (const Buffer& buffer : *batch) part->append({buffer.bytes.get(), buffer.used});
        };
        std::exception_ptr error;
        try {
            co_await state->client.state()->workers().run(std::move(work));
        } catch (...) {
            error = std::current_exception();
        }
        if (error) state->error = error;
        for (Buffer& buffer : *batch) {
            if (error) break;  // a worker may still be writing them
            buffer.used = 0;
            state->free.push_back(std::move(buffer));
        }
        state->changed.notify();
    }
    state->writing = false;
    state->changed.notify();
}

void WriteBehind::State::start(const std::shared_ptr<State>& state) {
    if (state->writing || state->full.empty()) return;
    state->writing = true;
    state->client.state()->spawn(write(state), {}, [](std::exception_ptr) {});
}

std::optional<Buffer> WriteBehind::State::take() {
    if (!free.empty()) {
        Buffer buffer = std::move(free.back());
        free.pop_back();
        return buffer;
    }
    if (made == max_buffers) return std::nullopt;
    ++made;
    return Buffer{page_buffer(size_of_buffers), size_of_buffers, 0};
}

// One byte more than expected shows that the server sends too much.
WriteBehind::WriteBehind(const Client& client, std::shared_ptr<PartFile> part, std::uint64_t expected)
    : state_(std::make_shared<State>(
          client, std::move(part), static_cast<std::size_t>(std::min<std::uint64_t>(expected, buffer_size - 1)) + 1)) {}

WriteBehind::~WriteBehind() { state_->full.clear(); }

std::span<std::byte> WriteBehind::room() {
    if (state_->error) std::rethrow_exception(state_->error);
    if (!state_->current) state_->current = state_->take();
    if (!state_->current) return {};
    Buffer& buffer = *state_->current;
    return {buffer.bytes.get() + buffer.used, buffer.size - buffer.used};
}

awaitable<void> WriteBehind::wait() {
    const http::Limit limit{state_->client.deadline()};
    const http::Wake wake = co_await state_->changed.wait(limit.at);
    limit.check(wake);
}

void WriteBehind::filled(std::size_t bytes) {
    Buffer& buffer = *state_->current;
    buffer.used += bytes;
    const auto now = http::Clock::now();
    const bool wait = buffer.used == 0 || now - state_->handed_on < longest_held;
    if (buffer.used < buffer.size && wait) return;
    state_->handed_on = now;
    state_->full.push_back(std::move(buffer));
    state_->current.reset();
    State::start(state_);
}

awaitable<void> WriteBehind::flush() {
    if (state_->current && state_->current->used > 0) {
        state_->full.push_back(std::move(*state_->current));
        state_->current.reset();
        State::start(state_);
    }
    while (state_->writing) co_await wait();
    if (state_->error) std::rethrow_exception(state_->error);
}

}  // namespace hfhub::hub
