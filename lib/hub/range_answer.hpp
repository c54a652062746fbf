#pragma once

// What the answer to a request for the rest of a file means for what is there already. No I/O.

#include "http/headers.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hfhub::hub {

/// A Content-Range field (RFC 9110 14.4), such as "bytes 200-518/519" or "bytes */519".
struct ContentRange {
    std::optional<std::uint64_t> first, last;  ///< Empty where the range was not satisfiable.
    std::optional<std::uint64_t> total;        ///< Empty for '*'.
};
/// Nothing where the text is none.
std::optional<ContentRange> parse_content_range(std::string_view text);

/// What is there, and what is wanted.
struct Wanted {
    std::uint64_t at = 0;  ///< Bytes there; a range is asked for where there are any.
    std::optional<std::uint64_t> size{};
    std::string_view etag{};  ///< By which the Hub knows the content.
};

enum class AnswerUse : std::uint8_t {
    append,   ///< The body goes on where we are.
    restart,  ///< The body is the whole file: what is there is dropped first.
    done,     ///< Everything is there.
    discard,  ///< What is there fits no longer: drop it and ask for the whole file.
    refused,  ///< Not what was asked for: ask for the whole file once, and keep what is there until it comes.
    changed,  ///< The file is another one by now.
    wrong,    ///< Its length is not the one that the Hub has told.
    error,    ///< An error status.
};
struct AnswerDecision {
    AnswerUse use = AnswerUse::error;
    std::optional<std::uint64_t> size{};  ///< Of the whole file, as the answer tells it.
    bool encoded = false;                 ///< The body is to be decoded, and cannot be gone on with.
    std::string reason{};                 ///< For errors and logs.
};
AnswerDecision judge_answer(const Wanted& wanted, int status, const http::Headers& headers);

}  // namespace hfhub::hub
