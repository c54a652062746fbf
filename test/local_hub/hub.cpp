#include "hub.hpp"

#include "digest.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/system_error.hpp>
#include <openssl/rand.h>

#include <atomic>
#include <ctime>

namespace hfhub::local_hub {

namespace json = boost::json;

namespace {

std::string random_secret() {
    unsigned char bytes[32];
    RAND_bytes(bytes, sizeof bytes);
    return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

void drop_body(Response& response) {
    response.stated_length = response.length();
    response.content.clear();
    response.source.reset();
}

Response faulty_response(const Fault& fault) {
    Response response = error_response(HubError(*fault.status, "", "Injected fault " + std::to_string(*fault.status)));
    if (!fault.retry_after.empty()) response.with("retry-after", fault.retry_after);
    return response;
}

}  // namespace

Response error_response(const HubError& error) {
    json::object body{{"error", error.what()}};
    if (!error.url.empty()) body["url"] = error.url;
    Response response = json_of(body, error.status);
    if (error.status >= 400)
        response.with("x-error-message", percent_encoded(error.what(), " !\"#$&'()*+,/:;<=>?@[]^`{|}"));
    if (!error.code.empty()) response.with("x-error-code", error.code);
    for (const auto& [name, value] : error.extra_headers) response.with(name, value);
    return response;
}

Response json_of(const json::value& value, int status) { return json_response(json::serialize(value), status); }

Hub::Hub(Settings a_settings, Statistics& a_statistics)
    : settings(std::move(a_settings)),
      statistics(a_statistics),
      contents(settings.directory),
      secret_(random_secret()) {}

std::unique_ptr<BodySink> Hub::sink_for(const Request& request) {
    if (request.site != Site::storage || request.method != "PUT") return nullptr;
    try {
        return storage_sink(*this, request);
    } catch (const HubError&) {
        return nullptr;  // respond() finds the same error and says it
    }
}

bool Hub::refuses_early(const Request& request) {
    try {
        auto fault = faults.peek(request);
        return fault && fault->status;
    } catch (const HubError&) {
        return true;
    }
}

Response Hub::respond(Request& request, std::unique_ptr<BodySink> sink) {
    static std::atomic<std::uint64_t> number{0};
    std::optional<Fault> fault;
    Response response;
    try {
        fault = faults.take(request);
        response = fault && fault->status ? faulty_response(*fault) : answer(request, std::move(sink));
    } catch (const HubError& error) {
        response = error_response(error);
    } catch (const std::logic_error& error) {  // of base64, or of JSON that has another shape
        response = error_response(bad_request(std::string("Bad Request: ") + error.what()));
    } catch (const boost::system::system_error& error) {  // of JSON numbers that do not fit
        response = error_response(bad_request(std::string("Bad Request: ") + error.what()));
    } catch (const std::exception& error) {
        response = error_response(HubError(500, "", std::string("Internal Error: ") + error.what()));
    }
    if (fault) {
        ++statistics.faults_injected;
        response.interruption = fault->interruption;
        response.delay = fault->delay;
    }
    response.with("x-request-id", "Root=1-local-" + std::to_string(++number));
    if (request.method == "HEAD") drop_body(response);
    return response;
}

Response Hub::answer(Request& request, std::unique_ptr<BodySink> sink) {
    if (request.site == Site::storage) return storage_route(*this, request, std::move(sink));
    std::string_view path = request.path;
    if (path.ends_with('/')) path.remove_suffix(1);
    if (path.ends_with("/v1/chat/completions")) {
        ++statistics.chat_requests;
        return chat_completion(*this, request);
    }
    std::lock_guard lock(mutex);
    return answer_hub(request);
}

std::string Hub::signed_query(std::string_view method, std::string_view path) const {
    std::string expires = std::to_string(std::time(nullptr) + settings.url_lifetime);
    std::string text = std::string(method) + ' ' + std::string(path) + ' ' + expires;
    return "Expires=" + expires + "&Signature=" + hmac_sha256_hex(secret_, text) + "&Key-Pair-Id=LOCAL";
}

std::string Hub::signed_url(const Request& request, std::string_view method, std::string_view path) const {
    // Another host name than the Hub's, as in the real world: clients decide by it where Authorization may go.
    std::string host = request.host() == "localhost" ? "127.0.0.1" : "localhost";
    return request.scheme + "://" + host + ':' + std::to_string(settings.storage_port) + std::string(path) + '?' +
           signed_query(method, path);
}

std::string Hub::signed_hub_url(const Request& request, std::string_view method, std::string_view path) const {
    return request.origin() + std::string(path) + '?' + signed_query(method, path);
}

void Hub::check_signature(const Request& request) const {
    std::string expires(request.parameter("Expires").value_or(""));
    std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string expected = hmac_sha256_hex(secret_, method + ' ' + request.path + ' ' + expires);
    if (request.parameter("Signature").value_or("") != expected) {
        throw HubError(403, "", "SignatureDoesNotMatch: this URL was not signed for this request");
    }
    if (std::stoll(expires) < std::time(nullptr)) throw HubError(403, "", "AccessDenied: the URL has expired");
}

json::object Call::json() const {
    json::error_code error;
    json::value value = json::parse(request.body, error);
    if (error || !value.is_object()) throw bad_request("The body is no JSON object");
    return std::move(value.as_object());
}

std::string Call::repo_url() const { return request.origin() + '/' + std::string(url_prefix(type)) + repo_id; }

std::string Call::rest_path(std::size_t from) const {
    std::string path;
    for (std::size_t i = from; i < rest.size(); ++i) {
        if (i > from) path += '/';
        path += rest[i];
    }
    return path;
}

std::string string_member(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) throw bad_request("\"" + std::string(name) + "\" is required");
    return std::string(value->as_string());
}

std::string string_member_or(const json::object& object, std::string_view name, std::string_view other) {
    const json::value* value = object.if_contains(name);
    return std::string(value != nullptr && value->is_string() ? std::string_view(value->as_string()) : other);
}

Response page_of(const Call& call, json::array items, std::size_t default_limit) {
    auto number = [&](std::string_view name, std::size_t other) {
        auto text = call.request.parameter(name);
        return text ? static_cast<std::size_t>(std::strtoull(std::string(*text).c_str(), nullptr, 10)) : other;
    };
    std::size_t limit = std::min(number("limit", default_limit), call.hub.settings.page_size);
    if (limit == 0) limit = 1;
    std::size_t begin = std::min(number("cursor", 0), items.size());
    std::size_t end = std::min(begin + limit, items.size());
    json::array page(std::make_move_iterator(items.begin() + begin), std::make_move_iterator(items.begin() + end));
    Response response = json_of(page);
    if (end == items.size()) return response;
    std::string next = call.request.origin() + call.request.path + '?';
    for (const auto& [name, value] : call.request.query) {
        if (name != "cursor") next += percent_encoded(name) + '=' + percent_encoded(value) + '&';
    }
    response.with("link", "<" + next + "cursor=" + std::to_string(end) + ">; rel=\"next\"");
    return response;
}

}  // namespace hfhub::local_hub
