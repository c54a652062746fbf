#include "hub/lfs.hpp"

#include "core/json.hpp"
#include "core/log.hpp"
#include "http/attempt_record.hpp"
#include "hub/commit_plan.hpp"
#include "hub/parallel.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <charconv>
#include <functional>

namespace hfhub::hub {

namespace {

constexpr std::string_view lfs_json = "application/vnd.git-lfs+json";
constexpr std::size_t parts_at_a_time = 4;
// Smaller parts are there before a second connection stands.
constexpr std::uint64_t smallest_parallel_part = 1 << 20;
constexpr int most_renewals = 3;
// Storages take a while to keep what they have received; a part whose answer is lost is sent again.
constexpr http::Milliseconds longest_for_part{60'000};
constexpr std::size_t max_answer = 64 * 1024;

[[noreturn]] void malformed(std::string_view why) {
    throw InvalidArgumentError("the Hub's answer to a request for upload cannot be used: " + std::string(why));
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string text_of(const json::value& value) {
    if (value.is_string()) return std::string(value.get_string());
    return value.is_number() ? std::to_string(value.to_number<std::uint64_t>()) : std::string();
}

std::optional<LfsAction> read_action(const json::value& object, std::string_view name) {
    const json::value* actions = find_member(object, "actions");
    const json::value* action = actions ? find_member(*actions, name) : nullptr;
    if (!action || action->is_null()) return std::nullopt;
    LfsAction out;
    out.href = text_member(*action, "href");
    if (out.href.empty()) malformed("an action has no href");
    const json::value* header = find_member(*action, "header");
    if (!header || header->is_null()) return out;
    if (!header->is_object()) malformed("an action's header is no object");
    for (const auto& [key, value] : header->get_object()) out.header.emplace(key, text_of(value));
    return out;
}

LfsInstructions read_instructions(const json::value& object) {
    LfsInstructions out;
    out.oid = text_member(object, "oid");
    const json::value* size = find_member(object, "size");
    if (out.oid.empty() || !size || !size->is_number()) malformed("an object has no oid or no size");
    boost::system::error_code error;
    out.size = size->to_number<std::uint64_t>(error);
    if (error) malformed("an object's size is out of range");
    out.upload = read_action(object, "upload");
    out.verify = read_action(object, "verify");
    return out;
}

/// A request to the object storage: neither the token nor other fields of the client are meant for it. The URL carries
/// its own permission.
http::Request storage_request(const Client& client, http::Method method, std::string_view url) {
    http::Request request = client.request_url(method, url, Token(false));
    const std::string agent(request.headers.value("user-agent"));
    request.headers.clear();
    request.headers.add("user-agent", agent);
    return request;
}

/// The uploads of one call.
struct Uploads {
    Client client;
    LfsTarget target;
    std::vector<LfsObject> objects;
    std::size_t at_a_time;

    std::string hub_url(const std::string& href) const { return at_endpoint(href, client.endpoint()); }
};

awaitable<std::vector<LfsInstructions>> ask(const Uploads& uploads, std::span<const LfsObject> objects) {
    const LfsTarget& target = uploads.target;
    const std::string repository = make_repo_url(uploads.client.endpoint(), target.repo_type, target.repo_id).url;
    http::Request request =
        uploads.client.request_url(http::Method::post, repository + ".git/info/lfs/objects/batch", target.token);
    set_json(request, lfs_batch_request(objects, target.ref));
    request.headers.set("content-type", lfs_json);
    request.headers.set("accept", lfs_json);
    request.idempotent = true;
    const json::value answer = co_await uploads.client.json(std::move(request));
    co_return read_lfs_batch(answer);
}

[[noreturn]] void fail(const Url& url, const std::string& why) {
    ProtocolError error(why);
    error.at(url.redacted());
    throw error;
}

/// A step of an upload; only a status of 2xx says that it was done.
awaitable<http::Response> send_step(const Uploads& uploads, const LfsObject& object, http::Request request) {
    request.buffered = max_answer;
    http::Response response = co_await uploads.client.send_checked(std::move(request));
    if (response.status >= 300) {
        fail(response.url, "the upload of " + object.path + " was answered with status " +
                               std::to_string(response.status) + ", which does not say that it was received");
    }
    co_return response;
}

/// Sends `length` bytes from `offset` on; returns the ETag that the storage gives them.
awaitable<std::string> put_bytes(const Uploads& uploads, const LfsObject& object, std::string url, std::uint64_t offset,
                                 std::uint64_t length) {
    http::Request request = storage_request(uploads.client, http::Method::put, url);
    wait_longer_for_answer(request, std::min(longest_for_part, uploads.client.options().commit_timeout));
    const auto body =
        std::make_shared<http::NotedSource>(body_of(uploads.client.workers(), object.content, offset, length));
    request.body = body;
    const http::Response response = co_await send_step(uploads, object, std::move(request));
    if (body->sent() != length) {
        fail(response.url, "the upload of " + object.path + " was answered after " + std::to_string(body->sent()) +
                               " of " + std::to_string(length) + " bytes: the rest was not received");
    }
    co_return std::string(response.headers.value("etag"));
}

awaitable<void> put_part(const Uploads& uploads, const LfsObject& object, const LfsParts& parts, std::size_t index,
                         std::vector<std::string>& etags) {
    const std::uint64_t offset = parts.chunk_size * index;
    const std::uint64_t length = std::min(parts.chunk_size, object.info.size - offset);
    std::string url = uploads.hub_url(parts.urls[index]);
    std::string etag = co_await put_bytes(uploads, object, std::move(url), offset, length);
    if (etag.empty()) throw ProtocolError("the object storage gave no ETag for a part of " + object.path);
    etags[index] = std::move(etag);
}

awaitable<void> put_parts(const Uploads& uploads, const LfsObject& object, const LfsAction& upload,
                          const LfsParts& parts) {
    std::vector<std::string> etags(parts.urls.size());
    const std::size_t limit = parts.chunk_size < smallest_parallel_part ? 1 : parts_at_a_time;
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t index) {
        return put_part(uploads, object, parts, index, etags);
    };
    co_await run_parallel(uploads.client, parts.urls.size(), limit, std::move(one));
    http::Request request = storage_request(uploads.client, http::Method::post, uploads.hub_url(upload.href));
    wait_longer_for_answer(request, uploads.client.options().commit_timeout);
    set_json(request, lfs_completion(object.oid, etags));
    request.headers.set("content-type", lfs_json);
    request.headers.set("accept", lfs_json);
    request.idempotent = true;
    const http::Response response = co_await send_step(uploads, object, std::move(request));
}

awaitable<void> transfer(const Uploads& uploads, const LfsObject& object, const LfsAction& upload) {
    const std::optional<LfsParts> parts = lfs_parts(upload, object.info.size);
    if (parts) {
        co_await put_parts(uploads, object, upload, *parts);
    } else {
        std::string url = uploads.hub_url(upload.href);
        const std::string etag = co_await put_bytes(uploads, object, std::move(url), 0, object.info.size);
    }
    co_await require_unchanged(uploads.client.workers(), object.content, object.info);
}

awaitable<void> verify(const Uploads& uploads, const LfsObject& object, const LfsAction& action) {
    http::Request request =
        uploads.client.request_url(http::Method::post, uploads.hub_url(action.href), uploads.target.token);
    const json::object body{{"oid", object.oid}, {"size", object.info.size}};
    set_json(request, body);
    request.idempotent = true;
    const http::Response response = co_await send_step(uploads, object, std::move(request));
}

/// URLs of the storage hold for a while only: where they are over, the server is asked for new ones.
awaitable<void> upload_object(const Uploads& uploads, const LfsObject& object, LfsInstructions instructions) {
    for (int renewals = 0; instructions.upload; ++renewals) {
        try {
            co_await transfer(uploads, object, *instructions.upload);
            break;
        } catch (const HfHubHttpError& error) {
            if (renewals == most_renewals || !is_expired(error.status(), error.context().body)) {
                throw HfHubHttpError(
                    std::string(error.what()) + "\nThis happened while " + object.path + " was being uploaded.",
                    error.context());
            }
        }
        log(LogLevel::info, "the upload of " + object.path + " took longer than its URLs hold; asking for new ones");
        const std::span<const LfsObject> one(&object, 1);
        std::vector<LfsInstructions> renewed = co_await ask(uploads, one);
        if (renewed.empty()) malformed("it does not mention " + object.path);
        instructions = std::move(renewed.front());
    }
    if (instructions.verify) co_await verify(uploads, object, *instructions.verify);
}

/// The objects whose content the server wants, each once.
struct Wanted {
    const LfsObject* object = nullptr;
    LfsInstructions instructions;
};

std::vector<Wanted> wanted_of(std::span<const LfsObject> objects, std::vector<LfsInstructions> answers) {
    std::vector<Wanted> wanted;
    for (LfsInstructions& answer : answers) {
        if (!answer.upload) continue;
        const auto object =
            std::find_if(objects.begin(), objects.end(), [&](const LfsObject& one) { return one.oid == answer.oid; });
        if (object == objects.end() || object->info.size != answer.size)
            malformed("it names an object that was not offered");
        const bool known =
            std::any_of(wanted.begin(), wanted.end(), [&](const Wanted& one) { return one.object->oid == answer.oid; });
        if (!known) wanted.push_back({&*object, std::move(answer)});
    }
    return wanted;
}

awaitable<void> upload_batch(const Uploads& uploads, std::span<const LfsObject> objects) {
    std::vector<LfsInstructions> answers = co_await ask(uploads, objects);
    std::vector<Wanted> wanted = wanted_of(objects, std::move(answers));
    std::function<awaitable<void>(std::size_t)> one = [&](std::size_t index) {
        return upload_object(uploads, *wanted[index].object, std::move(wanted[index].instructions));
    };
    co_await run_parallel(uploads.client, wanted.size(), uploads.at_a_time, std::move(one));
}

}  // namespace

json::value lfs_batch_request(std::span<const LfsObject> objects, const std::optional<std::string>& ref) {
    json::array list;
    for (const LfsObject& object : objects)
        list.push_back(json::object{{"oid", object.oid}, {"size", object.info.size}});
    json::object request{{"operation", "upload"},
                         {"transfers", json::array{"basic", "multipart"}},
                         {"objects", std::move(list)},
                         {"hash_algo", "sha256"}};
    if (ref) request["ref"] = json::object{{"name", *ref}};
    return request;
}

std::vector<LfsInstructions> read_lfs_batch(const json::value& answer) {
    const json::value* objects = find_member(answer, "objects");
    if (!objects || !objects->is_array()) malformed("it has no list of objects");
    std::vector<LfsInstructions> instructions;
    std::string refusals;
    for (const json::value& object : objects->get_array()) {
        const json::value* error = find_member(object, "error");
        if (!error || error->is_null()) {
            instructions.push_back(read_instructions(object));
            continue;
        }
        refusals.append("\n").append(text_member(object, "oid")).append(": ").append(text_member(*error, "message"));
    }
    if (!refusals.empty()) throw InvalidArgumentError("the Hub refuses these files:" + refusals);
    return instructions;
}

std::optional<LfsParts> lfs_parts(const LfsAction& upload, std::uint64_t size) {
    const auto chunk_size = upload.header.find("chunk_size");
    if (chunk_size == upload.header.end()) return std::nullopt;
    const auto bytes = number(chunk_size->second);
    if (!bytes || *bytes == 0) malformed("chunk_size is '" + chunk_size->second + "'");
    std::map<std::uint64_t, std::string> urls;
    for (const auto& [key, url] : upload.header) {
        if (const auto part = number(key)) urls[*part] = url;
    }
    const std::uint64_t needed = size / *bytes + (size % *bytes != 0 ? 1 : 0);
    if (urls.size() != needed) {
        malformed("it has " + std::to_string(urls.size()) + " URLs for " + std::to_string(needed) + " parts");
    }
    LfsParts parts{*bytes, {}};
    for (auto& [part, url] : urls) parts.urls.push_back(std::move(url));
    return parts;
}

json::value lfs_completion(std::string_view oid, std::span<const std::string> etags) {
    json::array parts;
    for (std::size_t i = 0; i < etags.size(); ++i) {
        parts.push_back(json::object{{"partNumber", i + 1}, {"etag", etags[i]}});
    }
    return json::object{{"oid", oid}, {"parts", std::move(parts)}};
}

bool is_expired(int status, std::string_view body) {
    return (status == 400 || status == 401 || status == 403) && body.find("xpired") != body.npos;
}

awaitable<void> lfs_upload(Client client, LfsTarget target, std::vector<LfsObject> objects, std::size_t at_a_time) {
    const Uploads uploads{std::move(client), std::move(target), std::move(objects), at_a_time};
    const std::span<const LfsObject> all(uploads.objects);
    for (std::size_t at = 0; at < all.size(); at += files_per_request) {
        const auto some = all.subspan(at, std::min(files_per_request, all.size() - at));
        co_await upload_batch(uploads, some);
    }
}

void wait_longer_for_answer(http::Request& request, http::Milliseconds length) {
    if (request.timeouts.headers.count() > 0) request.timeouts.headers = std::max(request.timeouts.headers, length);
}

}  // namespace hfhub::hub
