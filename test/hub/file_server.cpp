#include "file_server.hpp"

#include "core/digest.hpp"
#include "http/session.hpp"

#include <cstring>

namespace hfhub::test {

namespace {

using namespace std::chrono_literals;

class CutBody final : public http::BodyReader {
  public:
    explicit CutBody(FileAnswer answer) : answer_(std::move(answer)) {}
    http::ReadResult try_read(std::span<std::byte> buffer) override {
        const std::size_t end = std::min(answer_.cut_at.value_or(answer_.body.size()), answer_.body.size());
        const std::size_t n = std::min({buffer.size(), end - at_, answer_.chunk});
        if (n == 0 && answer_.cut_at) throw TruncatedError(at_, answer_.body.size());
        if (n == 0) return {0, http::ReadState::end};
        std::memcpy(buffer.data(), answer_.body.data() + at_, n);
        at_ += n;
        return {n, http::ReadState::data};
    }
    awaitable<std::size_t> wait(std::span<std::byte>) override { co_return 0; }

  private:
    FileAnswer answer_;
    std::size_t at_ = 0;
};

class FileTransport final : public http::Transport {
  public:
    FileTransport(FileServer::Handler handler, std::shared_ptr<std::vector<FileRequestSeen>> seen)
        : handler_(std::move(handler)), seen_(std::move(seen)) {}

    awaitable<http::Response> send(const http::Request& request, bool) override {
        const FileRequestSeen seen{std::string(http::to_string(request.method)), request.url.str(), request.headers};
        seen_->push_back(seen);
        FileAnswer answer = handler_(seen);
        if (answer.refused) throw ConnectError("connection refused");
        http::Response response;
        response.status = answer.status;
        response.url = request.url;
        for (const auto& [name, value] : answer.headers) response.headers.set(name, value);
        if (request.method != http::Method::head) response.body = std::make_unique<CutBody>(std::move(answer));
        co_return response;
    }

  private:
    FileServer::Handler handler_;
    std::shared_ptr<std::vector<FileRequestSeen>> seen_;
};

SessionOptions options_of(const std::string& home, const FileServer::Variables& variables) {
    SessionOptions options(Environment::from([&](std::string_view name) -> std::optional<std::string> {
        for (const auto& [known, value] : variables) {
            if (known == name) return value;
        }
        if (name == "HOME" || name == "HF_HOME") return home;
        if (name == "HF_ENDPOINT") return std::string(FileServer::endpoint);
        return std::nullopt;
    }));
    options.backoff_base = 1ms;
    options.backoff_cap = 2ms;
    return options;
}

}  // namespace

FileServer::FileServer(Handler handler, std::string home, Variables environment)
    : session_(options_of(home, environment)) {
    session_.state()->set_transport(std::make_unique<FileTransport>(std::move(handler), seen_));
}

std::vector<std::string> FileServer::summary() const {
    std::vector<std::string> lines;
    for (const FileRequestSeen& one : *seen_) {
        const std::string range = one.range();
        lines.push_back(one.method + (range.empty() ? "" : " " + range));
    }
    return lines;
}

FileAnswer rest_of(const std::string& content, const FileRequestSeen& request, std::string etag) {
    FileAnswer answer;
    answer.headers = {{"etag", std::move(etag)}};
    const std::string range = request.range();
    if (range.empty()) {
        answer.body = content;
        answer.headers.emplace_back("content-length", std::to_string(content.size()));
        return answer;
    }
    const std::size_t from = std::stoul(range.substr(6));
    answer.status = from < content.size() ? 206 : 416;
    if (answer.status == 416) {
        answer.headers.emplace_back("content-range", "bytes */" + std::to_string(content.size()));
        return answer;
    }
    answer.body = content.substr(from);
    answer.headers.emplace_back("content-range", "bytes " + std::to_string(from) + "-" +
                                                     std::to_string(content.size() - 1) + "/" +
                                                     std::to_string(content.size()));
    return answer;
}

std::string git_sha1_of(const std::string& content) {
    GitBlobSha1 hash(content.size());
    hash.update(content);
    return hash.hex();
}

FileAnswer head_of(const std::string& content, bool lfs) {
    FileAnswer answer;
    const std::string etag = lfs ? sha256_hex(content) : git_sha1_of(content);
    answer.headers = {{"etag", "\"" + etag + "\""},
                      {"x-repo-commit", std::string(commit)},
                      {"content-length", std::to_string(content.size())}};
    return answer;
}

std::string test_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t state = 88172645463325252u;
    for (char& c : bytes) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        c = static_cast<char>(state);
    }
    return bytes;
}

}  // namespace hfhub::test
