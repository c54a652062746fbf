#include "protocol.hpp"

#include <boost/asio/steady_timer.hpp>
#include <nghttp2/nghttp2.h>

#include <cstdio>
#include <map>

namespace hfhub::local_hub {

namespace {

constexpr std::uint32_t stream_window = 4 * 1024 * 1024;
constexpr std::int32_t connection_window = 16 * 1024 * 1024;
constexpr std::uint32_t max_streams = 1000;
constexpr std::size_t max_header_bytes = 64 * 1024;

struct Stream {
    explicit Stream(std::int32_t stream_id) : id(stream_id) {}
    std::int32_t id;
    Request request;
    std::size_t header_bytes = 0;
    std::unique_ptr<BodySink> sink;
    OutgoingBody body;
    std::unique_ptr<boost::asio::steady_timer> delay;
    std::shared_ptr<Response> delayed;
    bool answered = false;
};

class Http2 final : public Protocol {
  public:
    explicit Http2(const Carrier& carrier);
    ~Http2() override;

    void receive(std::string_view bytes) override;
    void produce(OutputBuffer& out, std::size_t target) override;
    bool accepts_input() const override { return true; }
    Ending ending() const override { return ending_; }

  private:
    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self);
    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self);
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self);
    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                       void* self);
    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error_code, void* self);
    static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* room, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source*, void* self);

    Stream* find(std::int32_t id);
    void headers_complete(Stream& stream);
    void answer(Stream& stream);
    void start(Stream& stream, Response response);

    Carrier carrier_;
    nghttp2_session* session_ = nullptr;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
    Ending ending_ = Ending::none;
};

Http2::Http2(const Carrier& carrier) : carrier_(carrier) {
    ++carrier_.statistics.http2_connections;
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
}

Http2::~Http2() {
    *alive_ = false;
    carrier_.statistics.streams_open -= streams_.size();
    carrier_.statistics.responses_abandoned += streams_.size();
    nghttp2_session_del(session_);
}

Stream* Http2::find(std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

void Http2::receive(std::string_view bytes) {
    auto taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken < 0) ending_ = Ending::close;
    carrier_.wake();
}

void Http2::produce(OutputBuffer& out, std::size_t target) {
    while (out.size() < target) {
        const std::uint8_t* data = nullptr;
        auto size = nghttp2_session_mem_send(session_, &data);
        if (size < 0) ending_ = Ending::close;
        if (size <= 0) break;
        out.append({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
        if (ending_ != Ending::none) break;
    }
    if (!nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_) && ending_ == Ending::none) {
        ending_ = Ending::close;
    }
}

int Http2::on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
    auto& connection = *static_cast<Http2*>(self);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_unique<Stream>(frame->hd.stream_id);
    stream->request.site = connection.carrier_.site;
    stream->request.scheme = connection.carrier_.scheme;
    stream->request.headers.reserve(8);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream.get());
    connection.streams_.emplace(frame->hd.stream_id, std::move(stream));
    ++connection.carrier_.statistics.streams_open;
    ++connection.carrier_.statistics.http2_requests;
    return 0;
}

int Http2::on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                     const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
    Stream* stream = static_cast<Http2*>(self)->find(frame->hd.stream_id);
    if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    std::string_view key(reinterpret_cast<const char*>(name), name_size);
    std::string_view text(reinterpret_cast<const char*>(value), value_size);
    stream->header_bytes += name_size + value_size + 32;
    if (stream->header_bytes > max_header_bytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Request& request = stream->request;
    if (key == ":method") {
        request.method = text;
    } else if (key == ":path") {
        request.set_target(text);
    } else if (key == ":authority" || (key == "host" && request.authority.empty())) {
        request.authority = text;
    } else if (!key.starts_with(':')) {
        request.headers.emplace_back(key, text);
    }
    return 0;
}

int Http2::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& connection = *static_cast<Http2*>(self);
    Stream* stream = frame->hd.stream_id > 0 ? connection.find(frame->hd.stream_id) : nullptr;
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) ++connection.carrier_.statistics.streams_reset_by_client;
    bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!headers && frame->hd.type != NGHTTP2_DATA) return 0;
    if (headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST) connection.headers_complete(*stream);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) connection.answer(*stream);
    return 0;
}

