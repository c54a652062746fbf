#include "http/h2_session.hpp"

#include <hfhub/error.hpp>

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hfhub::http {

namespace {

constexpr std::int32_t stream_window = 1 << 20;       // before a stream shows that it is long
constexpr std::int32_t long_stream_window = 8 << 20;  // covers 100 ms at 80 MB/s
constexpr std::int32_t connection_window = 32 << 20;  // a stalled stream never holds up the others
constexpr std::size_t max_header_bytes = 64 * 1024;
constexpr std::size_t max_header_fields = 256;
constexpr std::size_t max_request_header_bytes = 64 * 1024;  // nghttp2 sends no more
constexpr int max_interim_answers = 20;

// Frames that carry nothing cost work each. Window updates come in bursts, one for each frame of an upload.
constexpr std::size_t window_update_cost = 1, overhead_cost = 25;
constexpr std::size_t max_overhead = 20'000;  // 800 frames; nghttp2 itself gives up at 1000 answers it owes
constexpr std::chrono::seconds overhead_window{10};

// Servers count resets since CVE-2023-44487: Netty takes 200 in 30 s, Envoy 500 in all, nghttp2 1000 at once.
constexpr std::size_t max_resets = 100;
constexpr std::chrono::seconds reset_window{30};

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

// RFC 9113 8.2.1 forbids white space around a value, but servers copy it from HTTP/1.1, where it means nothing.
std::string_view trimmed(std::string_view value) {
    const std::size_t begin = value.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return value.substr(begin, value.find_last_not_of(" \t") + 1 - begin);
}

nghttp2_nv field(std::string_view name, std::string_view value) {
    // What differs in every request would only push the others out of the compression table (RFC 7541 7.1.3).
    const bool unique = name == "x-amzn-trace-id" || name == "range" || name == "content-length";
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            static_cast<std::uint8_t>(unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)};
}

// RFC 9113 8.2.2: these belong to HTTP/1.1 connections.
bool is_connection_specific(std::string_view name) {
    return name == "connection" || name == "host" || name == "keep-alive" || name == "proxy-connection" ||
           name == "transfer-encoding" || name == "upgrade" || name == "content-length";
}

H2Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

}  // namespace

