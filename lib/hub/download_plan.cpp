#include "hub/download_plan.hpp"

#include "http/retry.hpp"
#include "hub/cache_layout.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

namespace hfhub::hub {

std::optional<Unavailable> classify(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const OfflineModeIsEnabled&) {
        return Unavailable::offline;
    } catch (const FileMetadataError&) {
        return Unavailable::no_file;
    } catch (const RevisionNotFoundError&) {
        return std::nullopt;
    } catch (const RemoteEntryNotFoundError&) {
        return std::nullopt;
    } catch (const RepositoryNotFoundError&) {
        return Unavailable::refused;
    } catch (const HfHubHttpError& error) {
        if (error.status() == 401) return Unavailable::refused;
        return http::retryable_status(error.status()) ? Unavailable::for_now : Unavailable::otherwise;
    } catch (const ProxyError&) {
        return std::nullopt;
    } catch (const ConnectError& error) {
        return error.permanent ? Unavailable::otherwise : Unavailable::for_now;
    } catch (const TooManyRedirectsError&) {
        return Unavailable::otherwise;
    } catch (const TransportError&) {
        return Unavailable::for_now;
    } catch (...) {
        return std::nullopt;
    }
}

Fallback fallback(Unavailable why, bool have_local, bool force_download, bool asked_again) noexcept {
    if (have_local && !force_download) return Fallback::use_local;
    return why == Unavailable::for_now && !asked_again ? Fallback::ask_again : Fallback::fail;
}

void throw_unavailable(Unavailable why, const std::exception_ptr& failure, bool force_download, std::string_view file) {
    const std::string name(file);
    if (force_download) {
        if (why == Unavailable::local_only) {
            throw InvalidArgumentError("force_download and local_files_only cannot be used together (" + name + ")");
        }
        throw InvalidArgumentError("force_download of " + name + " failed: " + message_of(failure));
    }
    switch (why) {
        case Unavailable::local_only:
            throw LocalEntryNotFoundError(
                name + " is not on this machine, and local_files_only forbids to ask the Hub for it");
        case Unavailable::refused:
            std::rethrow_exception(failure);
        default:
            throw LocalEntryNotFoundError(
                name + " is not on this machine, and the Hub could not be asked for it: " + message_of(failure));
    }
}

CacheStep cache_step(bool have_pointer, bool have_blob, bool force_download) noexcept {
    if (force_download) return CacheStep::download;
    if (have_pointer) return CacheStep::use;
    return have_blob ? CacheStep::link : CacheStep::download;
}

FolderStep folder_step(bool have_file, std::string_view known_etag, std::string_view etag,
                       bool force_download) noexcept {
    if (!have_file || force_download) return FolderStep::download;
    if (known_etag == etag) return FolderStep::keep;
    return known_etag.empty() && is_sha256(etag) ? FolderStep::compare : FolderStep::download;
}

}  // namespace hfhub::hub
