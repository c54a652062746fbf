#pragma once

// What to do, given what is here and what the Hub said. No I/O.

#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// Why the Hub did not describe a file.
enum class Unavailable : std::uint8_t {
    local_only,  ///< It was not to be asked.
    offline,     ///< HF_HUB_OFFLINE.
    refused,     ///< No such repository for us: not found, gated or not authorized.
    no_file,     ///< What answered does not describe a file of the Hub.
    for_now,     ///< The network or the server fails, but may not for long.
    otherwise,   ///< Other errors of the server or the network.
};
/// Nothing where the error is to be thrown whatever is cached: the file or revision is known not to exist, the proxy
/// refuses, the caller has cancelled, or the arguments are wrong.
std::optional<Unavailable> classify(const std::exception_ptr& failure);

enum class Fallback : std::uint8_t {
    use_local,  ///< What is here.
    ask_again,  ///< With patience.
    fail,
};
/// `asked_again`: that was done already.
Fallback fallback(Unavailable why, bool have_local, bool force_download, bool asked_again) noexcept;

/// Throws what a caller is told where there is nothing to fall back to. `file` names the file for people.
[[noreturn]] void throw_unavailable(Unavailable why, const std::exception_ptr& failure, bool force_download,
                                    std::string_view file);

enum class CacheStep : std::uint8_t {
    use,   ///< The file is there under its name.
    link,  ///< Its content is there.
    download,
};
CacheStep cache_step(bool have_pointer, bool have_blob, bool force_download) noexcept;

enum class FolderStep : std::uint8_t {
    keep,      ///< It is the wanted version.
    compare,   ///< Perhaps it is: hash it.
    download,  ///< Or copy it from the cache.
};
/// `known_etag`: of the version that was put there; empty where it is not known.
FolderStep folder_step(bool have_file, std::string_view known_etag, std::string_view etag,
                       bool force_download) noexcept;

}  // namespace hfhub::hub
