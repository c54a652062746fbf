#include "hub/transfer.hpp"

#include "core/log.hpp"
#include "http/decode.hpp"
#include "http/pipeline.hpp"
#include "http/redirect.hpp"
#include "http/retry.hpp"
#include "http/status_error.hpp"
#include "http/wait.hpp"
#include "http/workers.hpp"
#include "hub/cache_layout.hpp"
#include "hub/file_metadata.hpp"
#include "hub/range_answer.hpp"
#include "hub/range_memory.hpp"
#include "hub/ranges.hpp"
#include "hub/write_behind.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

#include <algorithm>
#include <random>

namespace hfhub::hub {

namespace {

using namespace std::chrono_literals;

constexpr int max_tries = 6;                        // in a row, without any byte
constexpr http::Milliseconds max_silence{120'000};  // in all of them
constexpr int max_refreshes = 3;                    // of a signed URL, without any byte
constexpr int max_file_redirects = 5;
constexpr auto young_url = 30s;
constexpr auto progress_interval = 100ms;
constexpr auto paced_after = 1s;
constexpr std::uint64_t least_range_memory = std::uint64_t{16} << 20;
constexpr std::size_t max_error_body = 64 * 1024;
constexpr std::uint64_t hashed_at_once = std::uint64_t{64} << 20;

/// What the application sends with every request may be meant for the Hub alone.
void drop_credentials(http::Headers& headers) {
    std::vector<std::string> names;
    for (const http::Headers::Field field : headers) {
        if (http::is_credential_field(field.name)) names.emplace_back(field.name);
    }
    for (const std::string& name : names) headers.erase(name);
}

/// Whether another try would end the same way.
bool is_final(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const ConnectError& error) {
        return error.permanent;
    } catch (const TooManyRedirectsError&) {
        return true;
    } catch (...) {
        return false;
    }
}

bool is_checked_by_hash(const PartContent& content) {
    return content.verify_hash && (is_sha256(content.etag) || is_git_sha1(content.etag));
}

class Transfer {
  public:
    Transfer(Client client, TransferRequest request, std::shared_ptr<PartFile> part)
        : client_(std::move(client)),
          request_(std::move(request)),
          part_(std::move(part)),
          position_(part_->position()),
          furthest_(position_),
          size_(part_->content().size) {}

    awaitable<void> run();
    /// Forgets all bytes, to fetch them anew.
    awaitable<void> restart();

  private:
    http::Request make_request() const;
    awaitable<void> attempt();
    awaitable<void> handle_error(http::Response response);
    awaitable<void> receive(http::Body body);
    bool may_split() const;
    awaitable<void> receive_ranges();
    http::Request range_request(std::uint64_t first, std::uint64_t last) const;
    awaitable<void> write(std::span<const std::byte> bytes);
    awaitable<void> begin_again(bool other);
    std::size_t skip(std::span<std::byte> bytes);
    awaitable<void> end_of_body();
    awaitable<void> drop();
    http::Milliseconds next_wait();
    awaitable<void> pause(http::Milliseconds length);
    void describe(TransportError& error);
    bool may_refresh(const http::Response& response) const;
    void count(int attempts);
    void moved_on();
    void tell(bool now);
    awaitable<void> learn_size(std::uint64_t size);

