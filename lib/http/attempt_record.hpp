#pragma once

// What is noted of one try while it runs, for those who want to be told of it.

#include "http/body.hpp"
#include "http/connection_facts.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

#include <hfhub/trace.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace hfhub::http {

/// Told when the last of those who note lets go: the pipeline, and the reader of the answer's body. Used from the
/// session's executor only.
class AttemptRecord {
  public:
    /// Shared, for a body may outlive the session.
    using Told = std::function<void(const AttemptTrace&)>;
    /// What `told` throws is dropped.
    AttemptRecord(const Request& request, int attempt, int max_attempts, std::shared_ptr<const Told> told);
    ~AttemptRecord();
    AttemptRecord(const AttemptRecord&) = delete;
    AttemptRecord& operator=(const AttemptRecord&) = delete;

    void on_connection(Protocol protocol, std::shared_ptr<const ConnectionFacts> facts, bool reused);
    /// What was to be the connection came to nothing.
    void on_no_connection(std::shared_ptr<const ConnectionFacts> attempt) noexcept { facts_ = std::move(attempt); }
    void on_sent(std::uint64_t bytes) noexcept { bytes_sent_ += bytes; }
    void on_answer(const Response& response);
    void on_received(std::uint64_t bytes) noexcept { bytes_received_ += bytes; }
    void on_end();
    void on_failure(const std::exception_ptr& failure);
    /// There is another try.
    void on_wait(Milliseconds wait, std::string_view reason);
    /// There is no other try.
    void on_last(std::string_view reason) { reason_ = reason; }

  private:
    void add_connection(AttemptTrace& trace) const;

    std::shared_ptr<const Told> told_;
    std::string method_, url_;
    int attempt_, max_attempts_;
    std::uint64_t body_size_ = 0;  // of a body in memory
    std::optional<Protocol> protocol_;
    std::shared_ptr<const ConnectionFacts> facts_;
    bool reused_ = false;
    Clock::time_point begin_ = Clock::now();
    std::optional<Clock::time_point> connected_, answered_, ended_;
    std::uint64_t bytes_sent_ = 0, bytes_received_ = 0;
    int status_ = 0;
    std::string request_id_, error_, reason_;
    std::optional<Milliseconds> wait_;
};

/// The same body, whose bytes and end are noted.
Body noted(Body body, std::shared_ptr<AttemptRecord> record);

/// The same source, whose bytes are counted, and noted where somebody wants to be told.
class NotedSource final : public BodySource {
  public:
    explicit NotedSource(std::shared_ptr<BodySource> source) : source_(std::move(source)) {}
    std::optional<std::uint64_t> size() const override { return source_->size(); }
    awaitable<std::size_t> read_some(std::span<std::byte> buffer) override;
    bool rewind() override { return source_->rewind(); }

    /// To be said at the begin of each try; the record may be null.
    void begin(const std::shared_ptr<AttemptRecord>& record) noexcept {
        record_ = record;
        sent_ = 0;
    }
    /// Bytes that were read in this try.
    std::uint64_t sent() const noexcept { return sent_; }

  private:
    std::shared_ptr<BodySource> source_;
    std::weak_ptr<AttemptRecord> record_;
    std::uint64_t sent_ = 0;
};

}  // namespace hfhub::http
