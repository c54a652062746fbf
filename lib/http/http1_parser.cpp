#include "http/http1_parser.hpp"

#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hfhub::http {

namespace {

namespace beast = boost::beast;

constexpr std::size_t max_line = 16 * 1024;
constexpr std::size_t max_head = 64 * 1024;
constexpr std::size_t max_fields = 256;
constexpr int max_interim_answers = 20;

[[noreturn]] void throw_malformed(const std::string& reason) {
    throw ProtocolError("the answer is not valid HTTP/1.1: " + reason);
}

// Looks for the end of a head before it is parsed: so its meaning does not depend on the pieces in which it comes.
class HeadEnd {
  public:
    /// The size of the head at the beginning of `in`, 0 where its end has not come. To be asked with the same bytes
    /// again, and more.
    std::size_t find(std::string_view in) {
        check_version(in);
        for (;;) {
            const std::size_t end = in.find('\n', searched_);
            if (std::min(end, in.size()) - line_ > max_line)
                throw ProtocolError::lasting("the answer's head has a line of more than 16 KiB");
            if (std::min(end, in.size()) >= max_head)
                throw ProtocolError::lasting("the answer's head is larger than 64 KiB");
            searched_ = end == in.npos ? in.size() : end + 1;
            if (end == in.npos) return 0;
            if (end == line_ || in[end - 1] != '\r') throw_malformed("a line of its head ends without CR");
            const bool empty = end == line_ + 1;
            line_ = searched_;
            if (empty) return searched_;
        }
    }

  private:
    static void check_version(std::string_view in) {
        constexpr std::string_view version = "HTTP/1.";
        if (version.starts_with(in.substr(0, version.size()))) return;
        throw_malformed("it begins with \"" + printable(in, 20) + "\" instead of HTTP/1.1");
    }

    std::size_t line_ = 0, searched_ = 0;
};

// Beast's grammar for one head, with our own store of fields. The body is taken by others.
class Grammar final : public beast::http::basic_parser<false> {
  public:
    Grammar(Headers& headers, bool bodiless) : headers_(headers) {
        header_limit(2 * max_head);
        body_limit(boost::none);
        skip(bodiless);
    }

    /// Throws ProtocolError.
    void read(std::string_view head) {
        error_code error;
        const std::size_t taken = put(boost::asio::const_buffer(head.data(), head.size()), error);
        if (error == beast::http::error::header_limit)
            throw ProtocolError::lasting("the answer has more than 256 header fields, or one that is folded too long");
        if (error) throw_malformed(error.message());
        if (!is_header_done() || taken != head.size()) throw_malformed("its head ends early");
    }

    int status = 0;
    int version = 0;

  private:
    using error_code = beast::error_code;
    using string_view = beast::string_view;

    void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int code, string_view, int http_version, error_code&) override {
        status = code;
        version = http_version;
    }
    void on_field_impl(beast::http::field, string_view name, string_view value, error_code& error) override {
        if (headers_.size() >= max_fields) {
            error = beast::http::error::header_limit;
            return;
        }
        headers_.add({name.data(), name.size()}, {value.data(), value.size()});
    }
    void on_header_impl(error_code& error) override {
        if (status < 100) error = beast::http::error::bad_status;
    }
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    Headers& headers_;
};

}  // namespace

struct Http1Parser::Impl {
    explicit Impl(bool bodiless) : bodiless(bodiless) {}
    void take_framing(Grammar& grammar);

    bool bodiless;
    HeadEnd head_end;
    Headers headers;
    int status = 0;
    int interim_answers = 0;
    bool head_done = false;
    bool keep_alive = false;
    bool until_eof = false;
    bool done = false;
    std::uint64_t left = 0;
    std::optional<ChunkedDecoder> chunked;
};

Http1Parser::Http1Parser(bool bodiless) : impl_(std::make_unique<Impl>(bodiless)) {}

Http1Parser::~Http1Parser() = default;