    Client client_;
    TransferRequest request_;
    std::shared_ptr<PartFile> part_;
    std::unique_ptr<WriteBehind> writer_;
    std::uint64_t position_, furthest_;
    std::uint64_t skip_ = 0;  // of the body, which begins with what is there already
    std::optional<std::uint64_t> size_;
    std::string validator_;
    bool ended_ = false;       // the body's end is the file's
    bool answered_ = false;    // this URL has given bytes before
    bool whole_only_ = false;  // no ranges: what came of one was refused
    bool discarded_ = false;
    bool ranges_ = false;     // the server has shown that it can send parts
    bool one_piece_ = false;  // parts side by side were no faster, or failed
    std::uint64_t body_begin_ = 0;
    http::Clock::time_point body_began_{};
    int tries_ = 0, refreshes_ = 0;
    http::Milliseconds waited_{0};  // between these tries
    http::AnswerFacts answer_;      // that is being read
    std::uint64_t told_ = 0;
    http::Clock::time_point told_at_{}, moved_at_ = http::Clock::now(), url_made_ = http::Clock::now();
    std::minstd_rand random_{std::random_device{}()};
};

awaitable<void> Transfer::run() {
    while (!ended_ && !(size_ && position_ == *size_)) {
        std::exception_ptr failure;
        std::string reason;
        const std::uint64_t begin = position_;
        writer_ = std::make_unique<WriteBehind>(client_, part_, size_.value_or(UINT64_MAX));
        try {
            co_await attempt();
        } catch (TransportError& error) {
            reason = error.what();
            describe(error);
            failure = std::current_exception();
        }
        co_await writer_->flush();
        writer_.reset();
        if (!failure) continue;
        if (is_final(failure)) std::rethrow_exception(failure);
        const bool silent = http::Clock::now() - moved_at_ > max_silence;
        if (tries_ >= max_tries || silent || http::Clock::now() >= client_.deadline()) std::rethrow_exception(failure);
        if (position_ == begin && !client_.pipeline().take_retry()) std::rethrow_exception(failure);
        const http::Milliseconds wait = next_wait();
        log(LogLevel::warning, request_.name + ": " + reason + "; waiting " + std::to_string(wait.count()) +
                                   " ms, then attempt " + std::to_string(tries_ + 1) + " of " +
                                   std::to_string(max_tries) + " goes on at byte " + std::to_string(position_));
        co_await pause(wait);
    }
    tell(true);
}

http::Request Transfer::make_request() const {
    const FileSource& source = request_.source;
    http::Request request =
        client_.request_url(http::Method::get, source.url, source.on_hub ? Token(request_.token) : Token(false));
    if (!source.on_hub) drop_credentials(request.headers);
    const Environment& environment = client_.environment();
    if (environment.download_timeout_changed) {
        request.timeouts.headers = request.timeouts.idle = environment.download_timeout;
    }
    request.decode = false;
    request.max_redirects = max_file_redirects;
    request.max_attempts = std::max(1, max_tries - tries_);
    request.is_retry = tries_ > 0;
    const auto silent = std::chrono::duration_cast<http::Milliseconds>(http::Clock::now() - moved_at_);
    request.max_silence = std::max(max_silence - silent, http::Milliseconds(1));
    if (position_ > 0 && !whole_only_) {
        request.headers.set("range", "bytes=" + std::to_string(position_) + "-");
        if (!validator_.empty()) request.headers.set("if-range", validator_);
    }
    return request;
}

awaitable<void> Transfer::attempt() {
    answer_ = {};
    http::Request request = make_request();
    http::Response response = co_await client_.send(std::move(request));
    answer_ = http::facts_of(response);
    waited_ += response.waited;
    const std::uint64_t held = whole_only_ ? 0 : position_;
    AnswerDecision decision = judge_answer({held, size_, part_->content().etag}, response.status, response.headers);
    switch (decision.use) {
        case AnswerUse::error:
            co_await handle_error(std::move(response));
            co_return;
        case AnswerUse::changed:
            throw ContentChanged(request_.name + ": " + decision.reason);
        case AnswerUse::wrong:
            throw IntegrityError(request_.name + ": " + decision.reason + " (" + response.url.redacted() + ")");
        case AnswerUse::done:
            ended_ = true;
            co_return;
        case AnswerUse::refused:
            if (whole_only_ || position_ == 0) throw ProtocolError(decision.reason);
            whole_only_ = true;
            co_return;
        case AnswerUse::discard:
            if (discarded_) throw ProtocolError(decision.reason);
            discarded_ = true;
            co_await drop();
            co_return;
        case AnswerUse::restart:
        case AnswerUse::append:
            break;
    }
    const std::string_view etag = response.headers.value("etag");
    const bool other = !validator_.empty() && is_strong_etag(etag) && etag != validator_;
    if (other && held > 0 && decision.use == AnswerUse::append && !is_checked_by_hash(part_->content())) {
        // Some servers know Range but not If-Range, and here no hash would tell a mixture.
        validator_.clear();
        co_await drop();
        co_return;
    }
    if (position_ > 0 && held == 0) decision.use = AnswerUse::restart;
    skip_ = 0;
    if (decision.use == AnswerUse::restart) co_await begin_again(other);
    whole_only_ = false;
    answered_ = true;
    validator_ = is_strong_etag(etag) && !decision.encoded ? std::string(etag) : std::string();
    if (decision.size && !size_) co_await learn_size(*decision.size);
    tries_ += response.attempts - 1;
    ranges_ = !decision.encoded &&
              (response.status == 206 || http::iequals(response.headers.value("accept-ranges"), "bytes"));
    if (decision.encoded) {
        // The bytes of an encoded body cannot be counted into a range.
        whole_only_ = true;
        response.body = http::decode_body(std::move(response.body), response.headers.value("content-encoding"));
    }
    co_await receive(std::move(response.body));
}

awaitable<void> Transfer::receive(http::Body body) {
    body_begin_ = position_;
    body_began_ = http::Clock::now();
    for (;;) {
        if (may_split()) {
            body.reset();
            co_await receive_ranges();
            co_return;
        }
        std::span<std::byte> room = writer_->room();
        if (room.empty()) {
            co_await writer_->wait();
            continue;
        }
        http::ReadResult result{0, http::ReadState::end};
        if (body) result = body->try_read(room);
        if (result.state == http::ReadState::end) break;
        if (result.state == http::ReadState::blocked) {
            result.bytes = co_await body->wait(room);
            if (result.bytes == 0) continue;
        }
        if (skip_ > 0) result.bytes = skip(room.first(result.bytes));
        writer_->filled(result.bytes);
        position_ += result.bytes;
        if (size_ && position_ > *size_) {
            part_->discard();
            throw IntegrityError(request_.name + ": the server sends more than the " + std::to_string(*size_) +
                                 " bytes of the file");
        }
        moved_on();
    }
    co_await end_of_body();
}

/// What the whole body is to begin with is there: it stays until the hash tells, lest a wrong answer costs it. Without
/// a hash, or where the server says that it is another file, it goes.
awaitable<void> Transfer::begin_again(bool other) {
    if (other || !is_checked_by_hash(part_->content())) {
        co_await drop();
    } else {
        skip_ = position_;
    }
}

/// Leaves out the first bytes, as many as are to be skipped; returns how many are left.
std::size_t Transfer::skip(std::span<std::byte> bytes) {
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
    skip_ -= known;
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end(), bytes.begin());
    return bytes.size() - known;
}

awaitable<void> Transfer::end_of_body() {
    // Framing that ends anywhere, or less than was asked for: the rest is asked for again.
    if (size_ && position_ < *size_) throw TruncatedError(position_ - skip_, *size_);
    if (skip_ == 0) {
        ended_ = true;
        co_return;
    }
    if (discarded_) throw TruncatedError(position_ - skip_, position_);
    discarded_ = true;
    co_await drop();
}

/// After a while of one stream, when its pace is known.
bool Transfer::may_split() const {
    if (!ranges_ || one_piece_ || !size_) return false;
    const std::chrono::duration<double> time = moved_at_ - body_began_;
    if (time < paced_after || moved_at_ < body_began_ || RangeMemory::left() < least_range_memory) return false;
    return ranges_may_help(static_cast<double>(position_ - body_begin_) / time.count(), *size_ - position_);
}

/// From here to the file's end, unless one stream turns out to be as good.
awaitable<void> Transfer::receive_ranges() {
    const std::chrono::duration<double> time = moved_at_ - body_began_;
    RangePace pace(static_cast<double>(position_ - body_begin_) / time.count());
    RangeMemory memory;
    one_piece_ = true;  // until it went well
    while (position_ < *size_ && pace.streams() > 1) {
        std::size_t streams = pace.streams();
        while (streams > 1 && !memory.try_take(streams * pace.part_size())) streams /= 2;
        if (streams == 1) break;
        RangeJob job{.name = request_.name, .etag = part_->content().etag, .first = position_, .size = *size_};
        job.end = pace.settled() ? *size_ : std::min(*size_, position_ + pace.round_size());
        job.part_size = pace.part_size();
        job.streams = streams;
        job.request = [this](std::uint64_t first, std::uint64_t last) { return range_request(first, last); };
        job.take = [this](std::span<const std::byte> bytes) { return write(bytes); };
        const std::uint64_t before = position_;
        const auto begin = http::Clock::now();
        co_await fetch_ranges(client_, std::move(job));
        const std::chrono::duration<double> taken = http::Clock::now() - begin;
        pace.measured(static_cast<double>(position_ - before) / taken.count());
        if (log_enabled(LogLevel::debug)) {
            log(LogLevel::debug, request_.name + ": " + std::to_string(pace.streams()) + " parts at a time from byte " +
                                     std::to_string(position_) + " on");
        }
    }
}

http::Request Transfer::range_request(std::uint64_t first, std::uint64_t last) const {
    http::Request request = make_request();
    request.headers.set("range", "bytes=" + std::to_string(first) + "-" + std::to_string(last));
    if (!validator_.empty()) request.headers.set("if-range", validator_);
    request.max_attempts = 2;  // a kept connection may be dead; other failures end the parts, and one stream goes on
    request.spread = true;
    return request;
}

awaitable<void> Transfer::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::span<std::byte> room = writer_->room();
        if (room.empty()) {
            co_await writer_->wait();
            continue;
        }
        const std::size_t n = std::min(room.size(), bytes.size());
        std::copy_n(bytes.begin(), n, room.begin());
        writer_->filled(n);
        bytes = bytes.subspan(n);
        position_ += n;
        moved_on();
    }
}

