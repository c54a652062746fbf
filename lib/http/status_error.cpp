#include "http/status_error.hpp"

#include "core/log.hpp"
#include "core/tries_text.hpp"
#include "http/response.hpp"
#include "http/retry.hpp"
#include "http/server_message.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace hfhub::http {

namespace {

constexpr std::size_t max_body = 64 * 1024;
constexpr std::string_view disabled_message = "Access to this resource is disabled.";
constexpr std::string_view bad_token_message = "Invalid credentials in Authorization header";

std::vector<std::string_view> split_path(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        if (end > 0) parts.push_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return parts;
}

std::string decoded(std::string_view part) {
    try {
        return percent_decode(part);
    } catch (const InvalidArgumentError&) {
        return std::string(part);
    }
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> repo_types = {
    {{"models", "model"}, {"datasets", "dataset"}, {"spaces", "space"}, {"kernels", "kernel"}, {"buckets", "bucket"}}};

std::string_view repo_type_of(std::string_view plural) noexcept {
    for (const auto& [name, type] : repo_types) {
        if (name == plural) return type;
    }
    return {};
}

// What may follow the name of a repository that has no namespace.
constexpr std::array<std::string_view, 14> repo_resources = {
    "revision", "tree", "refs",   "commits", "commit",     "preupload", "paths-info",
    "resolve",  "raw",  "branch", "tag",     "auth-check", "settings",  "discussions"};

/// Where in the path a repository's API begins: index of the plural type after "api", or the path's end.
std::size_t find_api(const std::vector<std::string_view>& parts) {
    for (std::size_t i = 0; i + 2 < parts.size(); ++i) {
        if (parts[i] == "api" && !repo_type_of(parts[i + 1]).empty()) return i + 1;
    }
    return parts.size();
}

void read_repo(HttpErrorContext& context, const Url& url) {
    const std::vector<std::string_view> parts = split_path(url.path);
    if (const std::size_t at = find_api(parts); at < parts.size()) {
        context.repo_type = repo_type_of(parts[at]);
        context.repo_id = decoded(parts[at + 1]);
        const bool has_name = at + 2 < parts.size() && std::find(repo_resources.begin(), repo_resources.end(),
                                                                 parts[at + 2]) == repo_resources.end();
        if (has_name) context.repo_id += "/" + decoded(parts[at + 2]);
        return;
    }
    const auto resolve = std::find(parts.begin(), parts.end(), "resolve");
    const auto before = static_cast<std::size_t>(resolve - parts.begin());
    if (resolve == parts.end() || before == 0 || before + 1 == parts.size()) return;
    std::size_t names = std::min(before, std::size_t{2});
    std::string_view type = before >= 3 ? repo_type_of(parts[before - 3]) : std::string_view();
    if (before >= 2 && type.empty()) {
        type = repo_type_of(parts[before - 2]);
        if (!type.empty()) names = 1;
    }
    context.repo_type = type.empty() ? "model" : type;
    context.repo_id = decoded(parts[before - 1]);
    if (names == 2) context.repo_id = decoded(parts[before - 2]) + "/" + context.repo_id;
}

bool is_bucket_api(const Url& url) { return url.path.find("/api/buckets/") != std::string::npos; }

/// A URL of one job: /api/jobs/{namespace}/{job} or /api/scheduled-jobs/….
bool is_job_url(const Url& url) {
    const std::vector<std::string_view> parts = split_path(url.path);
    for (std::size_t i = 0; i + 3 < parts.size(); ++i) {
        if (parts[i] == "api" && (parts[i + 1] == "jobs" || parts[i + 1] == "scheduled-jobs")) return true;
    }
    return false;
}

bool is_repo_url(const Url& url) {
    const std::vector<std::string_view> parts = split_path(url.path);
    if (const std::size_t at = find_api(parts); at < parts.size() && parts[at] != "buckets") return true;
    const auto resolve = std::find(parts.begin(), parts.end(), "resolve");
    return resolve != parts.end() && resolve != parts.begin() && resolve + 1 != parts.end();
}

/// Whether the URL carries its own right, which ends after a while.
bool is_signed(const Url& url) {
    const std::string query = to_lower(url.query);
    return query.find("signature=") != std::string::npos || query.find("expires=") != std::string::npos;
}

/// "Repository not found: GET https://… answered 404 Not Found (request id …)", the server's words, advice.
std::string compose(std::string_view summary, const HttpErrorContext& context, std::string_view advice) {
    std::string text(summary);
    text += ": " + context.method + " " + context.url + " answered " + std::to_string(context.status);
    if (const std::string_view phrase = reason_phrase(context.status); !phrase.empty())
        text += " " + std::string(phrase);
    if (!context.request_id.empty()) text += " (request id " + context.request_id + ")";
    text += tries_text(context.attempts, context.waited);
    const bool said = summary.find(context.server_message) != std::string_view::npos;  // or nothing is to be said
    if (!said) text += "\n" + context.server_message;
    if (!advice.empty()) text += "\n" + std::string(advice);
    return redact(text);
}

template <class Exception>
[[noreturn]] void raise(std::string_view summary, HttpErrorContext context, std::string_view advice) {
    const std::string text = compose(summary, context, advice);
    throw Exception(text, std::move(context));
}

std::string rate_limit_advice(const HttpErrorContext& context, const Headers& headers, const RequestFacts& facts) {
    std::string text;
    const auto limit = parse_rate_limit(headers);
    if (limit && limit->remaining == 0) {
        text = "The rate limit for \"" + limit->resource + "\" is used up; it is renewed in " +
               std::to_string(limit->reset.count()) + " s";
        if (limit->quota && limit->window) {
            text += " (" + std::to_string(*limit->quota) + " requests per " + std::to_string(limit->window->count()) +
                    " s)";
        }
        text += ".";
    } else if (context.retry_after) {
        text = "The server asks to wait " + std::to_string(context.retry_after->count()) + " s.";
    }
    if (!facts.authenticated) {
        text += (text.empty() ? "" : " ");
        text += "The request carried no token: log in or set HF_TOKEN, requests with a token have a higher quota.";
    }
    return text;
}

std::string range_advice(const Headers& headers, const RequestFacts& facts) {
    std::string text;
    if (!facts.range.empty()) text += "Asked for: " + std::string(facts.range) + ".";
    if (const auto range = headers.get("content-range")) {
        text += (text.empty() ? "" : " ") + std::string("The server has: ") + std::string(*range) + ".";
    }
    return text;
}

std::string_view token_advice(const RequestFacts& facts) {
    return facts.authenticated
               ? "Check that the token is valid, has not expired and has the permission that this needs."
               : "The request carried no token: log in or set HF_TOKEN.";
}

constexpr std::string_view expired_advice =
    "The link was signed for a limited time, which may be over: ask the Hub for a new one.";

std::string access_advice(const HttpErrorContext& context, const Url& url) {
    if (context.repo_id.empty()) return "Ask for access on the repository's page, and send a token of that account.";
    const std::string folder = context.repo_type == "model" ? "" : context.repo_type + "s/";
    return "Ask for access at " + url.origin() + "/" + folder + context.repo_id + ", and send a token of that account.";
}

[[noreturn]] void throw_by_status(HttpErrorContext context, const Url& url, const Headers& headers,
                                  const RequestFacts& facts) {
    switch (context.status) {
        case 400:
            raise<BadRequestError>("Bad request", std::move(context), "");
        case 401:
            raise<HfHubHttpError>("Not authorized", std::move(context),
                                  is_signed(url) ? expired_advice : token_advice(facts));
        case 403:
            raise<HfHubHttpError>("Not allowed", std::move(context),
                                  is_signed(url) ? expired_advice : token_advice(facts));
        case 416:
            raise<HfHubHttpError>("The range cannot be had", std::move(context), range_advice(headers, facts));
        case 429: {
            const std::string advice = rate_limit_advice(context, headers, facts);
            raise<HfHubHttpError>("Too many requests", std::move(context), advice);
        }
        default:
            break;
    }
    raise<HfHubHttpError>(context.status >= 500 ? "The server failed" : "The request failed", std::move(context), "");
}

}  // namespace

HttpErrorContext error_context(int status, Method method, const Url& url, const Headers& headers, std::string_view body,
                               int attempts) {
    HttpErrorContext context;
    context.status = status;
    context.method = to_string(method);
    context.url = url.redacted();
    context.request_id = redact(request_id_of(headers));
    context.error_code = headers.value("x-error-code");
    // Some servers repeat what they were sent.
    context.server_message =
        redact(server_message(headers.value("x-error-message"), headers.value("content-type"), body));
    context.body = body.substr(0, max_body);
    context.commit_hash = headers.value("x-repo-commit");
    context.attempts = attempts;
    if (const auto wait = server_wait(headers, std::chrono::system_clock::now())) {
        context.retry_after = std::chrono::ceil<std::chrono::seconds>(*wait);
    }
    read_repo(context, url);
    return context;
}

void throw_status_error(HttpErrorContext context, const Url& url, const Headers& headers, const RequestFacts& facts) {
    const std::string_view message = headers.value("x-error-message");
    const std::string code = context.error_code;
    const int status = context.status;
    if (code == "RevisionNotFound") {
        raise<RevisionNotFoundError>("Revision not found", std::move(context),
                                     "Check the name of the branch, tag or commit.");
    }
    if (code == "EntryNotFound") {
        raise<RemoteEntryNotFoundError>("File or folder not found", std::move(context),
                                        "Check its path and the revision.");
    }
    if (code == "GatedRepo") {
        const std::string advice = access_advice(context, url);
        raise<GatedRepoError>("The repository is gated", std::move(context), advice);
    }
    if (message == disabled_message) raise<DisabledRepoError>("The repository is disabled", std::move(context), "");
    if (code == "RepoNotFound" && is_bucket_api(url)) {
        raise<BucketNotFoundError>("Bucket not found", std::move(context),
                                   "Check its id (namespace/name); a private one needs a token that may read it.");
    }
    if (status == 404 && is_job_url(url)) {
        raise<JobNotFoundError>("Job not found", std::move(context), "Check its id and namespace.");
    }
    if (code == "RepoNotFound" ||
        (status == 401 && url.is_https() && message != bad_token_message && is_repo_url(url))) {
        raise<RepositoryNotFoundError>(
            "Repository not found", std::move(context),
            "Check repo_id and repo_type; a private or gated repository needs a token that may read it.");
    }
    throw_by_status(std::move(context), url, headers, facts);
}

void raise_for_status(int status, Method method, const Url& url, const Headers& headers, std::string_view body,
                      int attempts, const RequestFacts& facts) {
    if (status < 400) return;
    HttpErrorContext context = error_context(status, method, url, headers, body, attempts);
    context.waited = facts.waited;
    context.bytes_done = facts.bytes_done;
    throw_status_error(std::move(context), url, headers, facts);
}

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 402:
            return "Payment Required";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 407:
            return "Proxy Authentication Required";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 423:
            return "Locked";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 451:
            return "Unavailable For Legal Reasons";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return {};
    }
}

}  // namespace hfhub::http
