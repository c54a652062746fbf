#include "protocol.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace hfhub::local_hub {

namespace {

constexpr std::size_t max_header_bytes = 64 * 1024;
constexpr std::size_t max_unanswered_bytes = 256 * 1024;
constexpr std::size_t chunk_head_bytes = 10;  // eight digits and CRLF
constexpr std::size_t body_piece_bytes = 64 * 1024;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c > 32 && c < 127 &&
               std::string_view("()<>@,;:\\\"/[]?={}").find(static_cast<char>(c)) == std::string_view::npos;
    });
}

class Http1 final : public Protocol {
  public:
    explicit Http1(const Carrier& carrier) : carrier_(carrier), delay_(carrier.executor) {
        ++carrier_.statistics.http1_connections;
    }
    ~Http1() override {
        *alive_ = false;
        if (phase_ == Phase::head) return;
        --carrier_.statistics.streams_open;
        ++carrier_.statistics.responses_abandoned;
    }

    void receive(std::string_view bytes) override {
        input_.append(bytes);
        advance();
    }
    void produce(OutputBuffer& out, std::size_t target) override;
    bool accepts_input() const override { return input_.size() < max_unanswered_bytes; }
    Ending ending() const override { return ending_; }

  private:
    enum class Phase { head, sized_body, chunk_head, chunk_data, chunk_end, trailers, answering };
    enum class Framing { none, sized, chunked, to_close };

    void advance();
    bool read_head();
    bool parse_head(std::string_view head);
    bool parse_fields(std::string_view fields);
    bool choose_body();
    bool read_sized();
    bool read_chunk_head();
    bool read_chunk_end();
    bool read_trailers();
    void take_body(std::string_view bytes);
    void refuse(int status, std::string_view why);
    void answer();
    void start(Response response);
    void write_head(const Response& response);
    void finish();

    Carrier carrier_;
    boost::asio::steady_timer delay_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::string input_;
    std::size_t used_ = 0;  ///< Bytes of input_ already dealt with.
    std::string head_;      ///< Status line and fields to be sent.
    Phase phase_ = Phase::head;
    Framing framing_ = Framing::none;
    bool keep_alive_ = true, http10_ = false;
    bool started_ = false;    ///< The final response's head has been written to head_.
    bool body_open_ = false;  ///< The response's body is not at its end.
    Ending ending_ = Ending::none;
    std::uint64_t missing_ = 0;
    Request request_;
    std::unique_ptr<BodySink> sink_;
    OutgoingBody body_;
};

void Http1::advance() {
    bool again = true;
    while (again && ending_ == Ending::none) {
        switch (phase_) {
            case Phase::head:
                again = read_head();
                break;
            case Phase::sized_body:
            case Phase::chunk_data:
                again = read_sized();
                break;
            case Phase::chunk_head:
                again = read_chunk_head();
                break;
            case Phase::chunk_end:
                again = read_chunk_end();
                break;
            case Phase::trailers:
                again = read_trailers();
                break;
            case Phase::answering:
                again = false;
                break;
        }
    }
    input_.erase(0, used_);
    used_ = 0;
}

void Http1::refuse(int status, std::string_view why) {
    if (phase_ == Phase::head) ++carrier_.statistics.streams_open;
    phase_ = Phase::answering;
    keep_alive_ = false;
    start(text_response(std::string(why), status));
}

bool Http1::read_head() {
    std::string_view rest = std::string_view(input_).substr(used_);
    while (rest.starts_with("\r\n")) {  // RFC 9112 2.2: blank lines before a request
        rest.remove_prefix(2);
        used_ += 2;
    }
    std::size_t end = rest.find("\r\n\r\n");
    if (end == rest.npos) {
        if (rest.size() > max_header_bytes) refuse(431, "the header section is too large");
        return false;
    }
    used_ += end + 4;
    if (!parse_head(rest.substr(0, end + 2))) return false;
    ++carrier_.statistics.streams_open;
    ++carrier_.statistics.http1_requests;
    return choose_body();
}

