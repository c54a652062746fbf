#pragma once

// A Hub that takes uploads, and its storage, in memory.

#include "core/base64.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"
#include "http/session.hpp"
#include "support/loop.hpp"
#include "support/temp_dir.hpp"

#include <hfhub/error.hpp>
#include <hfhub/hub/hf_api.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

namespace hfhub::test {

using namespace std::chrono_literals;

namespace upload_hub {

inline constexpr std::string_view endpoint = "http://hub.test";

/// A request as the wire would see it.
struct Sent {
    std::string method, url, body;
    http::Headers headers;
    http::Milliseconds headers_timeout{};
};

struct Reply {
    int status = 200;
    std::string body = "{}";
    std::string etag{};
    bool lost = false;  ///< The connection ends before the answer.
    bool late = false;  ///< There is no answer in time.
};

/// A Hub and its storage in memory, as far as uploads need them. What the server decides can be set; used by the test
/// before and after a call only.
class UploadHub final : public http::Transport {
  public:
    UploadHub(http::Waits& waits) : waits_(waits) {}

    awaitable<http::Response> send(const http::Request& request, bool) override {
        Sent sent{std::string(http::to_string(request.method)),
                  request.url.str(),
                  {},
                  request.headers,
                  request.timeouts.headers};
        most_at_once = std::max(most_at_once, ++at_once_);
        sent.body = co_await body_of(request.body, most_taken);
        if (request.method == http::Method::put) {
            // Lets other uploads begin before this one ends.
            http::Event event(waits_);
            if (on_put) on_put();
            const auto until = on_put ? http::Clock::time_point::max() : http::Clock::now() + 5ms;
            const http::Wake wake = co_await event.wait(until);
            if (wake == http::Wake::cancelled) throw CancelledError();
        }
        --at_once_;
        const Reply reply = answer(sent);
        requests.push_back(std::move(sent));
        if (reply.lost) throw ConnectionLostError("the connection was lost");
        if (reply.late) throw_late(request.timeouts.headers);
        http::Response response;
        response.status = reply.status;
        response.url = request.url;
        if (!reply.etag.empty()) response.headers.add("etag", reply.etag);
        response.body = http::memory_body(reply.body);
        co_return response;
    }

    /// Requests whose method and URL begin so.
    std::vector<Sent> find(std::string_view method, std::string_view url) const {
        std::vector<Sent> found;
        for (const Sent& one : requests) {
            if (one.method == method && one.url.starts_with(std::string(endpoint) + std::string(url)))
                found.push_back(one);
        }
        return found;
    }
    /// The lines of the last request, a commit.
    std::vector<json::value> committed() const { return lines_of(requests.back()); }
    static std::vector<json::value> lines_of(const Sent& commit) {
        std::vector<json::value> lines;
        std::string_view text = commit.body;
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            lines.push_back(parse_json(text.substr(0, end), "a line"));
            text.remove_prefix(end + 1);
        }
        return lines;
    }

    std::vector<std::string> tree;                     ///< Paths of a listing.
    std::set<std::string> large;                       ///< Paths that are stored as large files.
    std::map<std::string, std::string> known;          ///< Ids that the repository has, by path.
    std::uint64_t chunk_size = 0;                      ///< Of uploads in parts; 0: in one.
    std::map<std::string, std::vector<Reply>> faults;  ///< Answers to the first requests whose URL contains the key.
    int looks_until_known = 0;                         ///< How often the Hub is asked until it has made a commit.
    bool learns = false;                               ///< A commit whose answer is lost is made all the same.
    std::size_t most_taken = SIZE_MAX;                 ///< Of a content, before it is answered.
    std::function<void()> on_put;                      ///< Called at each upload, which then does not end by itself.

    std::vector<Sent> requests;
    int most_at_once = 0;