awaitable<void> Transfer::handle_error(http::Response response) {
    count(response.attempts);
    if (may_refresh(response)) {
        ++refreshes_;
        log(LogLevel::info, request_.name + ": the signed address has expired and is asked for anew");
        response.body.reset();
        awaitable<FileSource> asking = request_.refresh();
        FileSource fresh = co_await std::move(asking);
        if (fresh.url != request_.source.url) answered_ = false;
        request_.source = std::move(fresh);
        validator_.clear();
        url_made_ = http::Clock::now();
        co_return;
    }
    const std::string body = co_await http::read_beginning(response.body.get(), max_error_body);
    const http::RequestFacts facts{
        request_.source.on_hub && client_.token(request_.token).has_value(), {}, waited_, position_};
    http::raise_for_status(response.status, http::Method::get, response.url, response.headers, body, tries_, facts);
}

/// A signed address that worked, or is old, may have run out; a new one that is refused would be refused again.
bool Transfer::may_refresh(const http::Response& response) const {
    if (response.status != 401 && response.status != 403) return false;
    if (request_.source.on_hub || !request_.refresh || refreshes_ >= max_refreshes) return false;
    return answered_ || http::Clock::now() - url_made_ > young_url;
}

awaitable<void> Transfer::drop() {
    auto work = [part = part_] { part->restart(); };
    co_await client_.workers().run(std::move(work));
    position_ = 0;
}

