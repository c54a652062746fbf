#pragma once

#include "http/body.hpp"
#include "http/wait.hpp"
#include "hub/client.hpp"
#include "hub/part_file.hpp"
#include "hub/write_behind.hpp"

#include <hfhub/progress.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace hfhub::hub {

/// The bytes of a transfer on their way into the part, whichever answers they come in. Used from the session's
/// executor.
class Receiver {
  public:
    Receiver(Client client, std::shared_ptr<PartFile> part, std::string name, const ProgressCallback* progress);

    std::uint64_t position() const noexcept { return position_; }
    /// The last byte that has ever come: bytes that come again are no progress.
    std::uint64_t furthest() const noexcept { return furthest_; }
    std::optional<std::uint64_t> size() const noexcept { return size_; }
    bool complete() const noexcept { return ended_ || (size_ && position_ == *size_); }
    http::Clock::time_point moved_at() const noexcept { return moved_at_; }
    /// Of the present body, in bytes per second.
    double rate() const noexcept;

    /// To be called before bytes come.
    void open();
    /// Returns when what came is in the part, with all that was thrown while it was written.
    awaitable<void> flush();
    /// Takes a body. True where it is better to go on in parts side by side, if `may_split` allows that; then the rest
    /// of the body is not read. Throws TruncatedError, IntegrityError and what reading and writing throw.
    awaitable<bool> receive(http::Body body, bool may_split);
    /// Takes bytes that were received elsewhere.
    awaitable<void> take(std::span<const std::byte> bytes);

    /// The next body is the whole file. What it is to begin with is there: it stays until the hash tells, lest a wrong
    /// answer costs it; without a hash, or where the server says that it is `other` content, it goes.
    awaitable<void> begin_again(bool other);
    /// The next body goes on where we are.
    void go_on() noexcept { skip_ = 0; }
    /// Everything is there, by the server's word.
    void end() noexcept { ended_ = true; }
    awaitable<void> learn_size(std::uint64_t size);
    /// Forgets all bytes; false, with nothing done, where drop_once did so before.
    awaitable<bool> drop_once();
    awaitable<void> drop();
    /// Forgets all bytes, to fetch them anew.
    awaitable<void> restart();
    /// To the application, `now` or where it is time.
    void tell(bool now);

  private:
    bool should_split() const noexcept;
    std::size_t skip(std::span<std::byte> bytes);
    awaitable<void> end_of_body();
    void moved_on();

    Client client_;
    std::shared_ptr<PartFile> part_;
    std::string name_;
    const ProgressCallback* progress_;
    std::unique_ptr<WriteBehind> writer_;
    std::uint64_t position_, furthest_;
    std::uint64_t skip_ = 0;  // of the body, which begins with what is there already
    std::optional<std::uint64_t> size_;
    bool ended_ = false;  // the body's end is the file's
    bool dropped_ = false;
    std::uint64_t body_begin_ = 0, told_ = 0;
    http::Clock::time_point body_began_{}, told_at_{}, moved_at_ = http::Clock::now();
};

}  // namespace hfhub::hub
