#pragma once

#include <hfhub/environment.hpp>
#include <hfhub/progress.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace hfhub::cli {

/// How far some transfers are together.
struct TransferState {
    std::string name;        ///< Of a file that is under way, or how many files there are.
    std::uint64_t done = 0;  ///< Bytes.
    std::uint64_t total = 0;
    std::uint64_t before = 0;  ///< Part of `done` that an earlier run fetched: no part of the rate.
    double seconds = 0;
};
/// "model.bin: 25% 1.0G/4.0G 100.0MB/s, 00:00:30 left"; the time is left out where it cannot be told.
std::string progress_text(const TransferState& state);

/// Shows transfers on standard error: one moving line on a terminal, a plain line every 30 s elsewhere, nothing where
/// it is disabled. Thread-safe.
class ProgressBar {
  public:
    ProgressBar(const Environment& environment, bool quiet);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    /// To be given to transfers; null where nothing is shown.
    const ProgressCallback* callback() const noexcept { return enabled_ ? &callback_ : nullptr; }

  private:
    void update(const Progress& progress);
    std::string line(std::chrono::steady_clock::time_point now) const;

    struct File {
        std::uint64_t done = 0;
        std::uint64_t total = 0;
        std::uint64_t at_start = 0;  // fetched by an earlier run: no part of the rate
    };
    bool enabled_ = false;
    bool terminal_ = false;
    std::mutex mutex_;
    std::map<std::string, File> files_;
    std::chrono::steady_clock::time_point begin_, shown_;
    bool drawn_ = false;
    ProgressCallback callback_;
};

/// Ends the line on which a bar stands, before something else is written.
void leave_progress_line() noexcept;

}  // namespace hfhub::cli
