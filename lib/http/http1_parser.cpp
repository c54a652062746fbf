#include "http/http1_parser.hpp"

#include <hfhub/error.hpp>

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hfhub::http {

namespace {

namespace beast = boost::beast;

constexpr std::uint32_t max_head = 64 * 1024;
constexpr std::size_t max_fields = 256;
constexpr int max_interim_answers = 20;

[[noreturn]] void throw_malformed(const boost::system::error_code& error) {
    const std::string text = "the answer is not valid HTTP/1.1: " + error.message();
    if (error == beast::http::error::header_limit) throw ProtocolError::lasting(text);
    throw ProtocolError(text);
}

// Beast's grammar, with our own store of fields and body bytes handed out as the reader has room for them.
class Grammar final : public beast::http::basic_parser<false> {
  public:
    Grammar(Headers& headers, bool bodiless) : headers_(headers) {
        header_limit(max_head);
        body_limit(boost::none);
        skip(bodiless);
    }

    int status = 0;
    std::span<std::byte> out;
    std::size_t written = 0;

  private:
    using error_code = beast::error_code;
    using string_view = beast::string_view;

    void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
    void on_field_impl(beast::http::field, string_view name, string_view value, error_code& error) override {
        if (is_header_done()) return;  // trailers carry nothing for us
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
    std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
        const std::size_t n = std::min(bytes.size(), out.size() - written);
        if (n > 0) std::memcpy(out.data() + written, bytes.data(), n);
        written += n;
        return n;
    }
    void on_finish_impl(error_code&) override {}

    Headers& headers_;
};

}  // namespace

struct Http1Parser::Impl {
    explicit Impl(bool bodiless) : bodiless(bodiless), grammar(std::make_unique<Grammar>(headers, bodiless)) {}
    bool bodiless;
    Headers headers;
    std::unique_ptr<Grammar> grammar;
    int interim_answers = 0;
    bool head_done = false;
    bool chunked = false;
    bool until_eof = false;
    bool done = false;
    std::uint64_t left = 0;
};

Http1Parser::Http1Parser(bool bodiless) : impl_(std::make_unique<Impl>(bodiless)) {}

Http1Parser::~Http1Parser() = default;

std::size_t Http1Parser::read_head(std::span<const std::byte> in) {
    Impl& impl = *impl_;
    boost::system::error_code error;
    const std::size_t taken = impl.grammar->put(boost::asio::const_buffer(in.data(), in.size()), error);
    if (error == beast::http::error::need_more) return taken;
    if (error) throw_malformed(error);
    if (!impl.grammar->is_header_done()) return taken;
    if (impl.grammar->status / 100 == 1) {
        if (impl.grammar->status == 101)
            throw ProtocolError::lasting("the server switched protocols without being asked");
        if (++impl.interim_answers > max_interim_answers)
            throw ProtocolError::lasting("the server sends interim answers without end");
        impl.headers.clear();
        impl.grammar = std::make_unique<Grammar>(impl.headers, impl.bodiless);
        return taken;
    }
    impl.head_done = true;
    impl.chunked = impl.grammar->chunked();
    impl.until_eof = impl.grammar->need_eof() && !impl.grammar->is_done();
    impl.done = impl.grammar->is_done();
    if (!impl.done && !impl.chunked && impl.headers.contains("transfer-encoding")) {
        throw ProtocolError::lasting("the answer has a transfer coding that was not asked for: " +
                                     std::string(impl.headers.value("transfer-encoding")));
    }
    if (!impl.done && !impl.chunked && !impl.until_eof) impl.left = impl.grammar->content_length().value_or(0);
    return taken;
}

bool Http1Parser::head_done() const noexcept { return impl_->head_done; }
int Http1Parser::status() const noexcept { return impl_->grammar->status; }
Headers& Http1Parser::headers() noexcept { return impl_->headers; }
bool Http1Parser::body_done() const noexcept { return impl_->done; }
bool Http1Parser::keep_alive() const noexcept { return impl_->grammar->keep_alive(); }

Http1Parser::Progress Http1Parser::read_body(std::span<const std::byte> in, std::span<std::byte> out) {
    Impl& impl = *impl_;
    if (!impl.chunked) {
        std::size_t n = std::min(in.size(), out.size());
        if (!impl.until_eof) n = std::min<std::uint64_t>(n, impl.left);
        if (n > 0) std::memcpy(out.data(), in.data(), n);
        skip_body(n);
        return {n, n};
    }
    Progress progress;
    impl.grammar->out = out;
    impl.grammar->written = 0;
    while (progress.taken < in.size() && impl.grammar->written < out.size() && !impl.done) {
        boost::system::error_code error;
        const auto rest = in.subspan(progress.taken);
        const std::size_t taken = impl.grammar->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
        progress.taken += taken;
        impl.done = impl.grammar->is_done();
        if (error == beast::http::error::need_more) break;
        if (error) throw_malformed(error);
    }
    progress.written = impl.grammar->written;
    return progress;
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
