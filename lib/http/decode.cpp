#include "http/decode.hpp"

#include "http/headers.hpp"

#include <hfhub/error.hpp>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {

/// What one step of a decoder did.
struct Step {
    std::size_t used = 0;     // input bytes
    std::size_t written = 0;  // output bytes
    bool complete = false;    // the coded data has come to its end
};

[[noreturn]] void refuse_damaged(std::string_view coding, const char* detail) {
    std::string text = "the server's answer cannot be decoded: its " + std::string(coding) + " data is damaged";
    if (detail) text += " (" + std::string(detail) + ")";
    throw ProtocolError(text);
}

/// One content coding. After a complete step it may be asked to go on with what follows.
class Decoder {
  public:
    virtual ~Decoder() = default;
    virtual Step decode(std::span<const std::byte> input, std::span<std::byte> output) = 0;
    /// Prepares for more coded data after a complete step; false where the coding allows none, given its first byte.
    virtual bool restart(std::byte next) = 0;
    virtual std::string_view name() const noexcept = 0;
};

/// gzip (RFC 1952), zlib (RFC 1950) or bare deflate (RFC 1951): many servers send the last where the second is meant,
/// so the first two bytes decide.
class ZlibDecoder : public Decoder {
  public:
    explicit ZlibDecoder(bool gzip) : gzip_(gzip) {
        if (gzip_) begin(15 + 16);
    }
    ZlibDecoder(const ZlibDecoder&) = delete;
    ZlibDecoder& operator=(const ZlibDecoder&) = delete;
    ~ZlibDecoder() override {
        if (begun_) inflateEnd(&stream_);
    }

    Step decode(std::span<const std::byte> input, std::span<std::byte> output) override {
        Step step;
        while (!begun_ && !input.empty()) {
            head_[head_size_++] = input.front();
            input = input.subspan(1);
            ++step.used;
            if (head_size_ == head_.size()) begin(is_zlib_header() ? 15 : -15);
        }
        if (!begun_) return step;
        if (head_at_ < head_size_) {  // the bytes that were looked at first
            const Step head = inflate_some(std::span(head_).subspan(head_at_, head_size_ - head_at_), output);
            head_at_ += head.used;
            step.written = head.written;
            step.complete = head.complete;
            output = output.subspan(head.written);
        }
        if (step.complete || head_at_ < head_size_) return step;
        const Step rest = inflate_some(input, output);
        return {step.used + rest.used, step.written + rest.written, rest.complete};
    }

    bool restart(std::byte next) override {
        if (!gzip_) return false;
        if (padding_) return next == std::byte{0};
        padding_ = next == std::byte{0};  // some tools fill the last block up with zeros
        return padding_ || inflateReset(&stream_) == Z_OK;
    }

    std::string_view name() const noexcept override { return gzip_ ? "gzip" : "deflate"; }

  private:
    void begin(int window_bits) {
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
        begun_ = true;
    }

    bool is_zlib_header() const noexcept {
        const auto first = std::to_integer<unsigned>(head_[0]);
        const auto second = std::to_integer<unsigned>(head_[1]);
        return (first & 0x0F) == 8 && (first >> 4) <= 7 && (first * 256 + second) % 31 == 0;
    }

    Step inflate_some(std::span<const std::byte> input, std::span<std::byte> output) {
        if (padding_) return skip_padding(input);
        constexpr std::size_t most = 1U << 30;  // zlib counts in unsigned int
        const std::size_t in_size = std::min(input.size(), most), out_size = std::min(output.size(), most);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
        stream_.avail_in = static_cast<uInt>(in_size);
        stream_.next_out = reinterpret_cast<Bytef*>(output.data());
        stream_.avail_out = static_cast<uInt>(out_size);
        const int result = inflate(&stream_, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR) throw std::bad_alloc();
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) refuse_damaged(name(), stream_.msg);
        return {in_size - stream_.avail_in, out_size - stream_.avail_out, result == Z_STREAM_END};
    }

    Step skip_padding(std::span<const std::byte> input) const {
        const bool zeros = std::all_of(input.begin(), input.end(), [](std::byte b) { return b == std::byte{0}; });
        if (!zeros) refuse_damaged(name(), "other bytes after its end");
        return {input.size(), 0, true};
    }

    bool gzip_;
    bool begun_ = false;
    bool padding_ = false;
    std::array<std::byte, 2> head_{};
    std::size_t head_size_ = 0, head_at_ = 0;
    z_stream stream_{};
};