std::size_t Http1Parser::read_head(std::span<const std::byte> in) {
    Impl& impl = *impl_;
    const std::string_view text(reinterpret_cast<const char*>(in.data()), in.size());
    const std::size_t size = impl.head_end.find(text);
    if (size == 0) return 0;
    Grammar grammar(impl.headers, impl.bodiless);
    grammar.read(text.substr(0, size));
    if (grammar.status == 101) throw ProtocolError::lasting("the server switched protocols without being asked");
    if (grammar.status / 100 == 1) {
        if (++impl.interim_answers > max_interim_answers)
            throw ProtocolError::lasting("the server sends interim answers without end");
        impl.headers.clear();
        impl.head_end = {};
        return size;
    }
    impl.take_framing(grammar);
    return size;
}

// RFC 9112 6.3. Beast has refused a length beside a coding, and lengths that differ.
void Http1Parser::Impl::take_framing(Grammar& grammar) {
    head_done = true;
    status = grammar.status;
    keep_alive = grammar.keep_alive();
    done = grammar.is_done();
    if (done) return;
    until_eof = grammar.need_eof();
    if (headers.contains("transfer-encoding")) {
        const std::string coding = headers.joined("transfer-encoding");
        if (!grammar.chunked() || !iequals(coding, "chunked"))
            throw ProtocolError::lasting("the answer has a transfer coding that was not asked for: " +
                                         printable(coding));
        until_eof = false;
        keep_alive = keep_alive && grammar.version > 10;  // RFC 9112 6.1: HTTP/1.0 has no such coding
        chunked.emplace();
    } else if (!until_eof) {
        left = grammar.content_length().value_or(0);
    }
}

bool Http1Parser::head_done() const noexcept { return impl_->head_done; }
int Http1Parser::status() const noexcept { return impl_->status; }
Headers& Http1Parser::headers() noexcept { return impl_->headers; }
bool Http1Parser::body_done() const noexcept { return impl_->done; }
bool Http1Parser::keep_alive() const noexcept { return impl_->keep_alive; }

Http1Parser::Progress Http1Parser::read_body(std::span<const std::byte> in, std::span<std::byte> out) {
    Impl& impl = *impl_;
    if (impl.chunked) {
        const Progress progress = impl.chunked->read(in, out);
        impl.done = impl.chunked->done();
        return progress;
    }
    std::size_t n = std::min(in.size(), out.size());
    if (!impl.until_eof) n = std::min<std::uint64_t>(n, impl.left);
    if (n > 0) std::memcpy(out.data(), in.data(), n);
    skip_body(n);
    return {n, n};
}

void Http1Parser::skip_body(std::uint64_t bytes) {
    if (impl_->until_eof) return;
    impl_->left -= bytes;
    impl_->done = impl_->left == 0;
}

std::optional<std::uint64_t> Http1Parser::remaining() const noexcept {
    if (impl_->done) return 0;
    if (impl_->chunked || impl_->until_eof) return std::nullopt;
    return impl_->left;
}

void Http1Parser::finish(std::uint64_t body_bytes) {
    if (impl_->done) return;
    if (impl_->until_eof) {
        impl_->done = true;
        return;
    }
    if (impl_->chunked) throw TruncatedError(body_bytes, std::nullopt);
    throw TruncatedError(body_bytes, body_bytes + impl_->left);
}

std::optional<std::chrono::seconds> keep_alive_timeout(const Headers& headers) {
    constexpr std::string_view name = "timeout=";
    std::string_view rest = headers.value("keep-alive");
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        std::string_view part = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
        std::uint32_t seconds = 0;
        if (part.size() <= name.size() || !iequals(part.substr(0, name.size()), name)) continue;
        const auto read = std::from_chars(part.data() + name.size(), part.data() + part.size(), seconds);
        if (read.ec == std::errc()) return std::chrono::seconds(seconds);
    }
    return std::nullopt;
}

}  // namespace hfhub::http