void Http2::headers_complete(Stream& stream) {
    if (stream.request.header("expect") == "100-continue" && !stream.answered) {
        if (carrier_.service.refuses_early(stream.request)) return answer(stream);
        char status[] = ":status", code[] = "100";
        nghttp2_nv field{reinterpret_cast<std::uint8_t*>(status), reinterpret_cast<std::uint8_t*>(code), 7, 3,
                         NGHTTP2_NV_FLAG_NONE};
        nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &field, 1, nullptr);
    }
    stream.sink = carrier_.service.sink_for(stream.request);
}

int Http2::on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                   void* self) {
    Stream* stream = static_cast<Http2*>(self)->find(id);
    if (!stream || stream->answered) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (stream->sink) {
        stream->sink->write(bytes);
    } else {
        stream->request.body.append(bytes);
    }
    return 0;
}

int Http2::on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t, void* self) {
    auto& connection = *static_cast<Http2*>(self);
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    if (connection.streams_.erase(id) > 0) --connection.carrier_.statistics.streams_open;
    return 0;
}

void Http2::answer(Stream& stream) {
    if (stream.answered) return;
    stream.answered = true;
    Response response = carrier_.service.respond(stream.request, std::move(stream.sink));
    if (response.delay.count() == 0) return start(stream, std::move(response));
    stream.delayed = std::make_shared<Response>(std::move(response));
    stream.delay = std::make_unique<boost::asio::steady_timer>(carrier_.executor, stream.delayed->delay);
    stream.delay->async_wait([this, alive = alive_, id = stream.id](const boost::system::error_code& error) {
        if (error || !*alive) return;
        if (Stream* waiting = find(id)) start(*waiting, std::move(*waiting->delayed));
        carrier_.wake();
    });
}

void Http2::start(Stream& stream, Response response) {
    auto length = response.length();
    bool bodiless = stream.request.method == "HEAD" || response.status == 204 || response.status == 304 || length == 0U;
    std::vector<nghttp2_nv> fields;
    fields.reserve(response.headers.size() + 3);
    auto add = [&](std::string_view name, std::string_view value) {
        // What is another in every response would only push the rest out of the compression table.
        bool unique = name == "x-request-id" || name == "content-length";
        // nghttp2 copies both before it returns and writes to neither.
        fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                          static_cast<std::uint8_t>(unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
    };
    std::string status = std::to_string(response.status);
    std::string length_text = length ? std::to_string(*length) : "";
    add(":status", status);
    add("date", http_date());
    for (const auto& [name, value] : response.headers) add(name, value);
    if (length && response.status != 204 && response.status != 304) add("content-length", length_text);
    nghttp2_data_provider provider{{0}, read_body};
    nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(), bodiless ? nullptr : &provider);
    stream.body = OutgoingBody(response);
    if (bodiless) return;
    stream.body.attach(carrier_.executor, [this, alive = alive_, id = stream.id] {
        if (!*alive) return;
        nghttp2_session_resume_data(session_, id);
        carrier_.wake();
    });
}

ssize_t Http2::read_body(nghttp2_session*, std::int32_t id, std::uint8_t* room, std::size_t size, std::uint32_t* flags,
                         nghttp2_data_source*, void* self) {
    auto& connection = *static_cast<Http2*>(self);
    Stream* stream = connection.find(id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    auto part = stream->body.read(std::span(reinterpret_cast<char*>(room), size));
    switch (part.state) {
        case OutgoingBody::State::end:
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            break;
        case OutgoingBody::State::cut:
            connection.ending_ = Ending::close;
            return NGHTTP2_ERR_DEFERRED;
        case OutgoingBody::State::reset:
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        case OutgoingBody::State::waiting:
            if (part.size == 0) return NGHTTP2_ERR_DEFERRED;
            break;
        case OutgoingBody::State::more:
            break;
    }
    return static_cast<ssize_t>(part.size);
}

}  // namespace

std::unique_ptr<Protocol> make_http2(const Carrier& carrier) { return std::make_unique<Http2>(carrier); }

}  // namespace hfhub::local_hub