class BrotliDecoder : public Decoder {
  public:
    BrotliDecoder() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
        if (!state_) throw std::bad_alloc();
    }

    Step decode(std::span<const std::byte> input, std::span<std::byte> output) override {
        std::size_t in_left = input.size(), out_left = output.size();
        const auto* next_in = reinterpret_cast<const std::uint8_t*>(input.data());
        auto* next_out = reinterpret_cast<std::uint8_t*>(output.data());
        const auto result =
            BrotliDecoderDecompressStream(state_.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
        if (result == BROTLI_DECODER_RESULT_ERROR) {
            refuse_damaged(name(), BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state_.get())));
        }
        return {input.size() - in_left, output.size() - out_left, result == BROTLI_DECODER_RESULT_SUCCESS};
    }
    bool restart(std::byte) override { return false; }
    std::string_view name() const noexcept override { return "br"; }

  private:
    struct Free {
        void operator()(BrotliDecoderState* state) const noexcept { BrotliDecoderDestroyInstance(state); }
    };
    std::unique_ptr<BrotliDecoderState, Free> state_;
};

class ZstdDecoder : public Decoder {
  public:
    ZstdDecoder() : stream_(ZSTD_createDStream()) {
        if (!stream_) throw std::bad_alloc();
        // RFC 9659: as a content coding, zstd has windows of at most 8 MiB.
        ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 23);
    }

    Step decode(std::span<const std::byte> input, std::span<std::byte> output) override {
        if (at_frame_ && !input.empty()) {
            // Libraries that were built so also take what earlier versions of zstd wrote: less tested, and no coding.
            if (!begins_frame(input.front())) refuse_damaged(name(), "it begins with no frame");
            at_frame_ = false;
        }
        ZSTD_inBuffer in{input.data(), input.size(), 0};
        ZSTD_outBuffer out{output.data(), output.size(), 0};
        const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
        if (ZSTD_isError(result)) refuse_damaged(name(), ZSTD_getErrorName(result));
        return {in.pos, out.pos, result == 0};
    }
    bool restart(std::byte) override { return at_frame_ = true; }
    std::string_view name() const noexcept override { return "zstd"; }

  private:
    // RFC 8878 3.1: 28 B5 2F FD, or for a skippable frame 50 to 5F before 2A 4D 18.
    static bool begins_frame(std::byte first) noexcept {
        return first == std::byte{0x28} || (first & std::byte{0xF0}) == std::byte{0x50};
    }

    struct Free {
        void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
    };
    std::unique_ptr<ZSTD_DStream, Free> stream_;
    bool at_frame_ = true;
};

class DecodingReader : public BodyReader {
  public:
    /// `coded` counts the bytes of the innermost body, which is the one whose reader does the counting.
    DecodingReader(Body inner, std::unique_ptr<Decoder> decoder, DecodeLimits limits,
                   std::shared_ptr<std::uint64_t> coded, bool innermost)
        : inner_(std::move(inner)),
          decoder_(std::move(decoder)),
          limits_(limits),
          coded_(std::move(coded)),
          innermost_(innermost) {}

    ReadResult try_read(std::span<std::byte> buffer) override {
        if (failure_) std::rethrow_exception(failure_);
        try {
            return read(buffer);
        } catch (...) {
            failure_ = std::current_exception();
            throw;
        }
    }

    // What arrives is coded: it must not go to the reader's destination.
    awaitable<std::size_t> wait(std::span<std::byte>) override { return inner_->wait({}); }
    void set_idle_timeout(std::chrono::milliseconds idle) override { inner_->set_idle_timeout(idle); }

