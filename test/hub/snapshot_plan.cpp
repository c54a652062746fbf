#include "hub/snapshot_plan.hpp"

#include "core/atomic_file.hpp"

#include <hfhub/error.hpp>
#include <hfhub/result.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace hfhub;
using namespace hfhub::hub;

namespace {

template <class E>
std::exception_ptr failure(const E& error) {
    return std::make_exception_ptr(error);
}
template <class E = HfHubHttpError>
std::exception_ptr status(int code) {
    HttpErrorContext context;
    context.status = code;
    context.url = "http://hub.test/" + std::to_string(code);
    return failure(E("status " + std::to_string(code), context));
}

std::vector<FailedFile> files(const std::vector<std::exception_ptr>& errors) {
    std::vector<FailedFile> out;
    for (const auto& error : errors) out.push_back({"f" + std::to_string(out.size()), error});
    return out;
}

const auto lost = failure(ConnectionLostError("lost"));
const auto missing = failure(LocalEntryNotFoundError("not here"));
const auto wrong = failure(IntegrityError("wrong"));

}  // namespace

TEST_CASE("what was left stands in where it is complete, and unseen where nobody could say so") {
    for (const auto why : {Unavailable::local_only, Unavailable::offline, Unavailable::refused, Unavailable::for_now}) {
        CHECK(may_stand_in(Left::complete, why, status(503)));
        CHECK(!may_stand_in(Left::incomplete, why, lost));
        CHECK(!may_stand_in(Left::nothing, why, lost));
    }
    CHECK(may_stand_in(Left::unknown, Unavailable::local_only, nullptr));
    CHECK(may_stand_in(Left::unknown, Unavailable::offline, failure(OfflineModeIsEnabled(""))));
    CHECK(may_stand_in(Left::unknown, Unavailable::for_now, lost));
    CHECK(!may_stand_in(Left::unknown, Unavailable::for_now, status(503)));
    CHECK(!may_stand_in(Left::unknown, Unavailable::refused, status(404)));
}

TEST_CASE("failures that all files would share end a snapshot") {
    const std::error_code full = std::make_error_code(std::errc::no_space_on_device);
    const std::error_code denied = std::make_error_code(std::errc::permission_denied);
    CHECK(ends_snapshot(failure(CancelledError())));
    CHECK(ends_snapshot(failure(TimeoutError(TimeoutPhase::deadline, {}))));
    CHECK(ends_snapshot(failure(FileError("write", "f", full))));
    CHECK(ends_snapshot(status<GatedRepoError>(403)));
    CHECK(ends_snapshot(status<RevisionNotFoundError>(404)));
    CHECK(ends_snapshot(status(401)));
    CHECK(ends_snapshot(failure(std::runtime_error("of a callback"))));
    CHECK(!ends_snapshot(failure(FileError("write", "f", denied))));
    CHECK(!ends_snapshot(failure(TimeoutError(TimeoutPhase::idle, {}))));
    CHECK(!ends_snapshot(status<RemoteEntryNotFoundError>(404)));
    CHECK(!ends_snapshot(status(503)));
    CHECK(!ends_snapshot(lost));
    CHECK(!ends_snapshot(wrong));
}

TEST_CASE("an outage shows in failures of the network and the server, many in a row") {
    CHECK(may_be_outage(lost));
    CHECK(may_be_outage(missing));
    CHECK(may_be_outage(status(500)));
    CHECK(!may_be_outage(status<RemoteEntryNotFoundError>(404)));
    CHECK(!may_be_outage(wrong));
    CHECK(failures_of_outage(1) == 16);
    CHECK(failures_of_outage(100) == 200);
}

TEST_CASE("the failure of one file is thrown as it is") {
    CHECK_THROWS_WITH_AS(throw_failures(files({wrong}), 3, 0, "a/m at main"), "wrong", IntegrityError);
}

TEST_CASE("several failures are thrown as what they have in common, with all of them") {
    const auto thrown = [](const std::vector<std::exception_ptr>& errors) {
        try {
            throw_failures(files(errors), 9, 2, "a/m at main");
        } catch (const SnapshotFailures& failures) {
            CHECK(failures.failures().size() == errors.size());
            CHECK(failures.failures().back().error == errors.back());
            return std::string(dynamic_cast<const Error&>(failures).type());
        }
    };
    const auto gone = status<RemoteEntryNotFoundError>(404);
    CHECK(thrown({gone, gone}) == "RemoteEntryNotFoundError");
    CHECK(thrown({gone, status(500)}) == "HfHubHttpError");
    CHECK(thrown({missing, missing}) == "LocalEntryNotFoundError");
    CHECK(thrown({lost, failure(ProtocolError("x"))}) == "TransportError");
    CHECK(thrown({wrong, wrong}) == "IntegrityError");
    CHECK(thrown({failure(IoError("x")), failure(IoError("y"))}) == "IoError");
    CHECK(thrown({lost, wrong}) == "Error");
}

TEST_CASE("the message of several failures counts them, names some and keeps what is known of the first") {
    try {
        throw_failures(files({status(500), status(501), lost, lost, lost, lost, lost}), 20, 3, "a/m at main");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) ==
              "7 of 20 files of a/m at main could not be fetched, and after so many failures in a row 3 others were "
              "not tried: 'f0': status 500; 'f1': status 501; 'f2': lost; 'f3': lost; 'f4': lost; and 2 more");
    }
    try {
        throw_failures(files({status(500), status(501)}), 2, 0, "a/m at main");
    } catch (const HfHubHttpError& error) {
        CHECK(error.status() == 500);
        CHECK(error.context().url == "http://hub.test/500");
    }
}
