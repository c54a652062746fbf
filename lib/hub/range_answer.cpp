#include "hub/range_answer.hpp"

#include "hub/cache_layout.hpp"
#include "hub/file_metadata.hpp"

#include <algorithm>
#include <charconv>

namespace hfhub::hub {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_encoded(const http::Headers& headers) {
    const std::string_view coding = headers.value("content-encoding");
    return !coding.empty() && !http::iequals(coding, "identity");
}

/// Storage servers have ETags of their own kind, so only hashes of the same kind tell files apart. What differs in
/// another way is found by the hash of the content.
bool is_other_content(std::string_view etag, const http::Headers& headers) {
    const auto differs = [&](std::string_view other) {
        other = opaque_etag(other);
        return other != etag && ((is_sha256(etag) && is_sha256(other)) || (is_git_sha1(etag) && is_git_sha1(other)));
    };
    const auto linked = headers.get("x-linked-etag");
    return linked ? differs(*linked) : differs(headers.value("etag"));
}

AnswerDecision with(AnswerUse use, std::string reason = {}) {
    AnswerDecision decision;
    decision.use = use;
    decision.reason = std::move(reason);
    return decision;
}

AnswerDecision judge_whole(const Wanted& wanted, const http::Headers& headers) {
    if (is_other_content(wanted.etag, headers)) return with(AnswerUse::changed, "the file has another hash by now");
    AnswerDecision decision = with(wanted.at == 0 ? AnswerUse::append : AnswerUse::restart);
    decision.encoded = is_encoded(headers);
    if (decision.encoded) return decision;
    decision.size = number(headers.value("content-length"));
    if (wanted.size && decision.size && *wanted.size != *decision.size) {
        return with(AnswerUse::wrong, "the server sends " + std::to_string(*decision.size) + " bytes instead of " +
                                          std::to_string(*wanted.size));
    }
    return decision;
}

AnswerDecision judge_part(const Wanted& wanted, const http::Headers& headers) {
    if (is_other_content(wanted.etag, headers)) return with(AnswerUse::changed, "the file has another hash by now");
    const std::string_view text = headers.value("content-range");
    const auto range = parse_content_range(text);
    const auto refuse = [&](std::string_view why) {
        return with(AnswerUse::refused, "the server answers the range from byte " + std::to_string(wanted.at) +
                                            " with \"" + std::string(text) + "\": " + std::string(why));
    };
    if (!range || !range->first) return refuse("that is no single range");
    if (is_encoded(headers)) return refuse("it is encoded");
    if (*range->first != wanted.at) return refuse("it begins elsewhere");
    if (wanted.size && range->total && *range->total != *wanted.size) return refuse("the file has another length");
    const auto length = number(headers.value("content-length"));
    if (length && *length != *range->last - *range->first + 1) return refuse("the length of the body differs");
    const auto total = range->total ? range->total : wanted.size;
    if (total && *range->last >= *total) return refuse("it ends behind the file");
    AnswerDecision decision = with(AnswerUse::append);
    decision.size = range->total;
    return decision;
}

AnswerDecision judge_unsatisfiable(const Wanted& wanted, const http::Headers& headers) {
    if (wanted.at == 0) return with(AnswerUse::error);
    const auto range = parse_content_range(headers.value("content-range"));
    const auto total = wanted.size ? wanted.size : (range ? range->total : std::nullopt);
    AnswerDecision decision = with(total == wanted.at ? AnswerUse::done : AnswerUse::discard,
                                   "the server has no byte " + std::to_string(wanted.at));
    if (decision.use == AnswerUse::done) decision.size = total;
    return decision;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    if (text.size() < unit.size() || !http::iequals(text.substr(0, unit.size()), unit)) return std::nullopt;
    text.remove_prefix(unit.size());
    const std::size_t slash = text.find('/');
    if (slash == text.npos) return std::nullopt;
    ContentRange range;
    const std::string_view total = text.substr(slash + 1);
    if (total != "*" && !(range.total = number(total))) return std::nullopt;
    const std::string_view span = text.substr(0, slash);
    if (span == "*") return range.total ? std::optional(range) : std::nullopt;
    const std::size_t dash = span.find('-');
    if (dash == span.npos) return std::nullopt;
    range.first = number(span.substr(0, dash));
    range.last = number(span.substr(dash + 1));
    if (!range.first || !range.last || *range.last < *range.first) return std::nullopt;
    if (*range.last == UINT64_MAX) return std::nullopt;  // its length would be beyond 64 bits
    if (range.total && *range.last >= *range.total) return std::nullopt;
    return range;
}

AnswerDecision judge_answer(const Wanted& wanted, int status, const http::Headers& headers) {
    if (status == 200) return judge_whole(wanted, headers);
    if (status == 206) return judge_part(wanted, headers);
    if (status == 416) return judge_unsatisfiable(wanted, headers);
    if (status >= 400) return with(AnswerUse::error);
    return with(AnswerUse::refused, "the server answers with status " + std::to_string(status));
}

}  // namespace hfhub::hub
