#include "http/file_source.hpp"

#include <hfhub/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace hfhub::http {

namespace {
constexpr std::size_t block_size = 1 << 20;  // one hop to a worker for each
}

struct FileSource::File {
    File(const std::filesystem::path& path) : path(path.string()), fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd < 0) throw error("cannot open", errno);
    }
    ~File() { ::close(fd); }
    IoError error(const char* what, int number) const {
        return IoError(std::string(what) + " " + path + ": " + std::generic_category().message(number));
    }
    std::string path;
    int fd;
};

FileSource::FileSource(CallWorkers workers, const std::filesystem::path& path, std::uint64_t offset,
                       std::optional<std::uint64_t> length)
    : workers_(workers), file_(std::make_shared<File>(path)), begin_(offset), end_(0), at_(offset) {
    struct stat info{};
    if (::fstat(file_->fd, &info) != 0) throw file_->error("cannot read the size of", errno);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    end_ = length ? offset + *length : std::max(size, offset);
    if (end_ > size) throw IoError(file_->path + " is shorter than the part of it that is to be sent");
}

FileSource::~FileSource() = default;

std::optional<std::uint64_t> FileSource::size() const { return end_ - begin_; }

awaitable<std::size_t> FileSource::read_some(std::span<std::byte> buffer) {
    if (block_at_ == block_.size()) {
        const std::uint64_t from = at_;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block_size, end_ - from));
        if (wanted == 0) co_return 0;
        auto work = [file = file_, from, wanted] {
            std::vector<std::byte> block(wanted);
            std::size_t got = 0;
            while (got < wanted) {
                const ssize_t n = ::pread(file->fd, block.data() + got, wanted - got, static_cast<off_t>(from + got));
                if (n < 0 && errno == EINTR) continue;
                if (n < 0) throw file->error("cannot read", errno);
                if (n == 0) throw IoError(file->path + " became shorter while it was being sent");
                got += static_cast<std::size_t>(n);
            }
            return block;
        };
        block_ = co_await workers_.run(std::move(work));
        block_at_ = 0;
        at_ += block_.size();
    }
    const std::size_t n = std::min(buffer.size(), block_.size() - block_at_);
    std::memcpy(buffer.data(), block_.data() + block_at_, n);
    block_at_ += n;
    co_return n;
}

bool FileSource::rewind() {
    at_ = begin_;
    block_.clear();
    block_at_ = 0;
    return true;
}

}  // namespace hfhub::http