bool Http1::parse_head(std::string_view head) {
    std::size_t line_end = head.find("\r\n");
    std::string_view line = head.substr(0, line_end);
    std::size_t first = line.find(' ');
    std::size_t last = line.rfind(' ');
    request_ = Request();
    request_.site = carrier_.site;
    request_.scheme = carrier_.scheme;
    if (first == line.npos || first == last || !is_token(line.substr(0, first))) {
        refuse(400, "no request line");
        return false;
    }
    std::string_view version = line.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        refuse(505, "neither HTTP/1.1 nor HTTP/1.0");
        return false;
    }
    http10_ = version == "HTTP/1.0";
    request_.method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, last - first - 1);
    if (std::size_t scheme = target.find("://"); scheme != target.npos && !target.starts_with('/')) {
        std::size_t slash = target.find('/', scheme + 3);
        target = slash == target.npos ? std::string_view("/") : target.substr(slash);
    }
    request_.set_target(target);
    return parse_fields(head.substr(line_end + 2));
}

bool Http1::parse_fields(std::string_view fields) {
    while (!fields.empty()) {
        std::size_t end = fields.find("\r\n");
        std::string_view line = fields.substr(0, end);
        fields.remove_prefix(end + 2);
        std::size_t colon = line.find(':');
        if (colon == line.npos || !is_token(line.substr(0, colon))) {
            refuse(400, "a malformed header field");
            return false;
        }
        request_.headers.emplace_back(lower_case(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1))));
    }
    request_.authority = request_.header("host");
    if (request_.authority.empty() && !http10_) {
        refuse(400, "no Host field");
        return false;
    }
    return true;
}

bool Http1::choose_body() {
    std::string connection = lower_case(request_.header("connection"));
    keep_alive_ =
        http10_ ? connection.find("keep-alive") != connection.npos : connection.find("close") == connection.npos;
    std::string_view length = request_.header("content-length");
    std::string coding = lower_case(request_.header("transfer-encoding"));
    phase_ = Phase::sized_body;
    missing_ = 0;
    if (!coding.empty()) {
        if (coding != "chunked" || !length.empty()) return refuse(400, "a body framed in an ambiguous way"), false;
        phase_ = Phase::chunk_head;
    } else if (!length.empty()) {
        auto parsed = std::from_chars(length.data(), length.data() + length.size(), missing_);
        if (parsed.ec != std::errc{} || parsed.ptr != length.data() + length.size()) {
            return refuse(400, "Content-Length is no number"), false;
        }
    }
    bool has_body = phase_ == Phase::chunk_head || missing_ > 0;
    if (has_body && lower_case(request_.header("expect")) == "100-continue") {
        if (carrier_.service.refuses_early(request_)) {
            keep_alive_ = false;
            answer();
            return false;
        }
        head_ += "HTTP/1.1 100 Continue\r\n\r\n";
        carrier_.wake();
    }
    if (has_body) sink_ = carrier_.service.sink_for(request_);
    return true;
}

void Http1::take_body(std::string_view bytes) {
    if (sink_) {
        sink_->write(bytes);
    } else {
        request_.body.append(bytes);
    }
}

bool Http1::read_sized() {
    std::size_t size = std::min<std::uint64_t>(missing_, input_.size() - used_);
    take_body(std::string_view(input_).substr(used_, size));
    used_ += size;
    missing_ -= size;
    if (missing_ > 0) return false;
    if (phase_ == Phase::chunk_data) {
        phase_ = Phase::chunk_end;
        return true;
    }
    answer();
    return false;
}

bool Http1::read_chunk_head() {
    std::string_view rest = std::string_view(input_).substr(used_);
    std::size_t end = rest.find("\r\n");
    if (end == rest.npos) return false;
    std::string_view digits = trimmed(rest.substr(0, std::min(rest.find(';'), end)));
    auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), missing_, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
        return refuse(400, "a chunk size is no number"), false;
    }
    used_ += end + 2;
    phase_ = missing_ > 0 ? Phase::chunk_data : Phase::trailers;
    return true;
}

