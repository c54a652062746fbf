#pragma once

#include <span>
#include <string>

namespace hfhub::http {

/// Where the system's certificates are; both empty where they are not found.
struct SystemStore {
    std::string dir;   ///< Looked up by the names' hashes, one certificate at a time.
    std::string file;  ///< PEM bundle, read as a whole, which costs tens of milliseconds.
    bool operator==(const SystemStore&) const = default;
};
/// `dir` where it can be looked up (holds names such as 5ed36f99.0), else the first of `files` that is there.
SystemStore system_store(const std::string& dir, std::span<const char* const> files);
/// As OpenSSL and the distributions place it.
SystemStore system_store();

}  // namespace hfhub::http
