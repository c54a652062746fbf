#include "cli/interruption.hpp"

#include "http/thread.hpp"

#include <pthread.h>

#include <atomic>
#include <csignal>

namespace hfhub::cli {

namespace {

// Never destroyed: signals come until the end.
struct State {
    std::stop_source source;
    std::atomic<int> signal = 0;
    sigset_t signals{};
};

State& state() {
    static auto* const made = new State;
    return *made;
}

/// Ends the process as the signal would have, so that a shell knows why, and ends its script too.
void die_of(int signal) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    pthread_sigmask(SIG_UNBLOCK, &state().signals, nullptr);
}

// Made before main() begins, so it goes after the sessions, which have files to tidy up.
const struct LastWord {
    ~LastWord() {
        if (const int signal = state().signal) die_of(signal);
    }
} last_word;

[[noreturn]] void listen() {
    for (;;) {
        int signal = 0;
        if (sigwait(&state().signals, &signal) != 0) continue;
        if (state().signal.exchange(signal) != 0) die_of(signal);
        state().source.request_stop();
    }
}

bool is_ignored(int signal) {
    struct sigaction action{};
    return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interruption::Interruption() {
    sigemptyset(&state().signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        if (!is_ignored(signal)) sigaddset(&state().signals, signal);
    }
    pthread_sigmask(SIG_BLOCK, &state().signals, nullptr);  // of the threads, too, that are made from here on
    http::start_thread("signals", listen).detach();
}

std::stop_token Interruption::stop() const { return state().source.get_token(); }

int Interruption::signal() const noexcept { return state().signal; }

}  // namespace hfhub::cli
