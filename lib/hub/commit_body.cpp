#include "hub/commit_body.hpp"

#include "core/base64.hpp"

#include <hfhub/json.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstring>
#include <span>

namespace hfhub::hub {

namespace {
constexpr std::size_t raw_block = 3 << 16;  // a multiple of 3, so that no padding comes before the end
}

std::string& CommitBody::last_text() {
    if (pieces_.empty() || pieces_.back().content) pieces_.emplace_back();
    return pieces_.back().text;
}

void CommitBody::add_line(std::string_view line) { last_text() += line; }

void CommitBody::add_file(std::string_view path, Content content, std::uint64_t size) {
    last_text() += R"({"key":"file","value":{"content":")";
    pieces_.back().content = std::move(content);
    pieces_.back().size = size;
    last_text() += R"(","path":)" + json::serialize(json::value(json::string(path))) + ",\"encoding\":\"base64\"}}\n";
}

std::optional<std::uint64_t> CommitBody::size() const {
    std::uint64_t size = 0;
    for (const Piece& piece : pieces_) size += piece.text.size() + (piece.content ? (piece.size + 2) / 3 * 4 : 0);
    return size;
}

awaitable<std::size_t> CommitBody::read_some(std::span<std::byte> buffer) {
    while (ready_at_ == ready_.size()) {
        ready_.clear();
        ready_at_ = 0;
        if (piece_ == pieces_.size()) co_return 0;
        const Piece& piece = pieces_[piece_];
        if (!text_done_) {
            text_done_ = true;
            ready_ = piece.text;
            continue;
        }
        if (piece.content) co_await encode_next(piece);
        if (!ready_.empty()) continue;
        ++piece_;
        text_done_ = false;
        source_.reset();
    }
    const std::size_t n = std::min(buffer.size(), ready_.size() - ready_at_);
    std::memcpy(buffer.data(), ready_.data() + ready_at_, n);
    ready_at_ += n;
    co_return n;
}

awaitable<void> CommitBody::encode_next(const Piece& piece) {
    if (!source_) source_ = body_of(workers_, *piece.content, 0, piece.size);
    std::string raw(static_cast<std::size_t>(std::min<std::uint64_t>(raw_block, piece.size)), '\0');
    std::size_t filled = 0;
    while (filled < raw.size()) {
        const std::size_t n = co_await source_->read_some(std::as_writable_bytes(std::span(raw)).subspan(filled));
        if (n == 0) break;
        filled += n;
    }
    ready_ = base64_encode(std::string_view(raw).substr(0, filled));
}

bool CommitBody::rewind() {
    piece_ = 0;
    text_done_ = false;
    source_.reset();
    ready_.clear();
    ready_at_ = 0;
    return true;
}

}  // namespace hfhub::hub
