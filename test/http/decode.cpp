#include "http/decode.hpp"

#include <hfhub/error.hpp>

#include <doctest/doctest.h>

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

using namespace hfhub;
using namespace hfhub::http;

namespace {

/// Gives its pieces one by one; after each it says once that more has to be waited for.
class PieceReader : public BodyReader {
  public:
    explicit PieceReader(std::deque<std::string> pieces) : pieces_(std::move(pieces)) {}

    ReadResult try_read(std::span<std::byte> buffer) override {
        if (blocked_) return blocked_ = false, ReadResult{0, ReadState::blocked};
        if (pieces_.empty()) return {0, ReadState::end};
        std::string& piece = pieces_.front();
        const std::size_t size = std::min(piece.size(), buffer.size());
        std::memcpy(buffer.data(), piece.data(), size);
        piece.erase(0, size);
        if (piece.empty()) {
            pieces_.pop_front();
            blocked_ = true;
        }
        return {size, ReadState::data};
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { throw std::logic_error("not used here"); }

  private:
    std::deque<std::string> pieces_;
    bool blocked_ = false;
};

Body in_pieces(const std::string& bytes, std::size_t size) {
    std::deque<std::string> pieces;
    for (std::size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
    return std::make_unique<PieceReader>(std::move(pieces));
}

struct Drained {
    std::string bytes;
    std::size_t blocked = 0;
};

Drained drain(Body body, std::size_t buffer_size = 4096) {
    Drained result;
    std::vector<std::byte> buffer(buffer_size);
    for (;;) {
        const ReadResult read = body->try_read(buffer);
        if (read.state == ReadState::end) return result;
        if (read.state == ReadState::blocked) {
            ++result.blocked;
            continue;
        }
        REQUIRE(read.bytes > 0);
        result.bytes.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
    }
}

std::string decoded(const std::string& bytes, std::string_view coding, DecodeLimits limits = {}) {
    return drain(decode_body(in_pieces(bytes, 1 << 20), coding, limits)).bytes;
}

/// window_bits: 31 gzip, 15 zlib, -15 bare deflate.
std::string deflated(const std::string& text, int window_bits) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    const std::size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
    REQUIRE(!ZSTD_isError(size));
    out.resize(size);
    return out;
}

template <std::size_t N>
std::string bytes(const unsigned char (&values)[N]) {
    return {reinterpret_cast<const char*>(values), N};
}

std::string text_lines() {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i) + " of the text\n";
    return text;
}

// text_lines() in Brotli (RFC 7932).
std::string brotli_lines() {
    return bytes({0x1B, 0xF9, 0x0F, 0x20, 0x8C, 0x54, 0xB5, 0x3F, 0x1D, 0x1B, 0xA6, 0x6A, 0x88, 0xEE, 0x02, 0xA1, 0x40,
                  0x51, 0x3B, 0xE7, 0x66, 0xF1, 0xD0, 0x5E, 0x03, 0xCE, 0x28, 0x7C, 0xF0, 0x90, 0xAD, 0x3F, 0xA3, 0x28,
                  0x8C, 0xF9, 0xDE, 0x7F, 0xCB, 0x34, 0x89, 0xAB, 0x02, 0x20, 0x04, 0x23, 0x28, 0x06, 0x8B, 0x5B, 0xD1,
                  0x60, 0x03, 0xA2, 0x24, 0x2B, 0xAA, 0x46, 0x8B, 0x2B, 0x7E, 0x41, 0x94, 0x64, 0x45, 0xD5, 0x68, 0x71,
                  0xA5, 0x2F, 0x88, 0x92, 0xAC, 0xA8, 0x1A, 0x2D, 0xAE, 0xFC, 0x05, 0x51, 0x92, 0x15, 0x55, 0xA3, 0xC5,
                  0x55, 0xBE, 0x20, 0x4A, 0xB2, 0xA2, 0x6A, 0xB4, 0xB8, 0xEA, 0x17, 0x44, 0x49, 0x56, 0x54, 0x8D, 0x16,
                  0x57, 0xF3, 0x05, 0x51, 0x92, 0x15, 0x55, 0xA3, 0xC5, 0xD5, 0x7E, 0x41, 0x94, 0x64, 0x45, 0xD5, 0x68,
                  0x71, 0x75, 0x5F, 0x10, 0x25, 0x59, 0x51, 0x35, 0xDA, 0xFF, 0x15, 0xAE, 0x1F, 0x82, 0xA4, 0x68, 0x86,
                  0xE5, 0x70, 0x75, 0x89, 0x4F, 0x90, 0x14, 0xCD, 0xB0, 0x1C, 0xAE, 0x2E, 0xF9, 0x09, 0x92, 0xA2, 0x19,
                  0x96, 0xC3, 0xD5, 0xA5, 0x3E, 0x41, 0x52, 0x34, 0xC3, 0x72, 0xB8, 0xBA, 0xF4, 0x27, 0x48, 0x8A, 0x66,
                  0x58, 0x0E, 0x57, 0x97, 0xF9, 0x04, 0x49, 0xD1, 0x0C, 0xCB, 0xE1, 0xEA, 0xB2, 0x9F, 0x20, 0x29, 0x9A,
                  0x61, 0x39, 0x5C, 0x5D, 0xCE, 0x27, 0x48, 0x8A, 0x66, 0x58, 0x0E, 0x57, 0x97, 0xFB, 0x09, 0x92, 0xA2,
                  0x19, 0x96, 0xC3, 0xD5, 0xE5, 0x7D, 0x82, 0xA4, 0x68, 0x86, 0xE5, 0x70, 0xCF, 0x03});
}

// 64 MiB of zeros in Brotli.
std::string brotli_zeros() {
    return bytes({0xCB, 0xFF, 0xFF, 0x3F, 0xF8, 0x27, 0x00, 0xE2, 0xB1, 0x40, 0x20, 0xF7, 0xFE, 0x8F, 0xFF, 0xFF,
                  0x7F, 0xF0, 0x4F, 0x00, 0xC4, 0x61, 0x11, 0x80, 0xEE, 0xFD, 0x1F, 0xFF, 0xFF, 0xFF, 0xE0, 0x9F,
                  0x00, 0x88, 0xC3, 0x02, 0x00, 0xDD, 0xFB, 0x3F, 0xFE, 0xFF, 0xFF, 0xC1, 0x3F, 0x01, 0x10, 0x87,
                  0x05, 0x00, 0xBA, 0xF7, 0x7F, 0xFC, 0xFF, 0xFF, 0x83, 0x7F, 0x02, 0x20, 0x0E, 0x0B, 0x00, 0x74,
                  0xEF, 0xFF, 0xF8, 0xFF, 0xFF, 0x07, 0xFF, 0x04, 0x40, 0x1C, 0x16, 0x00, 0xE8, 0xDE, 0xFF, 0xF1,
                  0xFF, 0xFF, 0x0F, 0xFE, 0x09, 0x80, 0x38, 0x2C, 0x00, 0xD0, 0xBD, 0xFF, 0xCB, 0xFF, 0xFF, 0x3F,
                  0xFC, 0x13, 0x00, 0x71, 0x58, 0x00, 0xA0, 0x7B, 0xFF, 0x07});
}

struct Coding {
    const char* name;
    std::string (*encode)(const std::string&);
};
const Coding codings[] = {
    {"gzip", [](const std::string& text) { return deflated(text, 31); }},
    {"x-gzip", [](const std::string& text) { return deflated(text, 31); }},
    {"deflate", [](const std::string& text) { return deflated(text, 15); }},
    {"deflate", [](const std::string& text) { return deflated(text, -15); }},
    {"zstd", [](const std::string& text) { return zstd(text); }},
};

std::string random_bytes(std::size_t size) {
    std::mt19937 engine(7);
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(engine());
    return out;
}

}  // namespace