struct H2Session::Callbacks {
    static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                         void*) {
        H2Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream == nullptr || stream->headers_done) return 0;  // released, or trailers, which carry nothing for us
        const std::string_view key = view(name, name_size);
        if (key == ":status") {
            // An interim answer (1xx) came before: what it said is over.
            stream->headers.clear();
            if (stream->status != 0 && ++stream->interim_answers_ > max_interim_answers) {
                stream->violation = "the server sends interim answers without end";
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
            }
            stream->status = 0;
            std::from_chars(reinterpret_cast<const char*>(value), reinterpret_cast<const char*>(value) + value_size,
                            stream->status);
            return 0;
        }
        stream->header_bytes_ += name_size + value_size;
        if (stream->header_bytes_ > max_header_bytes || stream->headers.size() >= max_header_fields) {
            stream->violation = "the answer's headers are larger than 64 KiB or 256 fields";
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        stream->headers.add(key, trimmed(view(value, value_size)));
        return 0;
    }

    // Without this the field would be missing in silence.
    static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                                 const std::uint8_t*, std::size_t, std::uint8_t, void*) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* data) {
        if (head->type == NGHTTP2_DATA && head->length > 0) return 0;
        const bool window = head->type == NGHTTP2_WINDOW_UPDATE;
        const bool fine = static_cast<H2Session*>(data)->endure(window ? window_update_cost : overhead_cost);
        return fine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    }

    static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
        auto* self = static_cast<H2Session*>(data);
        if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            self->settled_ = self->settings_news_ = true;
        }
        if (frame->hd.type == NGHTTP2_GOAWAY) {
            self->going_away_ = true;
            if (frame->goaway.error_code == NGHTTP2_HTTP_1_1_REQUIRED) self->http1_required_ = true;
            self->goaway_error_ = frame->goaway.error_code;
            self->last_processed_ = frame->goaway.last_stream_id;
        }
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
        const bool padding_only =
            frame->hd.type == NGHTTP2_DATA && frame->hd.length > 0 && frame->hd.length == frame->data.padlen;
        if (padding_only && !self->endure(overhead_cost)) return NGHTTP2_ERR_CALLBACK_FAILURE;
        H2Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream == nullptr) return 0;
        if (frame->hd.type == NGHTTP2_HEADERS) self->overhead_ = 0;
        if (frame->hd.type == NGHTTP2_HEADERS && stream->status >= 200) stream->headers_done = true;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->ended = true;
        self->note(*stream);
        return 0;
    }

    static int on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                             std::size_t size, void* data) {
        auto* self = static_cast<H2Session*>(data);
        // The connection's credit returns at once: only the stream that is not read is held back.
        nghttp2_session_consume_connection(session, size);
        H2Stream* stream = stream_of(session, id);
        self->overhead_ = 0;
        if (stream == nullptr) return 0;
        stream->received_bytes += size;
        auto rest = std::as_bytes(std::span(bytes, size));
        if (stream->received.empty() && stream->delivered < stream->destination.size()) {
            const std::size_t n = std::min(rest.size(), stream->destination.size() - stream->delivered);
            std::memcpy(stream->destination.data() + stream->delivered, rest.data(), n);
            stream->delivered += n;
            rest = rest.subspan(n);
            nghttp2_session_consume_stream(session, id, n);
        }
        if (!rest.empty()) stream->received.append(rest);
        // Only for who reads: what nobody takes stays within the smaller window.
        if (!stream->window_raised_ && stream->received_bytes - stream->received.size() > stream_window / 2) {
            stream->window_raised_ = true;
            nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, id, long_stream_window);
        }
        self->note(*stream);
        return 0;
    }

    static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error_code, void* data) {
        auto* self = static_cast<H2Session*>(data);
        if (self->abandoned_.erase(id) == 0) --self->open_streams_;
        H2Stream* stream = stream_of(session, id);
        if (stream == nullptr) return 0;
        stream->closed = true;
        if (error_code == NGHTTP2_HTTP_1_1_REQUIRED) self->http1_required_ = true;
        if (error_code == NGHTTP2_REFUSED_STREAM) stream->unprocessed = true;
        stream->error_code = stream->unprocessed ? std::uint32_t{NGHTTP2_REFUSED_STREAM} : error_code;
        self->note(*stream);
        return 0;
    }

    static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
        if (frame->hd.type == NGHTTP2_GOAWAY) {
            const std::string_view why = view(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
            static_cast<H2Session*>(data)->note_end(frame->goaway.error_code, why);
        }
        if (frame->hd.type != NGHTTP2_HEADERS) return 0;
        if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) stream->request_sent_ = true;
        return 0;
    }

    static int on_error(nghttp2_session*, int error, const char* text, std::size_t size, void* data) {
        if (error == NGHTTP2_ERR_HTTP_HEADER) return 0;  // the text repeats the field, which may be a secret
        static_cast<H2Session*>(data)->failure_.assign(text, size);
        return 0;
    }

    static int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int error, void* data) {
        auto* self = static_cast<H2Session*>(data);
        H2Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream != nullptr && stream->violation.empty()) stream->violation = nghttp2_strerror(error);
        if (frame->hd.stream_id == 0) self->failure_ = nghttp2_strerror(error);
        return 0;
    }

    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t size, std::uint32_t* flags,
                             nghttp2_data_source* source, void* data) {
        auto* stream = static_cast<H2Stream*>(source->ptr);
        const std::size_t n = std::min(size, stream->outgoing.size());
        if (n == 0 && !stream->last_outgoing) {
            stream->deferred = true;
            static_cast<H2Session*>(data)->note(*stream);
            return NGHTTP2_ERR_DEFERRED;
        }
        if (n > 0) std::memcpy(out, stream->outgoing.data(), n);
        if (n > 0) static_cast<H2Session*>(data)->overhead_ = 0;
        stream->outgoing = stream->outgoing.subspan(n);
        if (stream->outgoing.empty()) {
            if (stream->last_outgoing) {
                *flags |= NGHTTP2_DATA_FLAG_EOF;
                stream->body_sent = true;
            }
            static_cast<H2Session*>(data)->note(*stream);
        }
        return static_cast<ssize_t>(n);
    }

    static nghttp2_session_callbacks* table() {
        static nghttp2_session_callbacks* const made = [] {
            nghttp2_session_callbacks* callbacks = nullptr;
            if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
            nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
            nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
            nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
            nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
            nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
            nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
            nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
            nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
            return callbacks;
        }();
        return made;
    }
};

// What nghttp2 tells the peer is all that it tells of some violations.
void H2Session::note_end(std::uint32_t code, std::string_view why) {
    if (!failure_.empty() || code == NGHTTP2_NO_ERROR) return;
    failure_ = nghttp2_http2_strerror(code);
    if (!why.empty()) failure_.append(": ").append(why);
}

H2Session::H2Session() {
    nghttp2_option* option = nullptr;
    if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    const int failed = nghttp2_session_client_new3(&session_, Callbacks::table(), this, option, memory_.functions());
    nghttp2_option_del(option);
    if (failed != 0) throw std::bad_alloc();
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, max_header_bytes}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
}

H2Session::~H2Session() {
    nghttp2_session_del(session_);
    quiet_.clear();
    news_.clear();
}

