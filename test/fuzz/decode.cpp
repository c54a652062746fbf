// Content codings: whatever bytes come, in whatever pieces, the outcome is the same and no larger than the limits
// allow.

#include "http/decode.hpp"

#include "fuzz.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace {

using namespace hfhub;
using namespace hfhub::http;
using namespace hfhub::fuzz;

class Pieces final : public BodyReader {
  public:
    explicit Pieces(std::vector<std::string_view> pieces) : pieces_(std::move(pieces)) {}
    ReadResult try_read(std::span<std::byte> buffer) override {
        while (at_ < pieces_.size() && pieces_[at_].empty()) ++at_;
        if (at_ == pieces_.size()) return {0, ReadState::end};
        std::string_view& piece = pieces_[at_];
        const std::size_t n = std::min(piece.size(), buffer.size());
        std::memcpy(buffer.data(), piece.data(), n);
        piece.remove_prefix(n);
        return {n, ReadState::data};
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { throw std::logic_error("never blocked"); }

  private:
    std::vector<std::string_view> pieces_;
    std::size_t at_ = 0;
};

enum class End { done, truncated, damaged, too_large };
struct Decoded {
    End end = End::done;
    std::string bytes;
};

constexpr DecodeLimits limits{100, 64 * 1024};

Decoded decode(std::string_view coded, const std::string& codings, unsigned how, std::size_t buffer_size) {
    Decoded decoded;
    std::vector<std::byte> buffer(buffer_size);
    try {
        const Body body = decode_body(std::make_unique<Pieces>(pieces(coded, how)), codings, limits);
        for (;;) {
            const ReadResult read = body->try_read(buffer);
            if (read.state == ReadState::end) break;
            require(read.state == ReadState::data && read.bytes > 0 && read.bytes <= buffer.size(), "a read has bytes");
            decoded.bytes.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
            require(decoded.bytes.size() <= limits.free_bytes + limits.ratio * coded.size(), "the limits hold");
        }
    } catch (const TruncatedError&) {
        decoded.end = End::truncated;
    } catch (const ProtocolError& error) {
        decoded.end = error.permanent ? End::too_large : End::damaged;
    }
    return decoded;
}

std::string codings_of(unsigned choice) {
    constexpr const char* names[] = {"gzip", "deflate", "br", "zstd"};
    std::string codings = names[choice & 3];
    if ((choice & 4) != 0) codings += std::string(", ") + names[(choice >> 3) & 3];
    return codings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const unsigned choice = input.choice();
    const std::string codings = codings_of(choice);
    const Decoded whole = decode(input.rest(), codings, 0, 16 * 1024);
    for (const unsigned how : {1U, 2 + choice}) {
        const Decoded other = decode(input.rest(), codings, how, 1 + choice * 16);
        // How much has come when the limit is looked at depends on the pieces.
        if (whole.end == End::too_large || other.end == End::too_large) continue;
        require(other.end == whole.end, "the end is the same however the bytes are cut");
        if (whole.end == End::done) require(other.bytes == whole.bytes, "and so are the decoded bytes");
    }
    return 0;
}