bool Http1::read_chunk_end() {
    std::string_view rest = std::string_view(input_).substr(used_);
    if (rest.size() < 2) return false;
    if (!rest.starts_with("\r\n")) return refuse(400, "a chunk does not end where its size says"), false;
    used_ += 2;
    phase_ = Phase::chunk_head;
    return true;
}

bool Http1::read_trailers() {
    std::string_view rest = std::string_view(input_).substr(used_);
    std::size_t end = rest.find("\r\n");
    if (end == rest.npos) return false;
    used_ += end + 2;
    if (end > 0) return true;
    answer();
    return false;
}

void Http1::answer() {
    phase_ = Phase::answering;
    Response response = carrier_.service.respond(request_, std::move(sink_));
    if (response.delay.count() == 0) return start(std::move(response));
    delay_.expires_after(response.delay);
    auto held = std::make_shared<Response>(std::move(response));
    delay_.async_wait([this, alive = alive_, held](const boost::system::error_code& error) {
        if (!error && *alive) start(std::move(*held));
    });
}

void Http1::start(Response response) {
    auto length = response.length();
    bool bodiless = request_.method == "HEAD" || response.status == 204 || response.status == 304;
    framing_ = bodiless ? Framing::none : length ? Framing::sized : http10_ ? Framing::to_close : Framing::chunked;
    if (framing_ == Framing::to_close) keep_alive_ = false;
    write_head(response);
    started_ = true;
    body_ = OutgoingBody(response);
    body_open_ = framing_ != Framing::none && (framing_ != Framing::sized || *length > 0);
    body_.attach(carrier_.executor, carrier_.wake);
    carrier_.wake();
}

void Http1::write_head(const Response& response) {
    head_.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    head_.append(reason_phrase(response.status)).append("\r\ndate: ").append(http_date()).append("\r\n");
    for (const auto& [name, value] : response.headers) {
        head_.append(name).append(": ").append(value).append("\r\n");
    }
    auto length = response.length();
    if (framing_ == Framing::chunked) {
        head_ += "transfer-encoding: chunked\r\n";
    } else if (length && response.status != 204 && response.status != 304) {
        head_.append("content-length: ").append(std::to_string(*length)).append("\r\n");
    }
    if (!keep_alive_) head_ += "connection: close\r\n";
    head_ += "\r\n";
}

void Http1::produce(OutputBuffer& out, std::size_t target) {
    if (!head_.empty()) {
        out.append(head_);
        head_.clear();
        if (started_ && !body_open_) return finish();
    }
    while (body_open_ && out.size() < target && ending_ == Ending::none) {
        bool chunked = framing_ == Framing::chunked;
        std::size_t before = chunked ? chunk_head_bytes : 0;
        char* room = out.room(before + body_piece_bytes + 7);
        auto part = body_.read(std::span(room + before, body_piece_bytes));
        if (part.size > 0) {
            if (chunked) {
                std::snprintf(room, chunk_head_bytes, "%08x", static_cast<unsigned>(part.size));
                // snprintf ends with a zero where the line ends; both bytes of the line's end follow.
                std::memcpy(room + 8, "\r\n", 2);
                std::memcpy(room + before + part.size, "\r\n", 2);
            }
            out.commit(part.size + (chunked ? before + 2 : 0));
        }
        if (part.state == OutgoingBody::State::waiting) return;
        if (part.state == OutgoingBody::State::cut) ending_ = Ending::close;
        if (part.state == OutgoingBody::State::reset) ending_ = Ending::abort;
        if (part.state != OutgoingBody::State::end) continue;
        if (chunked) out.append("0\r\n\r\n");
        return finish();
    }
}

void Http1::finish() {
    started_ = body_open_ = false;
    body_ = OutgoingBody();
    phase_ = Phase::head;
    --carrier_.statistics.streams_open;
    if (!keep_alive_) {
        ending_ = Ending::close;
        return;
    }
    if (!input_.empty()) advance();
}

}  // namespace

std::unique_ptr<Protocol> make_http1(const Carrier& carrier) { return std::make_unique<Http1>(carrier); }

}  // namespace hfhub::local_hub
