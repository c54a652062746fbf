#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace hfhub::http {

/// Bytes that arrived before anybody read them: grows with what is unread, and gives its memory back when emptied of a
/// large amount.
class ReceiveBuffer {
  public:
    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }

    void append(std::span<const std::byte> bytes) {
        if (end_ + bytes.size() > capacity_) make_room(bytes.size());
        std::memcpy(data_.get() + end_, bytes.data(), bytes.size());
        end_ += bytes.size();
    }

    std::size_t take(std::span<std::byte> out) noexcept {
        const std::size_t n = std::min(out.size(), size());
        if (n > 0) std::memcpy(out.data(), data_.get() + begin_, n);
        begin_ += n;
        if (begin_ == end_) {
            begin_ = end_ = 0;
            if (capacity_ > kept_capacity) {
                data_.reset();
                capacity_ = 0;
            }
        }
        return n;
    }

  private:
    static constexpr std::size_t kept_capacity = 16 * 1024;

    void make_room(std::size_t more) {
        const std::size_t used = size();
        std::size_t capacity = capacity_ == 0 ? 512 : capacity_;
        while (capacity < used + more) capacity *= 2;
        if (capacity == capacity_) {
            std::memmove(data_.get(), data_.get() + begin_, used);
        } else {
            auto grown = std::make_unique_for_overwrite<std::byte[]>(capacity);
            if (used > 0) std::memcpy(grown.get(), data_.get() + begin_, used);
            data_ = std::move(grown);
            capacity_ = capacity;
        }
        begin_ = 0;
        end_ = used;
    }

    std::unique_ptr<std::byte[]> data_;
    std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace hfhub::http