awaitable<void> Transfer::restart() {
    co_await drop();
    skip_ = 0;
    ended_ = answered_ = whole_only_ = ranges_ = one_piece_ = false;
    validator_.clear();
    tries_ = 0;
    waited_ = {};
    furthest_ = 0;
    moved_at_ = http::Clock::now();
}

void Transfer::count(int attempts) { tries_ += std::max(1, attempts); }

/// With all tries since the last byte that was new.
void Transfer::describe(TransportError& error) {
    count(error.attempts);
    waited_ += error.waited;
    error.at(Url::parse(request_.source.url).redacted());
    error.tried(tries_, waited_);
    if (error.status == 0) error.status = answer_.status;
    if (error.request_id.empty()) error.request_id = answer_.request_id;
    error.bytes_done = position_;
}

void Transfer::moved_on() {
    moved_at_ = http::Clock::now();
    if (position_ > furthest_) {
        // Bytes that had come before are no progress: a server that always cuts at one place is not asked for ever.
        furthest_ = position_;
        tries_ = refreshes_ = 0;
        waited_ = {};
    }
    if (request_.progress && moved_at_ - told_at_ >= progress_interval) tell(false);
}

void Transfer::tell(bool now) {
    if (!request_.progress || !*request_.progress) return;
    const std::uint64_t done = std::max(told_, position_);
    if (!now && done == told_) return;
    told_ = done;
    told_at_ = http::Clock::now();
    (*request_.progress)(Progress{request_.name, done, size_});
}