  private:
    ReadResult read(std::span<std::byte> buffer) {
        for (;;) {
            if (const std::size_t written = decode(buffer); written > 0) return {written, ReadState::data};
            if (ended_) {
                if (in_progress_) throw TruncatedError(out_total_, std::nullopt);
                return {0, ReadState::end};
            }
            const ReadResult read = inner_->try_read(input_);
            if (read.state == ReadState::blocked) return read;
            ended_ = read.state == ReadState::end;
            rest_ = std::span<const std::byte>(input_).first(ended_ ? 0 : read.bytes);
            if (innermost_) *coded_ += rest_.size();
        }
    }

    /// Decodes until there is output or no input is left.
    std::size_t decode(std::span<std::byte> buffer) {
        while (!rest_.empty() || output_waits_) {
            if (!in_progress_) {
                if (!first_ && !decoder_->restart(rest_.front())) refuse_rest();
                first_ = false;
                in_progress_ = true;
            }
            const Step step = decoder_->decode(rest_, buffer);
            rest_ = rest_.subspan(step.used);
            in_progress_ = !step.complete;
            // A full buffer may not have held all that the decoder had.
            output_waits_ = in_progress_ && step.written == buffer.size();
            out_total_ += step.written;
            check_growth();
            if (step.written > 0) return step.written;
            if (step.used == 0 && in_progress_ && !rest_.empty()) refuse_damaged(decoder_->name(), nullptr);
        }
        return 0;
    }

    void check_growth() const {
        if (out_total_ <= limits_.free_bytes || out_total_ / std::max(limits_.ratio, std::uint64_t{1}) < *coded_)
            return;
        throw ProtocolError::lasting("the server's answer grows to more than " + std::to_string(limits_.ratio) +
                                     " times its size when its " + std::string(decoder_->name()) +
                                     " coding is undone: refused");
    }

    [[noreturn]] void refuse_rest() const {
        throw ProtocolError("the server's answer has other bytes after the end of its " +
                            std::string(decoder_->name()) + " data");
    }

    Body inner_;
    std::exception_ptr failure_;
    std::unique_ptr<Decoder> decoder_;
    DecodeLimits limits_;
    std::array<std::byte, 16 * 1024> input_;
    std::span<const std::byte> rest_;  // of input_, not decoded yet
    std::shared_ptr<std::uint64_t> coded_;
    std::uint64_t out_total_ = 0;
    bool innermost_;
    bool first_ = true;
    bool in_progress_ = false;   // coded data has begun and not come to its end
    bool output_waits_ = false;  // the decoder may have more output without more input
    bool ended_ = false;
};

std::unique_ptr<Decoder> make_decoder(std::string_view coding) {
    if (iequals(coding, "gzip") || iequals(coding, "x-gzip")) return std::make_unique<ZlibDecoder>(true);
    if (iequals(coding, "deflate")) return std::make_unique<ZlibDecoder>(false);
    if (iequals(coding, "br")) return std::make_unique<BrotliDecoder>();
    if (iequals(coding, "zstd")) return std::make_unique<ZstdDecoder>();
    throw ProtocolError::lasting("the server encoded its answer as \"" + std::string(coding.substr(0, 40)) +
                                 "\", which was not asked for and cannot be decoded");
}

std::vector<std::string_view> split_codings(std::string_view list) {
    std::vector<std::string_view> codings;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        std::string_view coding = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        const std::size_t begin = coding.find_first_not_of(" \t");
        if (begin == std::string_view::npos) continue;
        coding = coding.substr(begin, coding.find_last_not_of(" \t") - begin + 1);
        if (!iequals(coding, "identity")) codings.push_back(coding);
    }
    return codings;
}

}  // namespace

Body decode_body(Body inner, std::string_view content_encoding, DecodeLimits limits) {
    const std::vector<std::string_view> codings = split_codings(content_encoding);
    if (codings.size() > 5)
        throw ProtocolError::lasting("the server encoded its answer more than five times over: refused");
    if (!inner) return inner;
    const auto coded = std::make_shared<std::uint64_t>(0);
    for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
        const bool innermost = coding == codings.rbegin();
        inner = std::make_unique<DecodingReader>(std::move(inner), make_decoder(*coding), limits, coded, innermost);
    }
    return inner;
}

}  // namespace hfhub::http
