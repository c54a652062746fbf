#include "transfer.hpp"

#include "core/datetime.hpp"
#include "core/log.hpp"
#include "http/status_error.hpp"
#include "http/wait.hpp"
#include "hub/file_metadata.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace hfhub::tools {

namespace {

constexpr int max_tries = 6;
constexpr std::chrono::seconds max_silence{120};

/// RFC 9110 8.8.2.2: a date tells two states of a file apart only where it lay in the past when it was sent.
bool is_strong_date(const http::Headers& headers) {
    const auto modified = parse_http_date(headers.value("last-modified"));
    const auto sent = parse_http_date(headers.value("date"));
    return modified && sent && *sent - *modified >= std::chrono::seconds(1);
}

/// What If-Range may carry for this answer.
std::string validator_of(const http::Headers& headers) {
    const auto etag = headers.get("etag");
    if (etag) return hub::is_strong_etag(*etag) ? std::string(*etag) : std::string();
    return is_strong_date(headers) ? std::string(headers.value("last-modified")) : std::string();
}

bool is_other_file(const std::string& validator, const http::Headers& headers) {
    const auto etag = headers.get("etag");
    return etag && validator.starts_with('"') && *etag != validator;
}

bool is_repeatable(const http::Request& request) {
    return request.method == http::Method::get && std::holds_alternative<std::monostate>(request.body) &&
           !request.headers.contains("range");
}

}  // namespace

