#include "cli/progress_bar.hpp"

#include "cli/output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
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

}  // namespace

ProgressBar::ProgressBar(const Environment& environment, bool quiet)
    : enabled_(!quiet && !environment.disable_progress_bars.value_or(false)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      shown_(begin_),
      callback_([this](const Progress& progress) { update(progress); }) {}

ProgressBar::~ProgressBar() {
    if (drawn_) std::fputs("\n", stderr);
}

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
    } else {
        if (now - shown_ < between_lines) return;
        std::fprintf(stderr, "%s\n", line(now).c_str());
    }
    shown_ = now;
}

std::string ProgressBar::line(Clock::time_point now) const {
    std::uint64_t done = 0, total = 0, before = 0;
    std::string running;
    for (const auto& [name, file] : files_) {
        done += file.done;
        total += file.total;
        before += file.at_start;
        if (file.done < file.total && running.empty()) running = name;
    }
    const double seconds = std::max(std::chrono::duration<double>(now - begin_).count(), 1e-3);
    const double rate = static_cast<double>(done - before) / seconds;
    const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
    const int percent =
        total == 0 ? 100 : static_cast<int>(100 * (static_cast<double>(done) / static_cast<double>(total)));
    std::string text =
        running.empty() ? std::to_string(files_.size()) + (files_.size() == 1 ? " file" : " files") : running;
    if (text.size() > 30) text = "…" + text.substr(text.size() - 29);
    return text + ": " + std::to_string(percent) + "% " + human_size(static_cast<double>(done)) + "/" +
           human_size(static_cast<double>(total)) + " " + human_size(rate) + "B/s, " + clock_text(left) + " left";
}

}  // namespace hfhub::cli
