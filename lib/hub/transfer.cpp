#include "hub/transfer.hpp"

#include "core/log.hpp"
#include "http/decode.hpp"
#include "http/pipeline.hpp"
#include "http/redirect.hpp"
#include "http/retry.hpp"
#include "http/status_error.hpp"
#include "http/wait.hpp"
#include "http/workers.hpp"
#include "hub/file_metadata.hpp"
#include "hub/range_answer.hpp"
#include "hub/range_memory.hpp"
#include "hub/ranges.hpp"
#include "hub/receiver.hpp"

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

class Transfer {
  public:
    Transfer(Client client, TransferRequest request, std::shared_ptr<PartFile> part)
        : client_(std::move(client)),
          request_(std::move(request)),
          part_(std::move(part)),
          receiver_(client_, part_, request_.name, request_.progress),
          counted_(receiver_.position()) {}

    awaitable<void> run();
    /// Forgets all bytes, to fetch them anew.
    awaitable<void> restart();

  private:
    http::Request make_request();
    awaitable<void> attempt();
    awaitable<void> take_answer(http::Response response, AnswerDecision decision);
    std::uint64_t held() const noexcept { return whole_only_ ? 0 : receiver_.position(); }
    bool is_other(const http::Response& response) const;
    bool is_mixture(const http::Response& response, const AnswerDecision& decision) const;
    awaitable<void> handle_error(http::Response response);
    awaitable<void> receive_ranges();
    http::Request range_request(std::uint64_t first, std::uint64_t last);
    http::Milliseconds next_wait();
    awaitable<void> pause(http::Milliseconds length);
    void describe(TransportError& error);
    bool may_refresh(const http::Response& response) const;
    void note_progress();
    void count(int attempts);

    Client client_;
    TransferRequest request_;
    std::shared_ptr<PartFile> part_;
    Receiver receiver_;
    std::uint64_t counted_;  // how far it was when tries were counted at last
    std::string validator_;
    bool answered_ = false;    // this URL has given bytes before
    bool whole_only_ = false;  // no ranges: what came of one was refused
    bool ranges_ = false;      // the server has shown that it can send parts
    bool one_piece_ = false;   // parts side by side were no faster, or failed
    int tries_ = 0, refreshes_ = 0;
    http::Milliseconds waited_{0};  // between these tries
    http::AnswerFacts answer_;      // that is being read
    http::Clock::time_point url_made_ = http::Clock::now();
    std::minstd_rand random_{std::random_device{}()};
};

awaitable<void> Transfer::run() {
    while (!receiver_.complete()) {
        std::exception_ptr failure;
        std::string reason;
        const std::uint64_t begin = receiver_.position();
        receiver_.open();
        try {
            co_await attempt();
        } catch (TransportError& error) {
            reason = error.what();
            describe(error);
            failure = std::current_exception();
        }
        co_await receiver_.flush();
        if (!failure) continue;
        if (is_final(failure)) std::rethrow_exception(failure);
        const bool silent = http::Clock::now() - receiver_.moved_at() > max_silence;
        if (tries_ >= max_tries || silent || http::Clock::now() >= client_.deadline()) std::rethrow_exception(failure);
        if (receiver_.position() == begin && !client_.pipeline().take_retry()) std::rethrow_exception(failure);
        const http::Milliseconds wait = next_wait();
        log(LogLevel::warning, request_.name + ": " + reason + "; waiting " + std::to_string(wait.count()) +
                                   " ms, then attempt " + std::to_string(tries_ + 1) + " of " +
                                   std::to_string(max_tries) + " goes on at byte " +
                                   std::to_string(receiver_.position()));
        co_await pause(wait);
    }
    receiver_.tell(true);
}

