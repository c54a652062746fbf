#include "token_generator.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace hfhub::local_hub {

namespace {

constexpr std::array<std::string_view, 32> words = {
    " the",    " river", " carries", " small",   " stones", " under",   " a",     " bright",
    " window", " and",   " every",   " morning", " answer", " begins",  " with",  " naïve",
    " light",  " über",  " forest",  " paths",   " where",  " quiet",   " birds", " keep",
    " their",  " songs", " 日本",    " until",   " rain",   " returns", " to",    " gardens"};

}  // namespace

TokenGenerator::TokenGenerator(std::string_view seed) : state_(14695981039346656037ULL) {
    for (unsigned char c : seed) state_ = (state_ ^ c) * 1099511628211ULL;  // FNV-1a
    state_ |= 1;
}

std::string_view TokenGenerator::next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    std::string_view word = words[(state_ >> 32) % words.size()];
    if (first_) word.remove_prefix(1);
    first_ = false;
    return word;
}

TokenSource::TokenSource(std::string_view seed, std::uint64_t tokens, Pace pace, std::string before, std::string after,
                         std::string closing, Statistics& statistics)
    : generator_(seed),
      tokens_(tokens),
      pace_(pace),
      before_(std::move(before)),
      after_(std::move(after)),
      closing_(std::move(closing)),
      statistics_(statistics) {
    if (pace_.batch == 0 && pace_.delay.count() > 0) pace_.batch = 1;
}

TokenSource::~TokenSource() {
    *waiting_ = false;
    bool complete = closing_taken_ && event_sent_ == event_.size();
    if (!complete) ++statistics_.generations_stopped;
}

void TokenSource::attach(const boost::asio::any_io_executor& executor, std::function<void()> ready) {
    ready_ = std::move(ready);
    timer_ = std::make_unique<boost::asio::steady_timer>(executor);
    due_ = std::chrono::steady_clock::now();
    if (pace_.delay.count() > 0) pause();
}

std::string_view TokenSource::next_event() {
    event_sent_ = 0;
    event_.clear();
    if (made_ == tokens_) {
        closing_taken_ = true;
        return event_ = closing_;
    }
    ++made_;
    event_.append(before_).append(generator_.next()).append(after_);
    return event_;
}

// Paced by points in time, so that late timers are made up for.
void TokenSource::pause() {
    due_ += pace_.delay * pace_.batch;
    *waiting_ = true;
    timer_->expires_at(due_);
    timer_->async_wait([this, waiting = waiting_](const boost::system::error_code& error) {
        if (error || !*waiting) return;
        *waiting = false;
        ready_();
    });
}

BodySource::Read TokenSource::read(std::span<char> room) {
    if (*waiting_) return {0, State::waiting};
    std::size_t used = 0;
    std::uint64_t before = made_;
    while (used < room.size()) {
        if (event_sent_ == event_.size()) {
            if (closing_taken_) break;
            bool batch_full = pace_.batch > 0 && made_ - before == pace_.batch;
            if (batch_full && made_ < tokens_) {
                if (pace_.delay.count() > 0) pause();
                break;
            }
            next_event();
        }
        std::size_t size = std::min(room.size() - used, event_.size() - event_sent_);
        std::memcpy(room.data() + used, event_.data() + event_sent_, size);
        used += size;
        event_sent_ += size;
    }
    statistics_.tokens_generated += made_ - before;
    return {used, closing_taken_ && event_sent_ == event_.size() ? State::end : State::more};
}

}  // namespace hfhub::local_hub