  private:
    static awaitable<std::string> body_of(const http::RequestBody& body, std::size_t most) {
        if (const auto* text = std::get_if<std::string>(&body)) co_return *text;
        std::string all;
        const auto* source = std::get_if<std::shared_ptr<http::BodySource>>(&body);
        if (source == nullptr) co_return all;
        std::vector<std::byte> buffer(70'000);
        while (all.size() < most) {
            const std::size_t n = co_await (*source)->read_some(buffer);
            if (n == 0) break;
            all.append(reinterpret_cast<const char*>(buffer.data()), n);
        }
        if (all.size() < most && (*source)->size() != all.size())
            throw std::logic_error("a body's size is not what it said");
        co_return all;
    }

    [[noreturn]] static void throw_late(http::Milliseconds limit) {
        TimeoutError late(TimeoutPhase::headers, limit);
        late.maybe_processed = true;
        throw late;
    }

    Reply answer(const Sent& sent) {
        if (sent.url.find("/preupload/") != sent.url.npos && looks_until_known > 0 && --looks_until_known == 0)
            known["a.txt"] = id_of("1");
        for (auto& [key, replies] : faults) {
            if (sent.url.find(key) == std::string::npos || replies.empty()) continue;
            const Reply reply = replies.front();
            replies.erase(replies.begin());
            if (reply.lost && learns) learn(sent);
            return reply;
        }
        if (sent.url.find("/preupload/") != sent.url.npos)
            return {.body = json::serialize(preupload(parse_json(sent.body, "a body")))};
        if (sent.url.ends_with("/objects/batch"))
            return {.body = json::serialize(batch(parse_json(sent.body, "a body")))};
        if (sent.method == "PUT") return {.etag = "\"" + sha256_hex(sent.body).substr(0, 8) + "\""};
        if (sent.url.find("/tree/") != sent.url.npos) return {.body = json::serialize(listing())};
        if (sent.url.find("/commit/") != sent.url.npos && sent.url.ends_with("create_pr=1")) {
            return {.body = R"({"commitOid":"abc","commitUrl":"http://hub.test/alice/m/commit/abc",)"
                            R"("pullRequestUrl":"http://hub.test/alice/m/discussions/7"})"};
        }
        if (sent.url.find("/commit/") != sent.url.npos) {
            return {.body = R"({"commitOid":"abc","commitUrl":"http://hub.test/alice/m/commit/abc"})"};
        }
        if (sent.url.find("/revision/") != sent.url.npos) return {.body = R"({"id":"alice/m","sha":"head"})"};
        return {};
    }

    void learn(const Sent& sent) {
        for (const std::string_view path : {"a.txt", "b.txt"}) {
            if (sent.body.find(path) != sent.body.npos) known[std::string(path)] = id_of("1");
        }
    }
    static std::string id_of(std::string_view content) {
        GitBlobSha1 hash(content.size());
        hash.update(content);
        return hash.hex();
    }

    json::value listing() const {
        json::array files;
        for (const std::string& path : tree) files.push_back(json::object{{"type", "file"}, {"path", path}});
        return files;
    }
    json::value preupload(const json::value& asked) const {
        json::array files;
        for (const json::value& file : asked.at("files").as_array()) {
            const std::string path(file.at("path").as_string());
            json::object decision{{"path", path}, {"uploadMode", large.contains(path) ? "lfs" : "regular"}};
            if (const auto id = known.find(path); id != known.end()) decision["oid"] = id->second;
            files.push_back(std::move(decision));
        }
        return json::object{{"files", std::move(files)}};
    }

    json::value batch(const json::value& asked) const {
        json::array objects;
        for (const json::value& object : asked.at("objects").as_array()) {
            const std::string oid(object.at("oid").as_string());
            const auto size = object.at("size").to_number<std::uint64_t>();
            json::object upload{{"href", std::string(endpoint) + "/s3/" + oid + "?X-Amz-Signature=secret"}};
            if (chunk_size > 0) {
                json::object header{{"chunk_size", std::to_string(chunk_size)}};
                for (std::uint64_t part = 1; (part - 1) * chunk_size < size; ++part) {
                    header[std::to_string(part)] = "https://huggingface.co/s3/part" + std::to_string(part);
                }
                upload = {{"href", std::string(endpoint) + "/complete/" + oid}, {"header", std::move(header)}};
            }
            json::object actions{{"upload", std::move(upload)}};
            actions["verify"] = json::object{{"href", std::string(endpoint) + "/verify"}};
            objects.push_back(json::object{{"oid", oid}, {"size", size}, {"actions", std::move(actions)}});
        }
        return json::object{{"objects", std::move(objects)}};
    }

    http::Waits& waits_;
    int at_once_ = 0;
};

struct Fixture {
    explicit Fixture(const SessionOptions& chosen = options()) : session(chosen) {
        auto& state = *session.state();
        auto transport = std::make_unique<UploadHub>(state.waits());
        hub = transport.get();
        state.set_transport(std::move(transport));
    }

    static SessionOptions options() {
        SessionOptions options{Environment()};
        options.backoff_base = 1ms;
        options.backoff_cap = 2ms;
        return options;
    }
    static HfApiOptions api_options() {
        HfApiOptions options;
        options.endpoint = endpoint;
        options.token = "hf_secret";
        options.headers = {{"x-company", "secret"}};
        return options;
    }
    std::filesystem::path file(std::string_view content) const {
        const std::filesystem::path path = folder.path() / "file";
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    TempDir folder;
    Session session;
    UploadHub* hub;
    HfApi api{session, api_options()};
};

}  // namespace upload_hub

}  // namespace hfhub::test
