#include "hub/content.hpp"

#include "core/atomic_file.hpp"
#include "http/file_source.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

namespace hfhub::hub {

namespace {

constexpr std::size_t sample_size = 512;
constexpr std::size_t block_size = 4 << 20;  // one hop to a worker for each; the call can be cancelled between two

class MemorySource final : public http::BodySource {
  public:
    MemorySource(Content content, std::uint64_t offset, std::uint64_t length)
        : content_(std::move(content)), part_(content_.bytes().substr(offset, length)) {}

    std::optional<std::uint64_t> size() const override { return part_.size(); }
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        const std::size_t n = std::min(buffer.size(), part_.size() - at_);
        std::memcpy(buffer.data(), part_.data() + at_, n);
        at_ += n;
        co_return n;
    }
    bool rewind() override { return at_ = 0, true; }

  private:
    Content content_;  // keeps what part_ looks at
    std::string_view part_;
    std::size_t at_ = 0;
};

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
    throw IoError("cannot read " + path.string() + ": " + why);
}

void read_whole(const InputFile& file, const std::filesystem::path& path, std::uint64_t offset,
                std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t got = file.read_at(offset, bytes);
        if (got == 0) fail(path, "it became shorter than it was");
        offset += got;
        bytes = bytes.subspan(got);
    }
}

std::uint64_t size_of(const std::filesystem::path& path) {
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) fail(path, error.message());
    return size;
}

std::filesystem::file_time_type modified(const std::filesystem::path& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    if (error) fail(path, error.message());
    return time;
}

ContentInfo measure_now(const Content& content) {
    ContentInfo info;
    if (!content.is_file()) {
        info.size = content.bytes().size();
        info.sample = content.bytes().substr(0, sample_size);
        return info;
    }
    const std::filesystem::path path = content.path();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        throw InvalidArgumentError("'" + path.string() + "' is not a file on this machine");
    }
    info.size = size_of(path);
    info.modified = modified(path);
    info.sample.resize(static_cast<std::size_t>(std::min<std::uint64_t>(info.size, sample_size)));
    read_whole(InputFile(path), path, 0, std::as_writable_bytes(std::span(info.sample)));
    return info;
}

void check_unchanged(const Content& content, const ContentInfo& info) {
    if (!content.is_file()) return;
    const std::filesystem::path path = content.path();
    if (size_of(path) == info.size && modified(path) == info.modified) return;
    throw IoError(path.string() + " changed while it was being uploaded; upload it again when it is complete");
}

/// What the workers have of one content that is being hashed.
struct Hashing {
    Content content;
    ContentInfo info;
    Hasher hasher;
    std::unique_ptr<InputFile> file{};
    std::vector<std::byte> block{};
    std::uint64_t done = 0;

    void step() {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(block_size, info.size - done));
        if (!content.is_file()) {
            hasher.update(std::as_bytes(std::span(content.bytes().substr(done, n))));
        } else {
            if (!file) file = std::make_unique<InputFile>(content.path());
            block.resize(n);
            read_whole(*file, content.path(), done, block);
            hasher.update(block);
        }
        done += n;
    }
};

}  // namespace

Content::Content(UploadSource source)
    : text_(std::make_shared<const std::string>(source.view())), is_file_(source.is_file()) {}

awaitable<std::vector<ContentInfo>> measure(http::CallWorkers workers, std::vector<Content> contents) {
    auto work = [contents = std::move(contents)] {
        std::vector<ContentInfo> infos;
        infos.reserve(contents.size());
        for (const Content& content : contents) infos.push_back(measure_now(content));
        return infos;
    };
    co_return co_await workers.run(std::move(work));
}

awaitable<std::string> hash(http::CallWorkers workers, Content content, ContentInfo info, Hasher hasher) {
    auto state = std::make_shared<Hashing>(Hashing{std::move(content), std::move(info), std::move(hasher)});
    while (state->done < state->info.size) {
        auto work = [state] { state->step(); };
        co_await workers.run(std::move(work));
    }
    co_await require_unchanged(workers, state->content, state->info);
    co_return state->hasher.hex();
}

awaitable<void> require_unchanged(http::CallWorkers workers, Content content, ContentInfo info) {
    auto work = [content = std::move(content), info = std::move(info)] { check_unchanged(content, info); };
    co_await workers.run(std::move(work));
}

std::shared_ptr<http::BodySource> body_of(http::CallWorkers workers, const Content& content, std::uint64_t offset,
                                          std::uint64_t length) {
    if (content.is_file()) return std::make_shared<http::FileSource>(workers, content.path(), offset, length);
    return std::make_shared<MemorySource>(content, offset, length);
}

awaitable<std::string> read_whole(http::CallWorkers workers, Content content, ContentInfo info) {
    const std::shared_ptr<http::BodySource> source = body_of(workers, content, 0, info.size);
    std::string bytes(static_cast<std::size_t>(info.size), '\0');
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t n = co_await source->read_some(std::as_writable_bytes(std::span(bytes)).subspan(at));
        if (n == 0) break;
        at += n;
    }
    co_return bytes;
}

}  // namespace hfhub::hub
