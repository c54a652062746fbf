#include "hub/ranges.hpp"

#include "core/log.hpp"
#include "core/page_buffer.hpp"
#include "http/body.hpp"
#include "http/pipeline.hpp"
#include "http/wait.hpp"
#include "hub/parallel.hpp"
#include "hub/range_answer.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <map>
#include <memory>

namespace hfhub::hub {

namespace {

constexpr double mebibyte = 1 << 20;
constexpr std::uint64_t least_left = 64 << 20;
constexpr double fast_enough = 300 * mebibyte;  // bytes per second
constexpr double least_seconds = 3;             // for what is left
constexpr double worthwhile_gain = 1.25;
constexpr int most_tries = 6;  // of a part
constexpr double seconds_of_part = 1, seconds_of_round = 3;
constexpr std::uint64_t least_part = 1 << 20, largest_part = 8 << 20;

/// What the parts have in common: whose turn it is to hand on its bytes.
struct Stretch {
    explicit Stretch(Client made_by, RangeJob wanted) : client(std::move(made_by)), job(std::move(wanted)) {}

    std::uint64_t first_of(std::size_t index) const { return job.first + index * job.part_size; }
    std::uint64_t end_of(std::size_t index) const { return std::min(first_of(index) + job.part_size, job.end); }
    std::size_t count() const {
        return static_cast<std::size_t>((job.end - job.first + job.part_size - 1) / job.part_size);
    }
    void next() {
        ++turn;
        if (const auto waiting = events.find(turn); waiting != events.end()) waiting->second->notify();
    }

    Client client;
    RangeJob job;
    std::size_t turn = 0;
    std::map<std::size_t, http::Event*> events;  // of parts that are complete and wait for their turn
};

void require_part(const RangeJob& job, std::uint64_t first, std::uint64_t last, const http::Response& response) {
    const AnswerDecision decision = judge_answer({first, job.size, job.etag}, response.status, response.headers);
    const auto range = parse_content_range(response.headers.value("content-range"));
    if (response.status == 206 && decision.use == AnswerUse::append && range && range->last == last) return;
    ProtocolError error(job.name + ": the server does not send the part from byte " + std::to_string(first) + " to " +
                        std::to_string(last) + " (status " + std::to_string(response.status) + ")" +
                        (decision.reason.empty() ? "" : ": " + decision.reason));
    error.at(response.url.redacted());
    throw error;
}

/// Entry in the list of who waits for its turn.
struct Entry {
    Entry(Stretch& stretch, std::size_t index, http::Event& event) : stretch(stretch), index(index) {
        stretch.events.emplace(index, &event);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { stretch.events.erase(index); }
    Stretch& stretch;
    std::size_t index;
};

awaitable<void> wait_for_turn(Stretch& stretch, std::size_t index) {
    http::Event event(stretch.client.waits());
    const Entry entry(stretch, index, event);
    while (stretch.turn != index) {
        const http::Limit limit{stretch.client.deadline()};
        const http::Wake wake = co_await event.wait(limit.at);
        limit.check(wake);
    }
}

/// One of the parts, and what of it has come and was handed on.
struct Part {
    Part(const Stretch& stretch, std::size_t number)
        : index(number),
          first(stretch.first_of(number)),
          size(static_cast<std::size_t>(stretch.end_of(number) - first)),
          bytes(page_buffer(size)) {}

    std::span<std::byte> room() const { return {bytes.get() + filled, size - filled}; }
    std::span<const std::byte> arrived() const { return {bytes.get() + taken, filled - taken}; }

    std::size_t index;
    std::uint64_t first;
    std::size_t size, filled = 0, taken = 0;
    PageBuffer bytes;
};

/// Asks for what is missing.
awaitable<void> receive(std::shared_ptr<Stretch> stretch, std::shared_ptr<Part> part) {
    const RangeJob& job = stretch->job;
    const std::uint64_t from = part->first + part->filled, last = part->first + part->size - 1;
    http::Request request = job.request(from, last);
    http::Response response = co_await stretch->client.send(std::move(request));
    require_part(job, from, last, response);
    while (part->filled < part->size) {
        const std::size_t n = co_await http::read_some(response.body.get(), part->room());
        if (n == 0) throw TruncatedError(part->first + part->filled, last + 1);
        part->filled += n;
        if (stretch->turn != part->index) continue;
        co_await job.take(part->arrived());
        part->taken = part->filled;
    }
}

awaitable<void> fetch_part(std::shared_ptr<Stretch> stretch, std::size_t index) {
    const auto part = std::make_shared<Part>(*stretch, index);
    for (int tries = 1; part->filled < part->size; ++tries) {
        const std::size_t before = part->filled;
        try {
            co_await receive(stretch, part);
        } catch (const TransportError& error) {
            if (part->filled == before || tries == most_tries) throw;
            log(LogLevel::warning, stretch->job.name + ": " + error.what() + "; attempt " + std::to_string(tries + 1) +
                                       " of " + std::to_string(most_tries) + " goes on at byte " +
                                       std::to_string(part->first + part->filled));
        }
    }
    if (stretch->turn != index) co_await wait_for_turn(*stretch, index);
    if (!part->arrived().empty()) co_await stretch->job.take(part->arrived());
    stretch->next();
}

}  // namespace

bool ranges_may_help(double rate, std::uint64_t left) noexcept {
    return left >= least_left && rate < fast_enough && static_cast<double>(left) >= rate * least_seconds;
}

void RangePace::measured(double rate) noexcept {
    if (settled_) return;
    if (rate < best_ * worthwhile_gain) {
        streams_ /= 2;
        settled_ = true;
        return;
    }
    best_ = rate;
    if (streams_ * 2 > most) {
        settled_ = true;
    } else {
        streams_ *= 2;
    }
}

std::uint64_t RangePace::part_size() const noexcept {
    const double wanted = best_ * seconds_of_part;  // what one stream brought, or more together: then parts are bounded
    return std::clamp(static_cast<std::uint64_t>(wanted), least_part, largest_part);
}

std::uint64_t RangePace::round_size() const noexcept {
    const auto wanted = static_cast<std::uint64_t>(best_ * seconds_of_round);
    return std::max(wanted, 2 * streams_ * part_size());
}

awaitable<void> fetch_ranges(Client client, RangeJob job) {
    const auto stretch = std::make_shared<Stretch>(client, std::move(job));
    std::function<awaitable<void>(std::size_t)> part = [stretch](std::size_t index) {
        return fetch_part(stretch, index);
    };
    co_await run_parallel(std::move(client), stretch->count(), stretch->job.streams, std::move(part));
}

}  // namespace hfhub::hub
