#include "hub/file_metadata.hpp"

#include "http/pagination.hpp"
#include "http/session.hpp"

#include <charconv>

namespace hfhub::hub {

namespace {

// The question that is asked first, without patience, has been silent before.
constexpr http::Milliseconds longest_silence{110'000};
constexpr std::string_view default_endpoint = "https://huggingface.co";

std::optional<std::string> text_of(const http::Headers& headers, std::string_view name) {
    const auto value = headers.get(name);
    if (!value || value->empty()) return std::nullopt;
    return std::string(*value);
}

std::optional<std::uint64_t> number_of(const http::Headers& headers, std::string_view name) {
    const std::string_view text = headers.value(name);
    std::uint64_t number = 0;
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
    return number;
}

bool is_redirect(int status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<XetFileData> read_xet(const http::Headers& headers, std::string_view endpoint) {
    auto hash = text_of(headers, "x-xet-hash");
    auto route = http::link_target(headers, "xet-auth");
    if (!route) route = text_of(headers, "x-xet-refresh-route");
    if (!hash || !route) return std::nullopt;
    // The Hub names itself, also where it is asked through a mirror.
    if (route->starts_with(std::string(default_endpoint) + "/")) route->replace(0, default_endpoint.size(), endpoint);
    return XetFileData{std::move(*hash), std::move(*route)};
}

/// The limit of one request is what its server was given to answer, unless the request never left this machine.
TimeoutError told_apart(const TimeoutError& error, const Client& client, std::chrono::milliseconds limit) {
    const bool was_full = client.pool().stats().open >= http::share_of_host(client.options().max_connections);
    TimeoutError told(was_full ? TimeoutPhase::pool : TimeoutPhase::headers, limit);
    told.at(error.url());
    told.tried(error.attempts, error.waited);
    told.request_id = error.request_id;
    return told;
}

}  // namespace

std::string_view opaque_etag(std::string_view etag) noexcept {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.starts_with('"')) etag.remove_prefix(1);
    if (etag.ends_with('"')) etag.remove_suffix(1);
    return etag;
}

bool is_strong_etag(std::string_view etag) noexcept {
    return etag.size() > 2 && etag.front() == '"' && etag.back() == '"';
}

HfFileMetadata read_metadata(int status, const http::Headers& headers, const Url& url, std::string_view endpoint) {
    HfFileMetadata metadata;
    metadata.commit_hash = text_of(headers, "x-repo-commit");
    auto etag = text_of(headers, "x-linked-etag");
    if (!etag) etag = text_of(headers, "etag");
    if (etag) metadata.etag = std::string(opaque_etag(*etag));
    metadata.location = text_of(headers, "location").value_or(url.str());
    metadata.size = number_of(headers, "x-linked-size");
    // The length of a redirect's own body says nothing about the file.
    if (!metadata.size && !is_redirect(status)) metadata.size = number_of(headers, "content-length");
    metadata.xet_file_data = read_xet(headers, endpoint);
    return metadata;
}

awaitable<HfFileMetadata> file_metadata(Client client, MetadataRequest wanted) {
    const std::string endpoint = client.endpoint();
    http::Request request = client.request_named_url(http::Method::head, wanted.url, wanted.token);
    request.decode = false;
    request.relative_redirects_only = true;
    request.timeouts.connect = request.timeouts.headers = request.timeouts.pool = wanted.timeout;
    request.max_silence = longest_silence;
    if (!wanted.retry) {
        // One more try only for a kept connection that turns out to be dead.
        request.max_attempts = 2;
        request.retry_statuses = false;
        request.deadline = std::min(request.deadline, http::Clock::now() + wanted.timeout);
    }
    std::optional<http::Response> response;
    try {
        response = co_await client.send_checked(std::move(request));
    } catch (const TimeoutError& error) {
        if (error.phase != TimeoutPhase::deadline || http::Clock::now() >= client.deadline()) throw;
        throw told_apart(error, client, wanted.timeout);
    }
    co_return read_metadata(response->status, response->headers, response->url, endpoint);
}

}  // namespace hfhub::hub
