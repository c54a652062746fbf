#include "http/wait.hpp"

#include <boost/asio/post.hpp>

namespace hfhub::http {

Waits::Waits(asio::any_io_executor executor)
    : executor_(std::move(executor)), timer_(executor_), events_(std::make_unique<Events>()) {}

Waits::~Waits() = default;

void Waits::arm(Clock::time_point at) {
    armed_ = at;
    timer_.expires_at(at);
    timer_.async_wait([guard = std::weak_ptr<Waits*>(self_)](boost::system::error_code error) {
        if (error) return;
        if (auto self = guard.lock()) (*self)->fire();
    });
}

void Waits::fire() {
    armed_ = Clock::time_point::max();
    const auto now = Clock::now();
    Events due;
    auto next = Clock::time_point::max();
    for (auto at = events_->begin(); at != events_->end();) {
        Event& event = *at++;
        if (event.deadline_ <= now) {
            event.unlink();
            due.push_back(event);
        } else {
            next = std::min(next, event.deadline_);
        }
    }
    if (next < armed_) arm(next);
    // A resumed coroutine may end or destroy other waits: those leave the list by themselves.
    while (!due.empty()) due.front().finish(Wake::timeout);
}

void Waits::shutdown() {
    shut_down_ = true;
    while (!events_->empty()) events_->front().finish(Wake::cancelled);
    timer_.cancel();
}

void Event::begin(Clock::time_point deadline) {
    deadline_ = deadline;
    if (waits_.shut_down_) {
        cancel();
        return;
    }
    waits_.events_->push_back(*this);
    if (deadline < waits_.armed_) waits_.arm(deadline);
}

void Event::cancel() {
    // Neither inside the initiation nor inside the slot's own emission may the handler run: it goes through the queue.
    leave();
    self_ = std::make_shared<Event*>(this);
    asio::post(waits_.executor_, [guard = std::weak_ptr<Event*>(self_)] {
        if (auto self = guard.lock()) (*self)->finish(Wake::cancelled);
    });
}

void Event::finish(Wake wake) {
    if (complete_ == nullptr) return;
    leave();
    self_.reset();
    if (slot_.is_connected()) slot_.clear();
    const auto complete = std::exchange(complete_, nullptr);
    complete(this, wake, true);
}

void Event::destroy() noexcept {
    leave();
    if (complete_ == nullptr) return;
    if (slot_.is_connected()) slot_.clear();  // what is cancelled later must not reach for this object
    const auto complete = std::exchange(complete_, nullptr);
    complete(this, Wake::cancelled, false);
}

void Event::leave() noexcept {
    if (is_linked()) unlink();
}

}  // namespace hfhub::http
