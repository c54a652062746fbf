#include "cli/progress_bar.hpp"

#include "cli/output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace hfhub::cli {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds between_drawings{100};
constexpr std::chrono::seconds between_lines{30};

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
    return 80;
}

std::string clock_text(double seconds) {
    char text[32];
    const auto whole = static_cast<long>(std::min(seconds, 359999.0));
    std::snprintf(text, sizeof text, "%02ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
}

// The end of the text, beginning with a whole character of UTF-8.
std::string tail(const std::string& text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    std::size_t begin = text.size() - bytes;
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
    return "…" + text.substr(begin);
}

std::atomic<bool> bar_stands = false;  // where the next character would go

}  // namespace

void leave_progress_line() noexcept {
    if (bar_stands.exchange(false)) std::fputs("\n", stderr);
}

std::string progress_text(const TransferState& state) {
    const double done = static_cast<double>(state.done), total = static_cast<double>(state.total);
    const double rate = static_cast<double>(state.done - state.before) / std::max(state.seconds, 1e-3);
    const int percent = state.total == 0 ? 100 : static_cast<int>(100 * (done / total));
    std::string rate_text = human_size(rate);
    if (!rate_text.ends_with('B')) rate_text += 'B';
    std::string text = tail(state.name, 29) + ": " + std::to_string(percent) + "% " + human_size(done) + "/" +
                       human_size(total) + " " + rate_text + "/s";
    if (rate > 0 && state.done < state.total) text += ", " + clock_text((total - done) / rate) + " left";
    return text;
}

ProgressBar::ProgressBar(const Environment& environment, bool quiet)
    : enabled_(!quiet && !environment.disable_progress_bars.value_or(false)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      shown_(begin_),
      callback_([this](const Progress& progress) { update(progress); }) {}

ProgressBar::~ProgressBar() { leave_progress_line(); }

void ProgressBar::update(const Progress& progress) {
    const std::lock_guard lock(mutex_);
    const auto [file, is_new] = files_.try_emplace(std::string(progress.name));
    if (is_new) file->second.at_start = progress.done;
    file->second.done = progress.done;
    file->second.total = progress.total.value_or(progress.done);
    const auto now = Clock::now();
    const bool last = progress.total && progress.done == *progress.total;
    if (terminal_) {
        if (!last && now - shown_ < between_drawings && drawn_) return;
        std::string text = line(now);
        const std::size_t width = terminal_width() - 1;
        text.resize(std::min(text.size(), width));
        std::fprintf(stderr, "\r%s%s", text.c_str(), std::string(width - text.size(), ' ').c_str());
        drawn_ = true;
        bar_stands = true;
    } else {
        if (now - shown_ < between_lines) return;
        std::fprintf(stderr, "%s\n", line(now).c_str());
    }
    shown_ = now;
}

std::string ProgressBar::line(Clock::time_point now) const {
    TransferState state;
    for (const auto& [name, file] : files_) {
        state.done += file.done;
        state.total += file.total;
        state.before += file.at_start;
        if (file.done < file.total && state.name.empty()) state.name = name;
    }
    if (state.name.empty()) state.name = std::to_string(files_.size()) + (files_.size() == 1 ? " file" : " files");
    state.seconds = std::chrono::duration<double>(now - begin_).count();
    return progress_text(state);
}

}  // namespace hfhub::cli
