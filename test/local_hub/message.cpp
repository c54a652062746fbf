#include "message.hpp"

#include <algorithm>
#include <cstring>

namespace hfhub::local_hub {

namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return lower;
}

std::string percent_decoded(std::string_view text, bool plus_is_blank) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool escape = text[i] == '%' && i + 2 < text.size();
        int high = escape ? hex_value(text[i + 1]) : -1;
        int low = escape ? hex_value(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            decoded += plus_is_blank && text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

std::string percent_encoded(std::string_view text, std::string_view keep) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (unsigned char c : text) {
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '~';
        if (unreserved || keep.find(static_cast<char>(c)) != keep.npos) {
            encoded += static_cast<char>(c);
        } else {
            encoded += '%';
            encoded += digits[c >> 4];
            encoded += digits[c & 15];
        }
    }
    return encoded;
}

Fields parse_form(std::string_view text) {
    Fields form;
    while (!text.empty()) {
        std::size_t end = std::min(text.find('&'), text.size());
        std::string_view pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        std::size_t equals = std::min(pair.find('='), pair.size());
        std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
        form.emplace_back(percent_decoded(pair.substr(0, equals), true), percent_decoded(value, true));
    }
    return form;
}

std::vector<std::string> path_segments(std::string_view path) {
    std::vector<std::string> segments;
    segments.reserve(8);
    while (!path.empty()) {
        std::size_t end = std::min(path.find('/'), path.size());
        if (end > 0) segments.push_back(percent_decoded(path.substr(0, end)));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return segments;
}

void Request::set_target(std::string_view target) {
    std::size_t mark = target.find('?');
    path = target.substr(0, mark);
    raw_query = mark == target.npos ? std::string_view() : target.substr(mark + 1);
    query = parse_form(raw_query);
}

std::string_view Request::header(std::string_view name) const {
    for (const auto& field : headers) {
        if (field.first == name) return field.second;
    }
    return {};
}

bool Request::has_header(std::string_view name) const {
    return std::any_of(headers.begin(), headers.end(), [&](const auto& field) { return field.first == name; });
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
    for (const auto& pair : query) {
        if (pair.first == name) return pair.second;
    }
    return std::nullopt;
}

std::vector<std::string_view> Request::parameters(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& pair : query) {
        if (pair.first == name ||
            (pair.first.size() == name.size() + 2 && pair.first.starts_with(name) && pair.first.ends_with("[]"))) {
            values.emplace_back(pair.second);
        }
    }
    return values;
}

bool Request::flag(std::string_view name) const {
    std::string_view value = parameter(name).value_or("");
    return value == "1" || value == "true" || value == "True";
}

std::string Request::host() const {
    std::size_t colon = authority.rfind(':');
    bool port = colon != authority.npos && authority.find(']', colon) == authority.npos;
    return authority.substr(0, port ? colon : authority.npos);
}

std::optional<std::uint64_t> Response::length() const {
    if (stated_length) return stated_length;
    if (source) return source->size();
    return content.size();
}

Response json_response(std::string text, int status) {
    Response response;
    response.status = status;
    response.content = std::move(text);
    response.with("content-type", "application/json; charset=utf-8");
    return response;
}

Response text_response(std::string text, int status) {
    Response response;
    response.status = status;
    response.content = std::move(text);
    response.with("content-type", "text/plain; charset=utf-8");
    return response;
}

OutgoingBody::OutgoingBody(Response& response)
    : content_(std::move(response.content)),
      source_(std::move(response.source)),
      interruption_(response.interruption) {}

void OutgoingBody::attach(const boost::asio::any_io_executor& executor, std::function<void()> ready) {
    if (source_) source_->attach(executor, std::move(ready));
}

OutgoingBody::Read OutgoingBody::read_unlimited(std::span<char> room) {
    if (source_) {
        BodySource::Read part = source_->read(room);
        sent_ += part.size;
        State state = part.state == BodySource::State::more  ? State::more
                      : part.state == BodySource::State::end ? State::end
                                                             : State::waiting;
        return {part.size, state};
    }
    std::size_t size = std::min<std::size_t>(room.size(), content_.size() - sent_);
    std::memcpy(room.data(), content_.data() + sent_, size);
    sent_ += size;
    return {size, sent_ == content_.size() ? State::end : State::more};
}

OutgoingBody::Read OutgoingBody::read(std::span<char> room) {
    if (interruption_.kind == Interruption::Kind::none) return read_unlimited(room);
    if (sent_ < interruption_.after) {
        Read part = read_unlimited(room.first(std::min<std::uint64_t>(room.size(), interruption_.after - sent_)));
        if (part.state != State::end || sent_ < interruption_.after) return part;
        return {part.size, State::more};
    }
    if (interruption_.kind == Interruption::Kind::stall) return {0, State::waiting};
    return {0, interruption_.kind == Interruption::Kind::cut ? State::cut : State::reset};
}

}  // namespace hfhub::local_hub
