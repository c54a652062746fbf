#include "support/said.hpp"

#include <hfhub/log.hpp>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <typeinfo>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HFHUB_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HFHUB_SANITIZED
#endif
#endif

namespace hfhub::test {

namespace {

/// The file of this process; below 0 where nothing is to be written down.
int open_file() {
    const char* const folder = std::getenv("HFHUB_TEST_LOG");
    if (folder == nullptr) return -1;
    const std::string path = std::string(folder) + "/" + std::to_string(::getpid()) + ".log";
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int file() {
    static const int descriptor = open_file();
    return descriptor;
}

void write_line(std::string_view kind, std::string_view text) {
    std::string line(kind);
    line.append(": ").append(text).append("\n");
    (void)!::write(file(), line.data(), line.size());
}

}  // namespace

void write_down_what_is_said() {
    if (file() < 0) return;
    set_log_sink([](LogLevel level, std::string_view text) { write_line(to_string(level), text); });
    set_log_level(LogLevel::trace);
}

}  // namespace hfhub::test

#ifndef HFHUB_SANITIZED

/// Stands before the runtime's own, for a look at what is thrown.
extern "C" [[noreturn]] void __cxa_throw(void* thrown, std::type_info* type, void (*destroy)(void*)) {
    using Throw = void (*)(void*, std::type_info*, void (*)(void*));
    static const auto real = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
    void* error = thrown;
    if (hfhub::test::file() >= 0 && typeid(std::exception).__do_catch(type, &error, 1)) {
        hfhub::test::write_line("thrown", static_cast<const std::exception*>(error)->what());
    }
    real(thrown, type, destroy);
    std::abort();
}

#endif
