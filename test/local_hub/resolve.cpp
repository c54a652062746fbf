#include "hub.hpp"

#include <charconv>

namespace hfhub::local_hub {

namespace {

struct Range {
    enum class Kind { whole, part, unsatisfiable };
    Kind kind = Kind::whole;
    std::uint64_t begin = 0, end = 0;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t value = 0;
    auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

// RFC 9110 14.1.2; what is malformed or asks for several ranges is answered with the whole.
Range range_of(std::string_view header, std::uint64_t size) {
    Range whole{Range::Kind::whole, 0, size};
    if (!header.starts_with("bytes=") || header.find(',') != header.npos) return whole;
    header.remove_prefix(6);
    std::size_t dash = header.find('-');
    if (dash == header.npos) return whole;
    auto first = number_of(header.substr(0, dash));
    auto last = number_of(header.substr(dash + 1));
    if (dash == 0) {
        if (!last) return whole;
        if (*last == 0 || size == 0) return {Range::Kind::unsatisfiable, 0, 0};
        return {Range::Kind::part, size - std::min(*last, size), size};
    }
    if (!first || (!last && dash + 1 < header.size()) || (last && *last < *first)) return whole;
    if (*first >= size) return {Range::Kind::unsatisfiable, 0, 0};
    return {Range::Kind::part, *first, last ? std::min(*last + 1, size) : size};
}

bool names_etag(std::string_view list, std::string_view etag) { return list == "*" || list.find(etag) != list.npos; }

std::string_view content_type_of(std::string_view path) {
    if (path.ends_with(".json")) return "application/json; charset=utf-8";
    return "text/plain; charset=utf-8";
}

Response redirect_to_storage(const Call& call, const File& file, const std::string& name) {
    std::string url = call.hub.signed_url(call.request, "GET", "/objects/" + file.sha256);
    url += "&response-content-disposition=" + percent_encoded("inline; filename=\"" + name + "\";");
    Response response = text_response("Found. Redirecting to " + url, 302);
    response.with("location", url);
    response.with("x-linked-etag", '"' + file.sha256 + '"');
    response.with("x-linked-size", std::to_string(file.size));
    response.with("accept-ranges", "bytes");
    response.with("vary", "Origin, Accept");
    return response;
}

}  // namespace

Response serve_range(const Request& request, std::string_view etag, std::uint64_t size,
                     std::shared_ptr<const OpenFile> file, std::shared_ptr<const std::string> text) {
    Response response;
    response.headers.reserve(8);
    response.with("etag", std::string(etag)).with("accept-ranges", "bytes");
    if (request.has_header("if-none-match") && names_etag(request.header("if-none-match"), etag)) {
        response.status = 304;
        return response;
    }
    bool current = !request.has_header("if-range") || request.header("if-range") == etag;
    bool get = request.method == "GET";  // RFC 9110 14.2: Range means nothing to other methods
    Range range = range_of(current && get ? request.header("range") : "", size);
    std::string total = std::to_string(size);
    if (range.kind == Range::Kind::unsatisfiable) {
        response.status = 416;
        response.with("content-range", "bytes */" + total);
        return response;
    }
    if (range.kind == Range::Kind::part) {
        response.status = 206;
        response.with("content-range",
                      "bytes " + std::to_string(range.begin) + '-' + std::to_string(range.end - 1) + '/' + total);
    }
    if (file) {
        response.source = std::make_unique<FileSource>(std::move(file), range.begin, range.end);
    } else {
        response.source = std::make_unique<StringSource>(std::move(text), range.begin, range.end);
    }
    return response;
}

Response resolve(Call& call, const std::string& revision, const std::string& path) {
    require_access(call);
    auto commit = call.repository->revision(revision);
    auto found = commit->files->find(path);
    if (found == commit->files->end()) {
        HubError missing(404, "EntryNotFound", "Entry not found");
        missing.extra_headers.emplace_back("x-repo-commit", commit->id);
        throw missing;
    }
    const File& file = *found->second;
    if (call.request.method == "GET") ++call.repository->downloads;
    std::string name = path.substr(path.rfind('/') + 1);
    Response response = file.is_lfs()
                            ? redirect_to_storage(call, file, name)
                            : serve_range(call.request, '"' + file.oid + '"', file.size, nullptr, file.content);
    response.with("x-repo-commit", commit->id);
    if (!file.is_lfs()) {
        response.with("content-type", std::string(content_type_of(path)));
        response.with("content-disposition", "inline; filename*=UTF-8''" + percent_encoded(name));
    }
    return response;
}

}  // namespace hfhub::local_hub
