#include "http/thread.hpp"

#include <hfhub/error.hpp>

#include <string>
#include <system_error>

namespace hfhub::http {

std::thread start_thread(const char* purpose, std::function<void()> work) {
    try {
        return std::thread(std::move(work));
    } catch (const std::system_error& error) {
        throw ResourceError(std::string("the system gives no thread for ") + purpose + ": " + error.code().message() +
                            "; raise the limit on threads (ulimit -u, pids.max), or give the process more memory");
    }
}

}  // namespace hfhub::http
