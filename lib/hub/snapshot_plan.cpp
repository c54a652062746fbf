#include "hub/snapshot_plan.hpp"

#include "core/atomic_file.hpp"

#include <hfhub/result.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace hfhub::hub {

namespace {

constexpr std::size_t most_named = 5;
constexpr std::size_t least_of_outage = 16;

template <class T>
bool is(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const T&) {
        return true;
    } catch (...) {
        return false;
    }
}

/// The status of an answer, 0 where it is no such error.
int status_of(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const HfHubHttpError& error) {
        return error.status();
    } catch (...) {
        return 0;
    }
}

bool is_deadline(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const TimeoutError& error) {
        return error.phase == TimeoutPhase::deadline;
    } catch (...) {
        return false;
    }
}

bool is_full_disk(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const FileError& error) {
        return error.code == std::errc::no_space_on_device || error.code == std::errc::read_only_file_system ||
               error.code == std::error_code(EDQUOT, std::generic_category());
    } catch (...) {
        return false;
    }
}

template <class Base>
class Several final : public Base, public SnapshotFailures {
  public:
    template <class... Args>
    explicit Several(std::vector<FailedFile> failures, const Args&... args)
        : Base(args...), SnapshotFailures(std::move(failures)) {}
};

std::string message_of_several(const std::vector<FailedFile>& failures, std::size_t wanted, std::size_t left_out,
                               std::string_view place) {
    std::string text = std::to_string(failures.size()) + " of " + std::to_string(wanted) + " files of " +
                       std::string(place) + " could not be fetched";
    if (left_out > 0) {
        text += ", and after so many failures in a row " + std::to_string(left_out) + " others were not tried";
    }
    const std::size_t named = std::min(failures.size(), most_named);
    for (std::size_t i = 0; i < named; ++i) {
        text += (i == 0 ? ": '" : "; '") + failures[i].filename + "': " + message_of(failures[i].error);
    }
    if (named < failures.size()) text += "; and " + std::to_string(failures.size() - named) + " more";
    return text;
}

template <class T>
bool all_are(const std::vector<FailedFile>& failures) noexcept {
    return std::all_of(failures.begin(), failures.end(), [](const FailedFile& one) { return is<T>(one.error); });
}

template <class T>
[[noreturn]] void throw_http(std::vector<FailedFile> failures, const std::string& message) {
    HttpErrorContext context;
    try {
        std::rethrow_exception(failures.front().error);
    } catch (const HfHubHttpError& error) {
        context = error.context();
    }
    throw Several<T>(std::move(failures), message, context);
}

}  // namespace

bool may_stand_in(Left left, Unavailable why, const std::exception_ptr& failure) noexcept {
    if (left == Left::complete) return true;
    if (left != Left::unknown) return false;
    return why == Unavailable::local_only || why == Unavailable::offline || is<TransportError>(failure);
}

bool ends_snapshot(const std::exception_ptr& failure) noexcept {
    if (!is<Error>(failure)) return true;  // a program's own, from its callback, or no memory
    if (is<CancelledError>(failure) || is_deadline(failure) || is_full_disk(failure)) return true;
    if (is<RepositoryNotFoundError>(failure) || is<DisabledRepoError>(failure) || is<RevisionNotFoundError>(failure)) {
        return true;
    }
    return is<LocalTokenNotFoundError>(failure) || status_of(failure) == 401;
}

bool may_be_outage(const std::exception_ptr& failure) noexcept {
    return is<TransportError>(failure) || is<LocalEntryNotFoundError>(failure) || status_of(failure) >= 500;
}

std::size_t failures_of_outage(std::size_t workers) noexcept { return std::max(2 * workers, least_of_outage); }

void throw_failures(std::vector<FailedFile> failures, std::size_t wanted, std::size_t left_out,
                    std::string_view place) {
    if (failures.size() == 1) std::rethrow_exception(failures.front().error);
    const std::string message = message_of_several(failures, wanted, left_out, place);
    if (all_are<RemoteEntryNotFoundError>(failures)) throw_http<RemoteEntryNotFoundError>(std::move(failures), message);
    if (all_are<HfHubHttpError>(failures)) throw_http<HfHubHttpError>(std::move(failures), message);
    if (all_are<LocalEntryNotFoundError>(failures))
        throw Several<LocalEntryNotFoundError>(std::move(failures), message);
    if (all_are<TransportError>(failures)) throw Several<TransportError>(std::move(failures), message);
    if (all_are<IntegrityError>(failures)) throw Several<IntegrityError>(std::move(failures), message);
    if (all_are<IoError>(failures)) throw Several<IoError>(std::move(failures), message);
    throw Several<Error>(std::move(failures), message);
}

}  // namespace hfhub::hub
