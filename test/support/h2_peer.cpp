#include "h2_peer.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace hfhub::test {

namespace {

std::vector<nghttp2_nv> fields_of(const H2Peer::Fields& fields) {
    std::vector<nghttp2_nv> out;
    for (const auto& [name, value] : fields) {
        out.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                       NGHTTP2_NV_FLAG_NONE});
    }
    return out;
}

std::vector<nghttp2_settings_entry> entries_of(const H2Peer::Settings& settings) {
    std::vector<nghttp2_settings_entry> out;
    for (const auto& [id, value] : settings) out.push_back({id, value});
    return out;
}

}  // namespace

struct H2Peer::Callbacks {
    static Exchange& exchange(void* data, std::int32_t id) {
        Exchange& found = static_cast<H2Peer*>(data)->exchanges[id];
        found.id = id;
        return found;
    }

    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* data) {
        exchange(data, frame->hd.stream_id)
            .fields.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                                 std::string(reinterpret_cast<const char*>(value), value_size));
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
        auto* self = static_cast<H2Peer*>(data);
        if (frame->hd.type == NGHTTP2_GOAWAY) self->goaway = frame->goaway.error_code;
        if (frame->hd.type == NGHTTP2_RST_STREAM) {
            exchange(data, frame->hd.stream_id).reset = frame->rst_stream.error_code;
        }
        if (frame->hd.type == NGHTTP2_HEADERS) exchange(data, frame->hd.stream_id).headers_done = true;
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            Exchange& one = exchange(data, frame->hd.stream_id);
            one.ended = true;
            if (self->on_request) self->on_request(one);
        }
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                       void* data) {
        auto* self = static_cast<H2Peer*>(data);
        exchange(data, id).body.append(reinterpret_cast<const char*>(bytes), size);
        if (self->hold_windows_) self->held_[id] += size;
        return 0;
    }

    static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* data) {
        exchange(data, id).closed = true;
        return 0;
    }

    static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* out, std::size_t size,
                        std::uint32_t* flags, nghttp2_data_source*, void* data) {
        Exchange& one = exchange(data, id);
        const std::size_t n = std::min(size, one.outgoing.size());
        if (n == 0 && !one.last_outgoing) return NGHTTP2_ERR_DEFERRED;
        std::memcpy(out, one.outgoing.data(), n);
        one.outgoing.erase(0, n);
        if (one.outgoing.empty() && one.last_outgoing) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (!one.trailers.empty()) {
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                const auto fields = fields_of(one.trailers);
                nghttp2_submit_trailer(session, id, fields.data(), fields.size());
            }
        }
        return static_cast<ssize_t>(n);
    }
};

std::string H2Peer::Exchange::field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (key == name) return value;
    }
    return {};
}

H2Peer::H2Peer(const Settings& settings, bool hold_windows) : hold_windows_(hold_windows) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, hold_windows ? 1 : 0);
    nghttp2_option_set_no_http_messaging(option, 1);  // tests send broken messages too
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    nghttp2_session_server_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    send_settings(settings);
}

H2Peer::~H2Peer() { nghttp2_session_del(session_); }

void H2Peer::receive(std::string_view bytes) {
    const ssize_t taken =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken < 0) throw std::runtime_error(nghttp2_strerror(static_cast<int>(taken)));
}

std::string H2Peer::take() {
    std::string out;
    for (;;) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
        if (size <= 0) return out;
        out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
}

void H2Peer::interim(std::int32_t id, int status, const Fields& fields) {
    Fields all = {{":status", std::to_string(status)}};
    all.insert(all.end(), fields.begin(), fields.end());
    const auto list = fields_of(all);
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, list.data(), list.size(), nullptr);
}

void H2Peer::respond(std::int32_t id, int status, const Fields& fields, std::string_view body, bool end) {
    Fields all = {{":status", std::to_string(status)}};
    all.insert(all.end(), fields.begin(), fields.end());
    const auto list = fields_of(all);
    Exchange& one = exchanges[id];
    one.outgoing = body;
    one.last_outgoing = end;
    nghttp2_data_provider provider{};
    provider.read_callback = Callbacks::read;
    const bool headers_only = end && body.empty();
    nghttp2_submit_response(session_, id, list.data(), list.size(), headers_only ? nullptr : &provider);
}

void H2Peer::data(std::int32_t id, std::string_view bytes, bool end) {
    Exchange& one = exchanges[id];
    one.outgoing += bytes;
    one.last_outgoing = end;
    nghttp2_session_resume_data(session_, id);
}

void H2Peer::trailers(std::int32_t id, const Fields& fields) {
    exchanges[id].trailers = fields;
    data(id, {}, true);
}

void H2Peer::reset(std::int32_t id, std::uint32_t code) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
}

void H2Peer::send_goaway(std::int32_t last_id, std::uint32_t code) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_id, code, nullptr, 0);
}

void H2Peer::send_settings(const Settings& settings) {
    const auto entries = entries_of(settings);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
}

void H2Peer::open_windows() {
    hold_windows_ = false;
    for (const auto& [id, size] : held_) nghttp2_session_consume(session_, id, size);
    held_.clear();
}

void serve_h2(Peer& connection, H2Peer& peer, const std::function<bool()>& step) {
    connection.write(peer.take());
    while (!connection.ended()) {
        const std::string bytes = connection.read_some(std::chrono::milliseconds(5));
        if (!bytes.empty()) peer.receive(bytes);
        const bool more = !step || step();
        const std::string out = peer.take();
        if (!out.empty() && !connection.write(out)) return;
        if (!more) return;
    }
}

}  // namespace hfhub::test