http::Request Transfer::make_request() {
    note_progress();
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
    const auto silent = std::chrono::duration_cast<http::Milliseconds>(http::Clock::now() - receiver_.moved_at());
    request.max_silence = std::max(max_silence - silent, http::Milliseconds(1));
    if (receiver_.position() > 0 && !whole_only_) {
        request.headers.set("range", "bytes=" + std::to_string(receiver_.position()) + "-");
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
    AnswerDecision decision =
        judge_answer({held(), receiver_.size(), part_->content().etag}, response.status, response.headers);
    switch (decision.use) {
        case AnswerUse::error:
            co_await handle_error(std::move(response));
            break;
        case AnswerUse::changed:
            throw ContentChanged(request_.name + ": " + decision.reason);
        case AnswerUse::wrong:
            throw IntegrityError(request_.name + ": " + decision.reason + " (" + response.url.redacted() + ")");
        case AnswerUse::done:
            receiver_.end();
            break;
        case AnswerUse::refused:
            if (whole_only_ || receiver_.position() == 0) throw ProtocolError(decision.reason);
            whole_only_ = true;
            break;
        case AnswerUse::discard: {
            const bool dropped = co_await receiver_.drop_once();
            if (!dropped) throw ProtocolError(decision.reason);
            break;
        }
        case AnswerUse::restart:
        case AnswerUse::append:
            co_await take_answer(std::move(response), std::move(decision));
    }
}

/// Some servers know Range but not If-Range, and without a hash nothing would tell a mixture of two versions.
bool Transfer::is_mixture(const http::Response& response, const AnswerDecision& decision) const {
    return held() > 0 && decision.use == AnswerUse::append && is_other(response) && !part_->is_checked_by_hash();
}

bool Transfer::is_other(const http::Response& response) const {
    const std::string_view etag = response.headers.value("etag");
    return !validator_.empty() && is_strong_etag(etag) && etag != validator_;
}

awaitable<void> Transfer::take_answer(http::Response response, AnswerDecision decision) {
    if (is_mixture(response, decision)) {
        validator_.clear();
        co_await receiver_.drop();
        co_return;
    }
    const bool again = decision.use == AnswerUse::restart || (receiver_.position() > 0 && held() == 0);
    receiver_.go_on();
    if (again) co_await receiver_.begin_again(is_other(response));
    whole_only_ = false;
    answered_ = true;
    const std::string_view etag = response.headers.value("etag");
    validator_ = is_strong_etag(etag) && !decision.encoded ? std::string(etag) : std::string();
    if (decision.size && !receiver_.size()) co_await receiver_.learn_size(*decision.size);
    tries_ += response.attempts - 1;
    ranges_ = !decision.encoded &&
              (response.status == 206 || http::iequals(response.headers.value("accept-ranges"), "bytes"));
    if (decision.encoded) {
        // The bytes of an encoded body cannot be counted into a range.
        whole_only_ = true;
        response.body = http::decode_body(std::move(response.body), response.headers.value("content-encoding"));
    }
    const bool may_split = ranges_ && !one_piece_;
    const bool split = co_await receiver_.receive(std::move(response.body), may_split);
    if (split) co_await receive_ranges();
}

/// From here to the file's end, unless one stream turns out to be as good.
awaitable<void> Transfer::receive_ranges() {
    RangePace pace(receiver_.rate());
    RangeMemory memory;
    one_piece_ = true;  // until it went well
    const std::uint64_t size = *receiver_.size();
    while (receiver_.position() < size && pace.streams() > 1) {
        std::size_t streams = pace.streams();
        while (streams > 1 && !memory.try_take(streams * pace.part_size())) streams /= 2;
        if (streams == 1) break;
        const std::uint64_t before = receiver_.position();
        RangeJob job{.name = request_.name, .etag = part_->content().etag, .first = before, .size = size};
        job.end = pace.settled() ? size : std::min(size, before + pace.round_size());
        job.part_size = pace.part_size();
        job.streams = streams;
        job.request = [this](std::uint64_t first, std::uint64_t last) { return range_request(first, last); };
        job.take = [this](std::span<const std::byte> bytes) { return receiver_.take(bytes); };
        const auto begin = http::Clock::now();
        co_await fetch_ranges(client_, std::move(job));
        const std::chrono::duration<double> taken = http::Clock::now() - begin;
        pace.measured(static_cast<double>(receiver_.position() - before) / taken.count());
        if (log_enabled(LogLevel::debug)) {
            log(LogLevel::debug, request_.name + ": " + std::to_string(pace.streams()) + " parts at a time from byte " +
                                     std::to_string(receiver_.position()) + " on");
        }
    }
}

http::Request Transfer::range_request(std::uint64_t first, std::uint64_t last) {
    http::Request request = make_request();
    request.headers.set("range", "bytes=" + std::to_string(first) + "-" + std::to_string(last));
    if (!validator_.empty()) request.headers.set("if-range", validator_);
    request.max_attempts = 2;  // a kept connection may be dead; other failures end the parts, and one stream goes on
    request.spread = true;
    return request;
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
        request_.source.on_hub && client_.token(request_.token).has_value(), {}, waited_, receiver_.position()};
    http::raise_for_status(response.status, http::Method::get, response.url, response.headers, body, tries_, facts);
}

/// A signed address that worked, or is old, may have run out; a new one that is refused would be refused again.
bool Transfer::may_refresh(const http::Response& response) const {
    if (response.status != 401 && response.status != 403) return false;
    if (request_.source.on_hub || !request_.refresh || refreshes_ >= max_refreshes) return false;
    return answered_ || http::Clock::now() - url_made_ > young_url;
}

awaitable<void> Transfer::restart() {
    co_await receiver_.restart();
    counted_ = 0;
    answered_ = whole_only_ = ranges_ = one_piece_ = false;
    validator_.clear();
    tries_ = 0;
    waited_ = {};
}

/// Bytes that had come before are no progress: a server that always cuts at one place is not asked for ever.
void Transfer::note_progress() {
    if (receiver_.furthest() <= counted_) return;
    counted_ = receiver_.furthest();
    tries_ = refreshes_ = 0;
    waited_ = {};
}

void Transfer::count(int attempts) {
    note_progress();
    tries_ += std::max(1, attempts);
}

/// With all tries since the last byte that was new.
void Transfer::describe(TransportError& error) {
    count(error.attempts);
    waited_ += error.waited;
    error.at(Url::parse(request_.source.url).redacted());
    error.tried(tries_, waited_);
    if (error.status == 0) error.status = answer_.status;
    if (error.request_id.empty()) error.request_id = answer_.request_id;
    error.bytes_done = receiver_.position();
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
