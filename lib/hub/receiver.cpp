#include "hub/receiver.hpp"

#include "hub/range_memory.hpp"
#include "hub/ranges.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <chrono>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr auto progress_interval = 100ms;
constexpr auto paced_after = 1s;
constexpr std::uint64_t least_range_memory = std::uint64_t{16} << 20;

}  // namespace

Receiver::Receiver(Client client, std::shared_ptr<PartFile> part, std::string name, const ProgressCallback* progress)
    : client_(std::move(client)),
      part_(std::move(part)),
      name_(std::move(name)),
      progress_(progress),
      position_(part_->position()),
      furthest_(position_),
      size_(part_->content().size) {}

void Receiver::open() { writer_ = std::make_unique<WriteBehind>(client_, part_, size_.value_or(UINT64_MAX)); }

awaitable<void> Receiver::flush() {
    co_await writer_->flush();
    writer_.reset();
}

double Receiver::rate() const noexcept {
    const std::chrono::duration<double> time = moved_at_ - body_began_;
    return static_cast<double>(position_ - body_begin_) / time.count();
}

awaitable<bool> Receiver::receive(http::Body body, bool may_split) {
    body_begin_ = position_;
    body_began_ = http::Clock::now();
    for (;;) {
        if (may_split && should_split()) co_return true;
        std::span<std::byte> room = writer_->room();
        if (room.empty()) {
            co_await writer_->wait();
            continue;
        }
        http::ReadResult result{0, http::ReadState::end};
        if (body) result = body->try_read(room);
        if (result.state == http::ReadState::end) break;
        if (result.state == http::ReadState::blocked) {
            result.bytes = co_await body->wait(room);
            if (result.bytes == 0) continue;
        }
        if (skip_ > 0) result.bytes = skip(room.first(result.bytes));
        writer_->filled(result.bytes);
        position_ += result.bytes;
        if (size_ && position_ > *size_) {
            part_->discard();
            throw IntegrityError(name_ + ": the server sends more than the " + std::to_string(*size_) +
                                 " bytes of the file");
        }
        moved_on();
    }
    co_await end_of_body();
    co_return false;
}

awaitable<void> Receiver::take(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::span<std::byte> room = writer_->room();
        if (room.empty()) {
            co_await writer_->wait();
            continue;
        }
        const std::size_t n = std::min(room.size(), bytes.size());
        std::copy_n(bytes.begin(), n, room.begin());
        writer_->filled(n);
        bytes = bytes.subspan(n);
        position_ += n;
        moved_on();
    }
}

awaitable<void> Receiver::begin_again(bool other) {
    if (other || !part_->is_checked_by_hash()) {
        co_await drop();
    } else {
        skip_ = position_;
    }
}

/// Leaves out the first bytes, as many as are to be skipped; returns how many are left.
std::size_t Receiver::skip(std::span<std::byte> bytes) {
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
    skip_ -= known;
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end(), bytes.begin());
    return bytes.size() - known;
}

awaitable<void> Receiver::end_of_body() {
    // Framing that ends anywhere, or less than was asked for: the rest is asked for again.
    if (size_ && position_ < *size_) throw TruncatedError(position_ - skip_, *size_);
    if (skip_ == 0) {
        ended_ = true;
        co_return;
    }
    const bool dropped = co_await drop_once();
    if (!dropped) throw TruncatedError(position_ - skip_, position_);
}

/// After a while of one stream, when its pace is known.
bool Receiver::should_split() const noexcept {
    if (!size_ || moved_at_ - body_began_ < paced_after || RangeMemory::left() < least_range_memory) return false;
    return ranges_may_help(rate(), *size_ - position_);
}

awaitable<bool> Receiver::drop_once() {
    if (dropped_) co_return false;
    dropped_ = true;
    co_await drop();
    co_return true;
}

awaitable<void> Receiver::drop() {
    auto work = [part = part_] { part->restart(); };
    co_await client_.workers().run(std::move(work));
    position_ = skip_ = 0;
}

awaitable<void> Receiver::restart() {
    co_await drop();
    ended_ = false;
    furthest_ = 0;
    moved_at_ = http::Clock::now();
}

awaitable<void> Receiver::learn_size(std::uint64_t size) {
    size_ = size;
    auto work = [part = part_, size] { part->set_size(size); };
    co_await client_.workers().run(std::move(work));
}

void Receiver::moved_on() {
    moved_at_ = http::Clock::now();
    furthest_ = std::max(furthest_, position_);
    if (progress_ && moved_at_ - told_at_ >= progress_interval) tell(false);
}

void Receiver::tell(bool now) {
    if (!progress_ || !*progress_) return;
    const std::uint64_t done = std::max(told_, position_);
    if (!now && done == told_) return;
    told_ = done;
    told_at_ = http::Clock::now();
    (*progress_)(Progress{name_, done, size_});
}

}  // namespace hfhub::hub
