#pragma once

// What to do when the files of a commit, or some of them, are not to be had. No I/O.

#include "hub/download_plan.hpp"

#include <hfhub/error.hpp>

#include <cstddef>
#include <exception>
#include <string_view>
#include <vector>

namespace hfhub::hub {

/// What is known of the files that an earlier download has left.
enum class Left : std::uint8_t {
    nothing,
    incomplete,
    unknown,  ///< There are some, and no list of the commit's files.
    complete,
};

/// Whether it may be taken for the commit although the Hub gave no list: always where it is complete; where that is not
/// known, only if nobody was asked or nobody answered.
bool may_stand_in(Left left, Unavailable why, const std::exception_ptr& failure) noexcept;

/// Whether the failure of one file is that of all: they would fail like it.
bool ends_snapshot(const std::exception_ptr& failure) noexcept;

/// Whether it may be an outage: when many files in a row fail so, the others are not tried.
bool may_be_outage(const std::exception_ptr& failure) noexcept;
/// So many in a row, of files that are fetched `workers` at a time.
std::size_t failures_of_outage(std::size_t workers) noexcept;

/// Throws what the files' errors have in common: a single one as it is, else one of their common class that is also a
/// SnapshotFailures. `wanted` is how many there were, `left_out` how many were not tried; `place` names the commit.
[[noreturn]] void throw_failures(std::vector<FailedFile> failures, std::size_t wanted, std::size_t left_out,
                                 std::string_view place);

}  // namespace hfhub::hub
