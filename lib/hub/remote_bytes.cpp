#include "hub/remote_bytes.hpp"

#include "http/body.hpp"
#include "hub/repo_id.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <span>
#include <vector>

namespace hfhub::hub {

namespace {

constexpr int tries_of_body = 3;

/// The bytes of the body, which is left where it has more of them than were asked for.
awaitable<std::string> take(http::Response response, std::uint64_t most) {
    std::string bytes;
    std::vector<std::byte> buffer(64 * 1024);
    while (bytes.size() < most) {
        const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), most - bytes.size()));
        const std::size_t n = co_await http::read_some(response.body.get(), std::span(buffer).first(room));
        if (n == 0) break;
        bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
    }
    co_return bytes;
}

}  // namespace

http::Request RemoteFiles::request(http::Method method, std::string_view filename) const {
    return client.request(method, resolve_path(repo_type, repo_id, revision, filename), token);
}

std::string RemoteFiles::name(std::string_view filename) const {
    return "'" + std::string(filename) + "' of " + repo_id + " at " + revision;
}

awaitable<std::string> fetch_range(SharedRemoteFiles files, std::string filename, std::uint64_t from,
                                   std::uint64_t length) {
    for (int tries = 1;; ++tries) {
        http::Request request = files->request(http::Method::get, filename);
        request.headers.set("range", "bytes=" + std::to_string(from) + "-" + std::to_string(from + length - 1));
        request.decode = false;
        request.is_retry = tries > 1;
        try {
            http::Response response = co_await files->client.send_checked(std::move(request));
            const bool whole = response.status != 206;
            const std::uint64_t most = whole ? from + length : length;
            std::string bytes = co_await take(std::move(response), most);
            // A server that knows no ranges sends the file from its beginning.
            co_return whole ? bytes.substr(std::min<std::size_t>(from, bytes.size())) : bytes;
        } catch (const HfHubHttpError& error) {
            if (error.status() != 416 || from == 0) throw;
            co_return std::string();  // the file ends before
        } catch (const TimeoutError& error) {
            if (error.phase == TimeoutPhase::deadline || tries == tries_of_body) throw;
        } catch (const TransportError&) {
            if (tries == tries_of_body) throw;
        }
    }
}

}  // namespace hfhub::hub
