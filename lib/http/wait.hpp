#pragma once

#include <hfhub/error.hpp>
#include <hfhub/fwd.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/intrusive/list.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace hfhub::http {

using Clock = std::chrono::steady_clock;

/// Why a wait ended.
enum class Wake : std::uint8_t { notified, timeout, cancelled };

class Event;

/// All suspended waits of one session: fires their deadlines from one timer, and ends them all at shutdown.
/// Used from the session's executor only.
class Waits {
  public:
    explicit Waits(asio::any_io_executor executor);
    ~Waits();
    Waits(const Waits&) = delete;
    Waits& operator=(const Waits&) = delete;

    const asio::any_io_executor& executor() const noexcept { return executor_; }
    /// Ends every wait as cancelled; later waits end at once.
    void shutdown();

    using Link = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
    using Events = boost::intrusive::list<Event, boost::intrusive::constant_time_size<false>>;

  private:
    friend class Event;
    void arm(Clock::time_point at);
    void fire();

    asio::any_io_executor executor_;
    asio::steady_timer timer_;
    Clock::time_point armed_ = Clock::time_point::max();
    bool shut_down_ = false;
    std::shared_ptr<Waits*> self_ = std::make_shared<Waits*>(this);
    std::unique_ptr<Events> events_;
};

/// Suspends one coroutine until notify(), a deadline, cancellation or shutdown. It keeps no state: whoever waits checks
/// its condition first. Used from the session's executor only; resumes the coroutine from inside notify().
class Event : public Waits::Link {
  public:
    explicit Event(Waits& waits) noexcept : waits_(waits) {}
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { destroy(); }

    bool waiting() const noexcept { return complete_ != nullptr; }
    void notify() { finish(Wake::notified); }

    /// At most one coroutine waits at a time. There is no default: every wait says how long it may last.
    auto wait(Clock::time_point deadline) {
        return asio::async_initiate<const asio::use_awaitable_t<>, void(Wake)>(Start{this, deadline},
                                                                               asio::use_awaitable);
    }

  private:
    friend class Waits;

    struct Start {
        Event* event;
        Clock::time_point deadline;
        template <class Handler>
        void operator()(Handler&& handler) const {
            event->start(std::forward<Handler>(handler), deadline);
        }
    };
    struct Canceller {
        Event* event;
        void operator()(asio::cancellation_type type) const {
            if (type != asio::cancellation_type::none) event->cancel();
        }
    };

    template <class Handler>
    void start(Handler&& handler, Clock::time_point deadline) {
        // The handler of use_awaitable is one owning pointer; it is kept in place instead of on the heap.
        using Stored = std::decay_t<Handler>;
        static_assert(sizeof(Stored) <= sizeof(storage_) && alignof(Stored) <= alignof(std::max_align_t));
        slot_ = asio::get_associated_cancellation_slot(handler);
        new (storage_) Stored(std::forward<Handler>(handler));
        complete_ = [](Event* event, Wake wake, bool invoke) {
            auto* stored = std::launder(reinterpret_cast<Stored*>(event->storage_));
            Stored owned(std::move(*stored));
            stored->~Stored();
            if (invoke) std::move(owned)(wake);
        };
        if (slot_.is_connected()) slot_.template emplace<Canceller>(Canceller{this});
        begin(deadline);
    }

    void begin(Clock::time_point deadline);
    void cancel();
    void finish(Wake wake);
    void destroy() noexcept;
    void leave() noexcept;

    Waits& waits_;
    Clock::time_point deadline_ = Clock::time_point::max();
    asio::cancellation_slot slot_;
    void (*complete_)(Event*, Wake, bool) = nullptr;
    std::shared_ptr<Event*> self_;  // set while a completion that must not run inline is on its way
    alignas(std::max_align_t) std::byte storage_[2 * sizeof(void*)];
};

/// Until when a wait may last, and which limit that is.
struct Limit {
    Clock::time_point at = Clock::time_point::max();
    TimeoutPhase phase = TimeoutPhase::deadline;
    std::chrono::milliseconds length{0};

    /// Throws what a wake other than `notified` means: TimeoutError or CancelledError.
    void check(Wake wake) const {
        if (wake == Wake::cancelled) throw CancelledError();
        if (wake == Wake::timeout) throw TimeoutError(phase, length);
    }
};

/// A limit that starts now (zero is none), cut short by the deadline of the whole call.
inline Limit limit_from_now(TimeoutPhase phase, std::chrono::milliseconds length, Clock::time_point deadline) noexcept {
    const Limit whole{deadline, TimeoutPhase::deadline, std::chrono::milliseconds(0)};
    if (length.count() <= 0) return whole;
    const Limit own{Clock::now() + length, phase, length};
    return own.at < deadline ? own : whole;
}

}  // namespace hfhub::http