awaitable<void> Transfer::learn_size(std::uint64_t size) {
    size_ = size;
    auto work = [part = part_, size] { part->set_size(size); };
    co_await client_.workers().run(std::move(work));
}

http::Milliseconds Transfer::next_wait() {
    const SessionOptions& options = client_.options();
    http::RetryPolicy policy;
    policy.base = options.backoff_base;
    policy.cap = options.backoff_cap;
    const double share = static_cast<double>(random_()) / 2147483647.0;
    return http::backoff(policy, std::max(1, tries_), share);
}

awaitable<void> Transfer::pause(http::Milliseconds length) {
    const auto until = http::Clock::now() + length;
    auto work = [part = part_] { part->keep_alive(); };
    co_await client_.workers().run(std::move(work));
    http::Event event(client_.waits());
    const http::Wake wake = co_await event.wait(std::min(until, client_.deadline()));
    if (wake == http::Wake::cancelled) throw CancelledError();
    client_.pipeline().on_waited(length);
    waited_ += length;
}

awaitable<void> hash_taken_over(Client client, std::shared_ptr<PartFile> part) {
    while (part->unhashed() > 0) {
        auto work = [part] { part->hash_more(hashed_at_once); };
        co_await client.workers().run(std::move(work));
    }
}

/// The reason where the content is not what it should be.
awaitable<std::exception_ptr> mismatch_of(Client client, std::shared_ptr<PartFile> part) {
    auto work = [part]() -> std::exception_ptr {
        try {
            part->verify();
            return nullptr;
        } catch (const IntegrityError&) {
            return std::current_exception();
        }
    };
    co_return co_await client.workers().run(std::move(work));
}

awaitable<void> fetch_and_check(Client client, TransferRequest request, std::shared_ptr<PartFile> part) {
    co_await hash_taken_over(client, part);
    const std::string name = request.name;
    Transfer transfer(client, std::move(request), part);
    co_await transfer.run();
    std::exception_ptr mismatch = co_await mismatch_of(client, part);
    if (!mismatch) co_return;
    log(LogLevel::warning, name + ": " + message_of(mismatch) + "; it is fetched anew");
    co_await transfer.restart();
    co_await transfer.run();
    mismatch = co_await mismatch_of(client, part);
    if (!mismatch) co_return;
    part->discard();
    std::rethrow_exception(mismatch);
}

}  // namespace

awaitable<void> fetch(Client client, TransferRequest request, std::shared_ptr<PartFile> part) {
    try {
        co_await fetch_and_check(std::move(client), std::move(request), part);
    } catch (const ContentChanged&) {
        part->discard();
        throw;
    }
}

}  // namespace hfhub::hub