TEST_CASE("every coding is undone, wherever the coded bytes are cut and however small the reader's buffer is") {
    const std::string text = text_lines();
    std::vector<std::pair<std::string, std::string>> coded = {{"br", brotli_lines()}};
    for (const Coding& coding : codings) coded.emplace_back(coding.name, coding.encode(text));
    for (const auto& [name, data] : coded) {
        CAPTURE(name);
        for (std::size_t piece : {1, 2, 3, 7, 64, 100'000}) {
            for (std::size_t buffer : {1, 2, 5, 1000, 4090, 4091, 100'000}) {
                CHECK(drain(decode_body(in_pieces(data, piece), name), buffer).bytes == text);
            }
        }
        for (std::size_t cut = 0; cut <= data.size(); ++cut) {
            std::deque<std::string> pieces;
            for (const std::string& piece : {data.substr(0, cut), data.substr(cut)}) {
                if (!piece.empty()) pieces.push_back(piece);
            }
            REQUIRE(drain(decode_body(std::make_unique<PieceReader>(pieces), name)).bytes == text);
        }
    }
}

TEST_CASE("bytes that do not compress come through as well as none") {
    const std::string random = random_bytes(300'000);
    for (const Coding& coding : codings) {
        CHECK(decoded(coding.encode(random), coding.name) == random);
        CHECK(decoded(coding.encode(""), coding.name).empty());
    }
    CHECK(decoded("\x06", "br").empty());
}

TEST_CASE("an empty body is empty in every coding, and a missing one stays missing") {
    for (const char* name : {"gzip", "deflate", "br", "zstd", "gzip, br"}) {
        CHECK(decoded("", name).empty());
        CHECK(decode_body(nullptr, name) == nullptr);
    }
}

TEST_CASE("a body without coding is handed through untouched") {
    for (const char* name : {"", "identity", " , Identity ,"}) {
        Body body = in_pieces("abc", 3);
        const BodyReader* inner = body.get();
        CHECK(decode_body(std::move(body), name).get() == inner);
    }
}

TEST_CASE("several codings are undone from the last to the first, in any spelling") {
    const std::string text = text_lines();
    CHECK(decoded(zstd(deflated(text, 31)), "gzip, zstd") == text);
    CHECK(decoded(zstd(deflated(text, 31)), " GZIP ,identity,\tZstd") == text);
    CHECK(drain(decode_body(in_pieces(deflated(zstd(text), 15), 1), "zstd,deflate"), 1).bytes == text);
    CHECK_THROWS_AS(decoded(zstd(deflated(text, 31)), "zstd, gzip"), ProtocolError);
}

TEST_CASE("codings that were not asked for, and too many of them, are refused") {
    for (const char* name : {"compress", "lzma", "gzip2", "aes128gcm", "gzip, unknown"}) {
        CHECK_THROWS_AS(decode_body(in_pieces("x", 1), name), ProtocolError);
    }
    try {
        decode_body(in_pieces("x", 1), "compress");
    } catch (const ProtocolError& error) {
        CHECK(error.permanent);
    }
    CHECK_NOTHROW(decode_body(in_pieces("x", 1), "gzip,gzip,gzip,gzip,gzip"));
    CHECK_THROWS_AS(decode_body(in_pieces("x", 1), "gzip,gzip,gzip,gzip,gzip,gzip"), ProtocolError);
}

TEST_CASE("a body that ends early is truncated, at every length") {
    const std::string text = text_lines();
    std::vector<std::pair<std::string, std::string>> coded = {{"br", brotli_lines()}};
    for (const Coding& coding : codings) coded.emplace_back(coding.name, coding.encode(text));
    for (const auto& [name, data] : coded) {
        CAPTURE(name);
        for (std::size_t size = 1; size < data.size(); ++size) {
            REQUIRE_THROWS_AS(decoded(data.substr(0, size), name), TruncatedError);
        }
    }
}

TEST_CASE("damaged bodies are refused and never crash") {
    const std::string text = text_lines();
    for (const Coding& coding : codings) {
        const std::string data = coding.encode(text);
        std::string wrong_start = data;
        wrong_start[0] = static_cast<char>(0xFF);
        CHECK_THROWS_AS(decoded(wrong_start, coding.name), TransportError);
        for (std::size_t at = 0; at < data.size(); ++at) {
            std::string damaged = data;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
            try {
                decoded(damaged, coding.name);
            } catch (const TransportError&) {
            }
        }
    }
    std::string gzip = deflated(text, 31);
    gzip[gzip.size() - 6] ^= 1;  // the checksum
    CHECK_THROWS_WITH_AS(decoded(gzip, "gzip"), doctest::Contains("gzip"), ProtocolError);
    CHECK_THROWS_AS(decoded("this is no gzip", "gzip"), ProtocolError);
    CHECK_THROWS_AS(decoded("this is no zstd", "zstd"), ProtocolError);
    CHECK_THROWS_AS(decoded("\xFF\xFF\xFF\xFF", "br"), ProtocolError);
}

TEST_CASE("what begins like a frame of an earlier zstd is damaged, at the beginning and after a frame") {
    for (const char first : {'\x1E', '\x22', '\x24', '\x27'}) {
        const std::string legacy = first + std::string("\xB5\x2F\xFD\x20\0\0\1", 7);
        for (const std::string& before : {std::string(), zstd("text")}) {
            for (const std::size_t piece : {1, 1000}) {
                CHECK_THROWS_WITH_AS(drain(decode_body(in_pieces(before + legacy, piece), "zstd"), 100),
                                     doctest::Contains("begins with no frame"), ProtocolError);
            }
        }
    }
    const std::string skipped = std::string("\x5A\x2A\x4D\x18\3\0\0\0", 8) + "any";
    CHECK(decoded(skipped + zstd("text"), "zstd") == "text");
}

TEST_CASE("a damaged body stays damaged, however often it is asked") {
    std::string wrong_sum = deflated(text_lines(), 31);
    wrong_sum[wrong_sum.size() - 6] ^= 1;
    const std::pair<std::string, std::string> cases[] = {
        {"gzip", wrong_sum},
        {"gzip", deflated("text", 31) + "garbage"},
        {"zstd", zstd("text") + std::string(20, 'g')},
        {"br", brotli_lines() + "garbage"},
        {"br", "\xFF\xFF\xFF\xFF"},
    };
    for (const auto& [coding, data] : cases) {
        CAPTURE(coding);
        const Body body = decode_body(in_pieces(data, 1 << 20), coding);
        std::vector<std::byte> buffer(65536);
        const auto read_on = [&] {
            while (body->try_read(buffer).state != ReadState::end) {
            }
        };
        for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(read_on(), ProtocolError);
    }
}

TEST_CASE("a body that broke off below the decoder does not end well when it is asked again") {
    struct Inner final : BodyReader {
        ReadResult try_read(std::span<std::byte> buffer) override {
            if (++reads == 2) throw ConnectionLostError("lost");
            if (reads > 2) return {0, ReadState::end};
            const std::string data = deflated("text", 31);
            std::memcpy(buffer.data(), data.data(), data.size());
            return {data.size(), ReadState::data};
        }
        awaitable<std::size_t> wait(std::span<std::byte>) override { throw std::logic_error("not used here"); }
        int reads = 0;
    };
    const Body body = decode_body(std::make_unique<Inner>(), "gzip");
    std::vector<std::byte> buffer(100);
    CHECK(body->try_read(buffer).bytes == 4);
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(body->try_read(buffer), ConnectionLostError);
}

TEST_CASE("the idle limit reaches the body below the decoder") {
    struct Inner final : BodyReader {
        explicit Inner(std::chrono::milliseconds& idle) : idle(idle) {}
        ReadResult try_read(std::span<std::byte>) override { return {0, ReadState::end}; }
        awaitable<std::size_t> wait(std::span<std::byte>) override { throw std::logic_error("not used here"); }
        void set_idle_timeout(std::chrono::milliseconds limit) override { idle = limit; }
        std::chrono::milliseconds& idle;
    };
    std::chrono::milliseconds idle{0};
    decode_body(std::make_unique<Inner>(idle), "gzip, br")->set_idle_timeout(std::chrono::milliseconds(7));
    CHECK(idle.count() == 7);
}

TEST_CASE("gzip members and zstd frames in a row are one body") {
    for (std::size_t piece : {1, 3, 100'000}) {
        for (std::size_t buffer : {1, 6, 100}) {
            const std::string gzip = deflated("first ", 31) + deflated("", 31) + deflated("second", 31);
            CHECK(drain(decode_body(in_pieces(gzip, piece), "gzip"), buffer).bytes == "first second");
            CHECK(drain(decode_body(in_pieces(gzip + std::string(512, '\0'), piece), "gzip"), buffer).bytes ==
                  "first second");
            const std::string frames = zstd("first ") + zstd("") + zstd("second");
            CHECK(drain(decode_body(in_pieces(frames, piece), "zstd"), buffer).bytes == "first second");
        }
    }
    CHECK_THROWS_AS(decoded(deflated("first", 31) + deflated("second", 31).substr(0, 12), "gzip"), TruncatedError);
}

TEST_CASE("other bytes after the end are refused") {
    for (const Coding& coding : codings) {
        CHECK_THROWS_AS(decoded(coding.encode("text") + "garbage", coding.name), TransportError);
    }
    CHECK_THROWS_AS(decoded(brotli_lines() + "garbage", "br"), ProtocolError);
    const std::string padded = deflated("text", 31) + std::string(10, '\0');
    for (const std::string& rest : {std::string("garbage"), deflated("more", 31)}) {
        for (const std::size_t piece : {1, 100'000}) {
            CHECK_THROWS_AS(drain(decode_body(in_pieces(padded + rest, piece), "gzip")), ProtocolError);
        }
    }
}

TEST_CASE("a small body that grows without bounds is refused before it is large") {
    const auto grown = [](const std::string& data, std::string_view coding, DecodeLimits limits = {}) {
        Body body = decode_body(in_pieces(data, 4096), coding, limits);
        std::vector<std::byte> buffer(65536);
        std::uint64_t total = 0;
        try {
            for (;;) {
                const ReadResult read = body->try_read(buffer);
                if (read.state == ReadState::end) return total;
                total += read.bytes;
            }
        } catch (const ProtocolError&) {
            CHECK(total <= (std::uint64_t{17} << 20));
            return std::uint64_t{0};
        }
    };
    const std::string zeros(64 << 20, '\0');
    CHECK(grown(brotli_zeros(), "br") == 0);
    CHECK(grown(zstd(zeros), "zstd") == 0);
    CHECK(grown(deflated(zeros, 31), "gzip") == 0);
    const std::string small_zeros(16 << 20, '\0');
    CHECK(grown(zstd(small_zeros), "zstd") == small_zeros.size());  // within what is free
    CHECK(grown(deflated(zeros, 31), "gzip", {.ratio = 2000}) == zeros.size());
    CHECK(grown(zstd(std::string(1000, 'x')), "zstd", {.ratio = 2, .free_bytes = 100}) == 0);
    // Neither coding of the two grows to more than a thousand times its size.
    const std::string twice = zstd(deflated(zeros, 31));
    REQUIRE(twice.size() * 1000 < zeros.size());
    CHECK(grown(twice, "gzip, zstd", {.ratio = 1500}) == 0);
    CHECK(grown(twice, "gzip, zstd", {.ratio = 1 << 20}) == zeros.size());
}

TEST_CASE("what a decoder holds is given before the next wait") {
    // A sync flush: all of the text so far can be decoded, although the stream goes on.
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(1000, '\0');
    std::string text = "data: hello\n\n";
    stream.next_in = reinterpret_cast<Bytef*>(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_SYNC_FLUSH) == Z_OK);
    out.resize(stream.total_out);
    deflateEnd(&stream);

    Body body = decode_body(in_pieces(out, out.size()), "gzip");
    std::string got;
    std::vector<std::byte> buffer(4);
    for (;;) {
        const ReadResult read = body->try_read(buffer);
        if (read.state == ReadState::blocked) break;
        got.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
    }
    CHECK(got == text);
    CHECK_THROWS_AS(body->try_read(buffer), TruncatedError);
}

TEST_CASE("a limit for later waits reaches the body that waits") {
    struct Waiting final : BodyReader {
        explicit Waiting(std::chrono::milliseconds& told) : idle(told) {}
        ReadResult try_read(std::span<std::byte>) override { return {0, ReadState::blocked}; }
        awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }
        void set_idle_timeout(std::chrono::milliseconds limit) override { idle = limit; }
        std::chrono::milliseconds& idle;
    };
    std::chrono::milliseconds told{0};
    decode_body(std::make_unique<Waiting>(told), "gzip, br")->set_idle_timeout(std::chrono::milliseconds(7));
    CHECK(told.count() == 7);
}

TEST_CASE("the codings that are asked for are those that can be undone") {
    std::string list(accept_encoding());
    CHECK(list == "gzip, deflate, br, zstd");
    CHECK_NOTHROW(decode_body(in_pieces("x", 1), list));
}
