#include "hub/repo_id.hpp"

#include "core/url.hpp"
#include "core/utf8.hpp"

#include <hfhub/error.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace hfhub::hub {

namespace {

constexpr std::size_t max_name = 96;
constexpr std::array<std::string_view, 2> default_hosts = {"https://huggingface.co", "https://hub-ci.huggingface.co"};

// Bytes of letters beyond ASCII pass: the server decides about them.
bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_name(std::string_view name) {
    const auto characters = std::count_if(name.begin(), name.end(), [](char c) { return (c & 0xC0) != 0x80; });
    return !name.empty() && static_cast<std::size_t>(characters) <= max_name && is_word(name.front()) &&
           is_word(name.back()) &&
           std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

std::string_view url_prefix(std::string_view repo_type) {
    if (repo_type == "dataset") return "datasets/";
    if (repo_type == "space") return "spaces/";
    if (repo_type == "kernel") return "kernels/";
    return "";
}

[[noreturn]] void refuse(const RepoUrl& url) {
    throw JsonError("'" + url.url + "' is not the address of a repository below " + url.endpoint);
}

// A server behind a proxy may know itself by the other scheme, or without the port that it is asked at.
bool same_host(const Url& a, const Url& b) {
    const auto is_default = [](const Url& url) { return url.port == default_port(url.scheme); };
    return a.host == b.host && (a.port == b.port || is_default(a) || is_default(b));
}

/// The path without the endpoint's own, where the URL lies below it.
std::optional<std::string> path_below(const std::string& url, std::string_view endpoint) try {
    const Url named = Url::parse(url), base = Url::parse(endpoint);
    const std::string prefix = base.path.ends_with('/') ? base.path : base.path + "/";
    if (!same_host(named, base) || !named.path.starts_with(prefix)) return std::nullopt;
    return named.path.substr(prefix.size());
} catch (const InvalidArgumentError&) {
    return std::nullopt;
}

}  // namespace

void validate_repo_id(std::string_view repo_id) {
    const std::string quoted = "'" + printable(repo_id) + "'";
    if (std::count(repo_id.begin(), repo_id.end(), '/') > 1) {
        throw HfValidationError("a repo id has the form 'name' or 'namespace/name', but this is " + quoted +
                                "; name the kind of repository with repo_type");
    }
    const std::size_t slash = repo_id.find('/');
    const bool has_namespace = slash != std::string_view::npos;
    const std::string_view name = has_namespace ? repo_id.substr(slash + 1) : repo_id;
    if (!is_utf8(repo_id) || !is_name(name) || (has_namespace && !is_name(repo_id.substr(0, slash)))) {
        throw HfValidationError(
            "a repo id is made of letters, digits, '-', '_' and '.', at most 96 in each part, and '-' "
            "and '.' neither begin nor end a part, but this is " +
            quoted);
    }
    if (repo_id.find("--") != repo_id.npos || repo_id.find("..") != repo_id.npos) {
        throw HfValidationError("a repo id must not contain '--' or '..', but this is " + quoted);
    }
    if (repo_id.ends_with(".git")) throw HfValidationError("a repo id must not end in '.git', but this is " + quoted);
}

std::string_view checked_repo_type(std::string_view repo_type) {
    if (repo_type.empty()) return "model";
    if (repo_type == "model" || repo_type == "dataset" || repo_type == "space" || repo_type == "kernel")
        return repo_type;
    throw InvalidArgumentError("repo_type is model, dataset, space or kernel, but this is '" + printable(repo_type) +
                               "'");
}

std::string repo_api_path(std::string_view repo_type, std::string_view repo_id) {
    const std::string_view type = checked_repo_type(repo_type);
    validate_repo_id(repo_id);
    return "/api/" + std::string(type) + "s/" + percent_encode(repo_id, "/");
}

std::string repo_api_path(std::string_view repo_type, std::string_view repo_id, std::string_view revision) {
    std::string path = repo_api_path(repo_type, repo_id);
    if (!revision.empty()) path += "/revision/" + percent_encode(revision);
    return path;
}

std::string resolve_path(std::string_view repo_type, std::string_view repo_id, std::string_view revision,
                         std::string_view filename) {
    const std::string_view type = checked_repo_type(repo_type);
    validate_repo_id(repo_id);
    return "/" + std::string(url_prefix(type)) + percent_encode(repo_id, "/") + "/resolve/" +
           percent_encode(revision.empty() ? "main" : revision) + "/" + percent_encode(filename, "/");
}

RepoUrl parse_repo_url(std::string_view url, std::string_view endpoint) {
    RepoUrl out;
    out.endpoint = endpoint;
    out.url = url;
    for (const std::string_view host : default_hosts) {
        if (url.starts_with(host) && !url.starts_with(endpoint)) out.url = out.endpoint + out.url.substr(host.size());
    }
    const std::optional<std::string> path = path_below(out.url, endpoint);
    if (!path) refuse(out);
    std::string_view rest = *path;
    out.repo_type = "model";
    for (const std::string_view type : {"model", "dataset", "space", "kernel"}) {
        const std::string prefix = std::string(type) + "s/";
        if (!rest.starts_with(prefix)) continue;
        out.repo_type = type;
        rest.remove_prefix(prefix.size());
        break;
    }
    while (rest.ends_with('/')) rest.remove_suffix(1);
    out.repo_id = percent_decode(rest);
    const std::size_t slash = out.repo_id.find('/');
    if (slash != std::string::npos) out.namespace_ = out.repo_id.substr(0, slash);
    out.repo_name = slash == std::string::npos ? out.repo_id : out.repo_id.substr(slash + 1);
    if (out.repo_name.empty() || out.repo_name.find('/') != std::string::npos) refuse(out);
    return out;
}

RepoUrl make_repo_url(std::string_view endpoint, std::string_view repo_type, std::string_view repo_id) {
    std::string url(endpoint);
    url.append("/").append(url_prefix(checked_repo_type(repo_type))).append(percent_encode(repo_id, "/"));
    return parse_repo_url(url, endpoint);
}

}  // namespace hfhub::hub
