#pragma once

// Children made by fork(2), and how they end.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <thread>

namespace hfhub::test {

inline bool is_child = false;

/// Forks. The child runs `work` and leaves by std::exit with what that returns, 99 where it throws.
template <class Work>
pid_t start_child(Work work) {
    std::cout.flush();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    is_child = true;
    ::alarm(60);
    int status = 99;
    try {
        status = work();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the child failed: %s\n", error.what());
    }
    std::exit(status);
}

/// The exit status of a child; -1 where it does not end within the limit (then it is killed) or dies of a signal.
inline int status_of(pid_t child, std::chrono::seconds limit = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > end) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            return -1;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace hfhub::test

// What only the threads of the parent knew looks like a leak to their child.
extern "C" inline int __attribute__((used)) __lsan_is_turned_off() { return hfhub::test::is_child ? 1 : 0; }