void H2Session::submit(H2Stream& stream, const Request& request, bool with_body,
                       std::optional<std::uint64_t> content_length) {
    const std::string authority = request.url.authority();
    const std::string joined = request.url.query.empty() ? std::string() : request.url.target();
    const std::string_view target = joined.empty() ? request.url.path : joined;
    const std::string length = content_length ? std::to_string(*content_length) : std::string();
    thread_local std::vector<nghttp2_nv> fields;
    fields.clear();
    fields.push_back(field(":method", to_string(request.method)));
    fields.push_back(field(":scheme", request.url.scheme));
    fields.push_back(field(":authority", authority));
    fields.push_back(field(":path", target));
    for (const Headers::Field one : request.headers) {
        if (!is_connection_specific(one.name)) fields.push_back(field(one.name, one.value));
    }
    if (content_length) fields.push_back(field("content-length", length));
    std::size_t size = 12;
    for (const nghttp2_nv& one : fields) size += one.namelen + one.valuelen + 12;  // as nghttp2 counts
    if (size > max_request_header_bytes) {
        throw ProtocolError::lasting("the request's header fields are larger than the 64 KiB that HTTP/2 servers take");
    }
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = Callbacks::read_body;
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                                   with_body ? &provider : nullptr, &stream);
    if (id < 0) throw ProtocolError(std::string("cannot open an HTTP/2 stream: ") + nghttp2_strerror(id));
    stream.id = id;
    stream.body_sent = !with_body;
    quiet_.push_back(stream);
    ++open_streams_;
}

void H2Session::resume(H2Stream& stream) {
    if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.id);
}

void H2Session::release(H2Stream& stream) noexcept {
    stream.unlink_if_linked();
    if (stream.id < 0 || stream.closed) return;
    nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
    const std::size_t unread = stream.received.size();
    if (unread > 0) nghttp2_session_consume_stream(session_, stream.id, unread);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
    stream.closed = true;
    if (!stream.request_sent_) {
        // The peer's limit may keep it in the queue for long, but it is nobody's request any more.
        abandoned_.insert(stream.id);
        --open_streams_;
    } else {
        count_reset();
    }
}

void H2Session::count_reset() {
    const auto now = std::chrono::steady_clock::now();
    if (resets_ == 0 || now - resets_since_ > reset_window) {
        resets_since_ = now;
        resets_ = 0;
    }
    if (++resets_ >= max_resets) worn_out_ = true;
}

// Whether the peer may go on. The clock is looked at only when many such frames came.
bool H2Session::endure(std::size_t cost) {
    overhead_ += cost;
    if (overhead_ <= max_overhead) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now - overhead_since_ < overhead_window) {
        failure_ = "it floods the connection with frames that carry nothing";
        return false;
    }
    overhead_since_ = now;
    overhead_ = 0;
    return true;
}

void H2Session::consumed(H2Stream& stream, std::size_t bytes) {
    if (!stream.closed && bytes > 0) nghttp2_session_consume_stream(session_, stream.id, bytes);
}

void H2Session::receive(std::span<const std::byte> bytes) {
    const ssize_t taken =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken >= 0) return;
    const std::string reason = failure_.empty() ? nghttp2_strerror(static_cast<int>(taken)) : failure_;
    // What ends parsing, rather than one stream or with a GOAWAY of its own, is a flood.
    const bool ours = taken == NGHTTP2_ERR_NOMEM;
    nghttp2_session_terminate_session(session_, ours ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
    throw ProtocolError("the peer broke HTTP/2: " + reason);
}

void H2Session::produce(std::vector<std::byte>& out, std::size_t limit) {
    while (out.size() < limit) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
        if (size < 0)
            throw ProtocolError(std::string("HTTP/2 cannot send: ") + nghttp2_strerror(static_cast<int>(size)));
        if (size == 0) return;
        const auto piece = std::as_bytes(std::span(bytes, static_cast<std::size_t>(size)));
        out.insert(out.end(), piece.begin(), piece.end());
    }
}

bool H2Session::wants_write() const { return nghttp2_session_want_write(session_) != 0; }

void H2Session::ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

void H2Session::terminate() {
    terminated_ = true;
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
}

bool H2Session::broken() const {
    if (terminated_ || (going_away_ && open_streams_ == 0)) return false;
    return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void H2Session::deliver() {
    while (!news_.empty()) {
        H2Stream& stream = news_.front();
        news_.pop_front();
        stream.has_news_ = false;
        if (!stream.closed) quiet_.push_back(stream);
        stream.on_news();
    }
}

void H2Session::fail_all(const std::string& reason) {
    failure_ = reason;
    going_away_ = true;
    while (!quiet_.empty()) note(quiet_.front());
    for (H2Stream& stream : news_) {
        stream.closed = true;
        if (!stream.request_sent_) stream.unprocessed = true;
    }
    open_streams_ = 0;
    deliver();
}

std::size_t H2Session::free_slots() const noexcept {
    if (going_away_ || http1_required_ || worn_out_ || nghttp2_session_check_request_allowed(session_) == 0) return 0;
    std::size_t limit = expected_slots_;
    if (settled_) limit = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return limit > open_streams_ ? limit - open_streams_ : 0;
}

std::optional<std::size_t> H2Session::take_new_limit() noexcept {
    if (!std::exchange(settings_news_, false)) return std::nullopt;
    return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void H2Session::note(H2Stream& stream) {
    if (std::exchange(stream.has_news_, true)) return;
    stream.unlink_if_linked();
    news_.push_back(stream);
}

}  // namespace hfhub::http
