#include "http/multipart.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <random>

namespace hfhub::http {

namespace {

std::string random_boundary() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::random_device device;
    std::string boundary = "hfhub-";
    for (int word = 0; word < 4; ++word) {
        for (auto bits = device(); boundary.size() < static_cast<std::size_t>(6 + 8 * (word + 1)); bits >>= 4) {
            boundary += digits[bits & 15];
        }
    }
    return boundary;
}

std::string checked_boundary(std::string boundary) {
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("'+_-.").find(c) !=
                   std::string_view::npos;  // those that need no quotes in Content-Type
    };
    if (boundary.empty() || boundary.size() > 70 || !std::all_of(boundary.begin(), boundary.end(), allowed)) {
        throw InvalidArgumentError("a multipart boundary is 1 to 70 letters, digits and characters of '+_-.");
    }
    return boundary;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"')
            out += "%22";
        else if (c == '\r')
            out += "%0D";
        else if (c == '\n')
            out += "%0A";
        else
            out += c;
    }
    out += '"';
}

}  // namespace

MultipartForm::MultipartForm() : boundary_(random_boundary()) {}

MultipartForm::MultipartForm(std::string boundary) : boundary_(checked_boundary(std::move(boundary))) {}

void MultipartForm::begin_part(std::string_view name) {
    parts_.append("--").append(boundary_).append("\r\nContent-Disposition: form-data; name=");
    append_quoted(parts_, name);
}

void MultipartForm::field(std::string_view name, std::string_view value) {
    begin_part(name);
    parts_.append("\r\n\r\n").append(value).append("\r\n");
}

void MultipartForm::file(std::string_view name, std::string_view filename, std::string_view content_type,
                         std::string_view bytes) {
    if (content_type.find_first_of("\r\n") != std::string_view::npos) {
        throw InvalidArgumentError("a content type has no line end");
    }
    begin_part(name);
    parts_ += "; filename=";
    append_quoted(parts_, filename);
    parts_.append("\r\nContent-Type: ").append(content_type.empty() ? "application/octet-stream" : content_type);
    parts_.append("\r\n\r\n").append(bytes).append("\r\n");
}

}  // namespace hfhub::http