Output::Output(int fd, bool alone) : fd_(fd) {
    struct stat info{};
    alone_file_ = alone && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

void Output::write(std::span<const std::byte> bytes) {
    while (fd_ >= 0 && !bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw IoError(std::string("cannot write the output: ") + std::strerror(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

off_t Output::place() const { return alone_file_ ? ::lseek(fd_, 0, SEEK_CUR) : 0; }

bool Output::take_back(off_t place) {
    if (fd_ < 0) return true;
    return alone_file_ && ::ftruncate(fd_, place) == 0 && ::lseek(fd_, place, SEEK_SET) == place;
}

Transfer::Transfer(http::SessionState& state, http::Request request, bool http2_only, Output& output, Outcome& outcome)
    : state_(state),
      request_(std::move(request)),
      http2_only_(http2_only),
      output_(output),
      outcome_(outcome),
      begin_(output.place()),
      repeatable_(is_repeatable(request_)) {}

awaitable<void> Transfer::run(std::span<std::byte> buffer) {
    for (;;) {
        http::Request request = next_request();
        http::Response response = co_await state_.pipeline().send(std::move(request));
        note(response);
        const Step step = judge(response);
        if (step == Step::end) co_return;
        if (step == Step::receive) {
            const std::uint64_t furthest_before = furthest_;
            try {
                co_await receive(response.body.get(), buffer);
                co_return;
            } catch (TransportError& error) {
                error.at(response.url.redacted());
                broken_ = std::current_exception();
            }
            consider_going_on(broken_, furthest_before);
        }
        response.body.reset();
        co_await pause();
    }
}

http::Request Transfer::next_request() const {
    http::Request request = request_;
    request.max_attempts = std::max(1, max_tries - tries_);
    if (wants_range()) {
        request.headers.set("range", "bytes=" + std::to_string(outcome_.bytes) + "-");
        request.headers.set("if-range", validator_);
        request.decode = false;  // bytes of an encoded body are not those that are there
        request.headers.erase("accept-encoding");
    }
    return request;
}

void Transfer::note(const http::Response& response) {
    outcome_.status = response.status;
    outcome_.protocol = to_string(response.protocol);
    tries_ += response.attempts - 1;
    if (http2_only_ && response.protocol != http::Protocol::http2) {
        throw ProtocolError("--http2 was given, but " + response.url.redacted() + " was answered by " +
                            outcome_.protocol + "; servers without TLS need --h2c");
    }
    if (response.status >= 400) {
        const std::string phrase(http::reason_phrase(response.status));
        outcome_.error = response.url.redacted() + ": status " + std::to_string(response.status) +
                         (phrase.empty() ? "" : " " + phrase);
        if (!first_) outcome_.error += ", asked for the rest after " + std::to_string(outcome_.bytes) + " bytes";
    }
}

/// What the answer means for the bytes that are there already.
Transfer::Step Transfer::judge(const http::Response& response) {
    const bool first = std::exchange(first_, false);
    if (first && (!repeatable_ || response.status != 200)) return Step::receive;
    const std::uint64_t held = wants_range() ? outcome_.bytes : 0;
    // A whole file may be another one by now, and so of another length.
    const auto size = response.status == 200 ? std::nullopt : size_;
    const hub::AnswerDecision decision = hub::judge_answer({held, size}, response.status, response.headers);
    switch (decision.use) {
        case hub::AnswerUse::error:
            return Step::end;
        case hub::AnswerUse::done:
            outcome_.status = 200;
            outcome_.error.clear();
            return Step::end;
        case hub::AnswerUse::append:
            if (held == 0) return begin_again(decision, response.headers);
            if (is_other_file(validator_, response.headers)) break;
            outcome_.status = 200;  // of the whole
            return Step::receive;
        case hub::AnswerUse::restart:
            return begin_again(decision, response.headers);
        default:
            if (held == 0) throw ProtocolError(decision.reason);
            break;
    }
    if (!output_.can_take_back()) std::rethrow_exception(broken_);
    outcome_.error.clear();
    validator_.clear();
    ++tries_;
    return Step::ask_for_whole;
}

Transfer::Step Transfer::begin_again(const hub::AnswerDecision& decision, const http::Headers& headers) {
    if (outcome_.bytes > 0 && !output_.take_back(begin_)) std::rethrow_exception(broken_);
    outcome_.bytes = 0;
    resumable_ = true;
    size_ = decision.size;
    validator_ = decision.encoded ? std::string() : validator_of(headers);
    return Step::receive;
}

awaitable<void> Transfer::receive(http::BodyReader* body, std::span<std::byte> buffer) {
    for (;;) {
        const std::size_t n = co_await http::read_some(body, buffer);
        if (n == 0) break;
        output_.write(buffer.first(n));
        outcome_.bytes += n;
        furthest_ = std::max(furthest_, outcome_.bytes);
        moved_at_ = http::Clock::now();
    }
    if (size_ && outcome_.bytes < *size_) throw TruncatedError(outcome_.bytes, *size_);
}

/// Throws the failure where nothing follows it.
void Transfer::consider_going_on(std::exception_ptr failure, std::uint64_t furthest_before) {
    // Bytes that had come before are no progress: a server that always cuts at one place is not asked for ever.
    tries_ = furthest_ > furthest_before ? 0 : tries_ + 1;
    const auto now = http::Clock::now();
    const bool possible =
        repeatable_ && outcome_.status < 300 && (outcome_.bytes == 0 || !validator_.empty() || output_.can_take_back());
    if (!possible || tries_ >= max_tries || now >= request_.deadline || now - moved_at_ > max_silence) {
        std::rethrow_exception(failure);
    }
    if (log_enabled(LogLevel::info)) {
        log(LogLevel::info, message_of(failure) + "; going on after " + std::to_string(outcome_.bytes) + " bytes");
    }
}

awaitable<void> Transfer::pause() {
    http::RetryPolicy policy;
    policy.base = state_.options().backoff_base;
    policy.cap = state_.options().backoff_cap;
    const double share = static_cast<double>(random_()) / 2147483647.0;
    const auto until = http::Clock::now() + http::backoff(policy, std::max(1, tries_), share);
    if (broken_ && until >= request_.deadline) std::rethrow_exception(broken_);
    http::Event event(state_.waits());
    const http::Wake wake = co_await event.wait(until);
    if (wake == http::Wake::cancelled) throw CancelledError();
}

}  // namespace hfhub::tools
