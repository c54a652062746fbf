#pragma once

#include <functional>
#include <thread>

namespace hfhub::http {

/// A thread that runs `work`, which is for `purpose`. Throws ResourceError where the system gives none.
std::thread start_thread(const char* purpose, std::function<void()> work);

}  // namespace hfhub::http
